"""``live``: a demonstration in which the reader asks the published models, after a guess.

::

    ```{live} context
    :id: ask-context
    :models: python-lstm python-transformer python-mix
    :question: Take out the line that names the function. Which model notices most?
    :guesses: LSTM | Transformer | the mix | none of them
    :text: def area(width, height):\\n    return width * height\\n

    What was published about it, with its static figure: shown to everybody without JavaScript, else after the guess.
    ```

Kinds: ``context``, ``boxes``, ``hybrids`` (``models``, ``text``), ``scaling`` (``figure`` names the figure whose points
can be started from, ``column`` its x column, ``panel`` what tells its panels apart), ``speed`` (the measured times).
Models are files of ``seqmix export --page`` under ``results/<tier>/models``; each is a script beside the pages, which
load it once. Where one that ``book/models.yaml`` names is not published yet, only the finding is shown.
"""

import csv
import io
import json
from pathlib import Path
from statistics import quantiles

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from seqmix.mixers import MIXERS, mixer
from seqmix_study.book.sphinxext import page_script
from seqmix_study.chapters import style
from seqmix_study.results import published
from seqmix_study.runs import page_file

__all__ = ["KINDS", "Live", "ladders", "setup", "speeds"]

log = logging.getLogger(__name__)

KINDS = ("boxes", "context", "hybrids", "scaling", "speed")
SCREENS = ("html",)
"""Builders whose readers have a browser: elsewhere the finding stands alone."""

MODELS = "models"
"""Where pages find the models, in ``_static``: as scripts, since a page opened from a disk may read no other file."""

DOING = {"train": "training", "prefill": "reading", "decode": "writing, one token after another"}


class Live(SphinxDirective):
    """Embed one demonstration; the page loads the models that it asks (see ``ask_for_models``)."""

    required_arguments = 1
    has_content = True
    option_spec = {  # noqa: RUF012 - docutils wants a plain class attribute
        **dict.fromkeys(("id", "question", "guesses"), directives.unchanged_required),
        **dict.fromkeys(("models", "text", "tier", "figure", "column", "panel"), directives.unchanged),
    }

    def run(self) -> list[nodes.Node]:
        kind, source = self.arguments[0], Path(self.env.app.srcdir)
        missing = [name for name in ("id", "question", "guesses") if not self.options.get(name)]
        if kind not in KINDS or missing or not self.content:
            wrong = f"{', '.join(missing)} must be given" if missing else f"kinds: {', '.join(KINDS)}; content needed"
            raise self.error(f"live: {wrong}")
        data = {name: self.options[name].replace("\\n", "\n") for name in ("question", "text") if name in self.options}
        data["guesses"] = [guess.strip() for guess in self.options["guesses"].split("|")] + ["I cannot tell"]
        try:
            data |= self.numbers(kind, source)
            models = self.models(source)
        except Unpublished as missing:
            log.info("live %s: %s is not published yet", kind, missing)
            return self.parse_content_to_nodes()
        except (OSError, KeyError, ValueError) as error:
            raise self.error(f"live {kind}: {error}") from error
        data["models"] = [{"name": model, "label": label} for model, label in models]
        if kind == "hybrids":
            data["layers"] = {letter: mixer(letter).label for letter in MIXERS}
        finding = nodes.container(classes=["live-finding"], models=[model for model, _ in models])
        finding += self.parse_content_to_nodes()
        if self.env.app.builder.name not in SCREENS:
            return [finding]  # on paper nobody can be asked
        name = nodes.make_id(self.options["id"])
        opening = f'<section class="live" id="{name}" data-kind="{kind}" aria-label="Ask the models">'
        return [
            raw(f'{opening}<script type="application/json">{in_script(data)}</script>'),
            finding,
            raw("</section>"),
        ]

    def numbers(self, kind: str, source: Path) -> dict:
        """Return what the demonstration draws besides models; OSError or KeyError without its table."""
        if kind == "speed":
            table = source / "results" / self.options.get("tier", "laptop") / "speed.csv"
            self.env.note_dependency(str(table))
            return {"rows": speeds(table)}
        if kind == "scaling" and self.options.get("figure"):
            table = source / "book" / "executed" / "figures" / f"{self.options['figure']}.csv"
            self.env.note_reread()
            columns = self.options["column"], self.options.get("panel")
            return {"ladders": ladders(table, *columns) if table.is_file() else []}
        return {}

    def models(self, source: Path) -> list[tuple[str, str]]:
        """Return name and label of each model."""
        names = self.options.get("models", "").split()
        if self.arguments[0] in ("boxes", "context", "hybrids") and not names:
            raise ValueError("models must be given")
        present, found = self.env.temp_data.setdefault("live_models", {}), []
        for name in names:
            file = page_file.folder(source / "results", self.options.get("tier", "laptop")) / f"{name}.json"
            self.env.note_dependency(str(file))
            if not file.is_file() and name in announced(source):
                raise Unpublished(name)
            model = page_file.read(file)
            found.append((name, style.look(model["about"]["arm"]).label))
            present[name] = file.stat().st_size
        if (size := sum(present.values())) > page_file.LARGEST_PAGE:
            raise ValueError(f"the models of this page have {size:,} bytes, more than {page_file.LARGEST_PAGE:,}")
        return found


