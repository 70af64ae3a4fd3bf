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
can be started from, ``column`` its x column), ``speed`` (the measured times).
Models are files of ``seqmix export --page`` under ``results/laptop/models``; each is a script beside the pages, which
load it once, and not before it is asked where another gives the first answer (``hybrids``). Where one
(``book/models.yaml`` lists them) is not published yet, only the finding is shown.
"""

import json
from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from seqmix.mixers import MIXERS, mixer
from seqmix.paths import Paths
from seqmix_study.book.sphinxext import page_script
from seqmix_study.chapters import style
from seqmix_study.chapters.rows import PUBLISHED
from seqmix_study.findings import study
from seqmix_study.runs import page_file

# Kinds that ask models.
ASKED = ("boxes", "context", "hybrids")

# What the page shows -> the part of a row, microseconds a token, that it is the inverse of.
ENDS = {"speed": "estimate", "low": "hi", "high": "lo"}

DOING = {"train": "training", "prefill": "reading", "decode": "writing, one token after another"}


class Live(SphinxDirective):
    """Embed one demonstration; the page loads the models that it asks (see ``ask_for_scripts``)."""

    required_arguments = 1
    has_content = True
    option_spec = dict.fromkeys(
        ("id", "question", "guesses", "models", "text", "figure", "column"), directives.unchanged_required
    )

    def run(self) -> list[nodes.Node]:
        kind, options, paths = self.arguments[0], self.options, Paths(self.env.app.srcdir)
        if missing := [name for name in ("id", "question", "guesses") if name not in options]:
            raise self.error(f"live: {', '.join(missing)} must be given")
        names = options.get("models", "").split()
        if kind in ASKED and not names:
            raise self.error(f"live {kind}: models must be given")
        finding = nodes.container("", *self.parse_content_to_nodes(), classes=["live-finding"])
        files = {name: page_file.folder(paths.results) / f"{name}.json" for name in names}
        if self.env.app.builder.name != "html" or not all(file.is_file() for file in files.values()):
            return [finding]  # on paper nobody can be asked, nor a model that is still to be trained
        data = {name: options[name].replace("\\n", "\n") for name in ("question", "text") if name in options}
        data["guesses"] = [guess.strip() for guess in options["guesses"].split("|")] + ["I cannot tell"]
        data["layers"] = {letter: mixer(letter).label for letter in MIXERS}
        try:
            models = {name: page_file.read(file) for name, file in files.items()}
            told = [{"name": n, "words": m["words"], **m["about"], **m["config"]} for n, m in models.items()]
            data["models"] = [one | {"label": style.look(one["arm"]).label} for one in told]
            if kind == "speed":
                data["rows"] = speeds(study.rows(PUBLISHED, paths))
            if "figure" in options:
                data["ladders"] = ladders(paths.executed / "figures" / f"{options['figure']}.csv", options["column"])
        except (OSError, KeyError, ValueError) as error:
            raise self.error(f"live {kind}: {error}") from error
        finding["first"], name = " ".join(names[:1] if kind == "hybrids" else names), nodes.make_id(options["id"])
        begin = f'<section class="live" id="{name}" data-kind="{kind}" aria-label="Ask the models">'
        text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # cannot end the script it stands in
        parts = f'{begin}<script type="application/json">{text}</script>', "</section>"
        before, after = (nodes.raw("", part, format="html") for part in parts)
        return [before, finding, after]


def speeds(rows: pd.DataFrame) -> list[dict]:
    """Return tokens a second and their interval by regime, length and architecture: rows ``time_a_token``."""
    found = []
    for row in rows[rows["id"] == "time_a_token"].itertuples():
        asked = json.loads(row.key)
        look = style.look(asked["arm"])
        ends = {name: round(1e6 / getattr(row, of), 1) for name, of in ENDS.items()}
        about = {"regime": regime(asked), "length": asked["length"], "label": look.label, "colour": look.colour}
        found.append(about | ends)
    return found


def regime(asked: dict) -> str:
    """Return what is done, on what and with how much at a time."""
    threads = f"{asked['threads']} thread" + ("s" if str(asked["threads"]) != "1" else "")
    batch = "equal tokens a step" if asked["mode"] == "train" else f"batch {asked['batch']}"
    return f"{DOING[asked['mode']]}: {asked['device']}, {threads}, {asked['precision']}, {batch}"


def ladders(table: Path, column: str) -> list[dict]:
    """Return the ladders of a figure's table, at least four sizes each: {"label", "points": [[size, loss], ...]}."""
    rows = pd.read_csv(table).dropna(subset=[column, "estimate"]).sort_values(column)
    lines = [(name, line[[column, "estimate"]]) for name, line in rows.groupby("Architecture", sort=False)]
    return [{"label": name, "points": line.to_numpy().tolist()} for name, line in lines if len(line) > 3]


def ask_for_scripts(app, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the script in the pages that have a demonstration; its tag names the models of the first answers."""
    asked = [node["first"] for node in doctree.findall(nodes.container) if "first" in node] if doctree else []
    if asked:
        app.add_js_file("live.js", loading_method="async", **{"data-models": " ".join(asked)})


def write_scripts(app, exception) -> None:
    """Put the joined script and the published models beside the pages."""
    if exception is not None or app.builder.name != "html":
        return
    models = Path(app.outdir) / "_static" / "models"  # scripts, since a page opened from a disk may read no other file
    models.mkdir(exist_ok=True)
    (models.parent / "live.js").write_text(page_script.script(), encoding="utf-8")
    for file in sorted(page_file.folder(Path(app.srcdir) / "results").glob("*.json")):
        page_file.write_script(models / f"{file.stem}.js", page_file.read(file))