class Unpublished(Exception):
    """A model that is known by name and has no file yet."""


def announced(source: Path) -> set[str]:
    """Return the names of the models that chapters may ask for."""
    file = source / "book" / "models.yaml"
    return set(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.is_file() else set()


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def in_script(data: dict) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def read_rows(text: bytes) -> list[dict]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def speeds(table: Path) -> list[dict]:
    """Return median tokens a second and its quartiles over the timed calls, a row a regime, length and architecture."""
    calls: dict[tuple, list[float]] = {}
    for row in read_rows(published.content(table) or b""):
        if row["mode"] in DOING and not row["arm"].endswith(style.AGAIN):
            threads = f"{row['threads']} thread" + ("s" if row["threads"] != "1" else "")
            batch = "equal tokens a step" if row["mode"] == "train" else f"batch {row['batch_size']}"
            regime = f"{DOING[row['mode']]}: {row['device']}, {threads}, {row['precision']}, {batch}"
            key = regime, int(row["length"]), row["arm"]
            calls.setdefault(key, []).append(float(row["tokens"]) / float(row["seconds"]))
    found = []
    for (regime, length, arm), values in calls.items():
        low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        look = style.look(arm)
        ends = {"speed": round(middle, 1), "low": round(low, 1), "high": round(high, 1)}
        found.append({"regime": regime, "length": length, "label": look.label, "colour": look.colour, **ends})
    return found


def ladders(table: Path, column: str, panel: str | None) -> list[dict]:
    """Return the ladders of a figure's table, at least four sizes each: {"label", "points": [[size, loss], ...]}."""
    groups: dict[str, list] = {}
    for row in read_rows(table.read_bytes()):
        label = row["Architecture"] + (f", {row[panel]}" if panel else "")
        if row.get("estimate") and row.get(column):
            groups.setdefault(label, []).append([round(float(row[column])), float(row["estimate"])])
    return [{"label": label, "points": sorted(points)} for label, points in groups.items() if len(points) > 3]


def ask_for_script(app) -> None:
    """Load the script in every page that is read on a screen."""
    if app.builder.name in SCREENS:
        app.add_js_file("live.js", loading_method="defer")


def ask_for_models(app, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the models in the pages that ask them."""
    asked = [name for node in doctree.findall(nodes.container) for name in node.get("models", ())] if doctree else []
    for name in dict.fromkeys(asked):
        app.add_js_file(f"{MODELS}/{name}.js", loading_method="defer")


def write_scripts(app, exception) -> None:
    """Put the joined script and the published models beside the pages."""
    if exception is not None or app.builder.name not in SCREENS:
        return
    (Path(app.outdir) / "_static" / "live.js").write_text(page_script.script(), encoding="utf-8")
    models = Path(app.outdir) / "_static" / MODELS
    models.mkdir(exist_ok=True)
    for file in sorted(page_file.folder(Path(app.srcdir) / "results").glob("*.json")):
        text = f"(globalThis.seqmixModels ??= {{}})[{json.dumps(file.stem)}] = {json.dumps(page_file.read(file))};\n"
        (models / f"{file.stem}.js").write_text(text, encoding="utf-8")


def setup(app) -> None:
    """Register the directive, its script and its styles."""
    app.add_directive("live", Live)
    app.connect("builder-inited", ask_for_script)
    app.connect("html-page-context", ask_for_models)
    app.connect("build-finished", write_scripts)
