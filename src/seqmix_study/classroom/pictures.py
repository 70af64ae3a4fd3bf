"""Where the figures on slides come from: chapters of the book, worked examples of the lesson, diagrams.

A chapter's figure is drawn by the chapter's own cell from the committed tables, so slides change with the book. Where
``book/executed`` holds just that execution it is taken; else the chapter is executed, without training, into
``classroom/chapters``, and again only when its text, its code or its tables have changed.
"""

import re
from pathlib import Path

import yaml

from seqmix.paths import Paths
from seqmix_study.classroom.lesson import Lesson

__all__ = ["PictureError", "Pictures", "published_tier"]

NAMED = re.compile(r"name: (fig-[\w-]+)")
CAPTION = re.compile(r'name: (fig-[\w-]+), caption: "((?:[^"\\]|\\.)*)"')


class PictureError(ValueError):
    """A figure that a slide names does not exist; the message lists those that do."""


def published_tier(paths: Paths) -> str:
    """Return the tier whose committed tables the book shows: laptop, else gpu, else quick."""
    return next((tier for tier in ("laptop", "gpu") if (paths.results / tier / "runs.csv").is_file()), "quick")


class Apart(Paths):
    """The project with a place of its own for executed chapters: those of the book may be of another tier."""

    @property
    def executed(self) -> Path:
        return self.root / "classroom" / "chapters"


class Pictures:
    """The figures that the slides of one lesson may show, and the addresses that they link to."""

    def __init__(self, lesson: Lesson, paths: Paths) -> None:
        self.lesson, self.paths = lesson, paths
        self.results = paths.results / published_tier(paths)
        self.sources = {path.stem: path.read_text(encoding="utf-8") for path in paths.notebooks.glob("*.md")}
        self.home = {name: chapter for chapter, text in self.sources.items() for name in NAMED.findall(text)}
        config = yaml.safe_load((paths.root / "_config.yml").read_text(encoding="utf-8"))
        self.site = (config.get("html", {}).get("baseurl") or "../../_build/html").rstrip("/")
        self._examples: dict[str, tuple[str, str]] = {}
        self._executed: dict[str, Path] = {}

    def chapter(self, name: str) -> str:
        """Return a figure of the book as SVG; raises PictureError if no chapter has it."""
        if name not in self.home:
            raise PictureError(f"no chapter has a figure {name!r}; figures: {', '.join(sorted(self.home))}")
        chapter = self.home[name]
        if chapter not in self._executed:
            self._executed[chapter] = self._execute(chapter)
        picture = self._executed[chapter] / "figures" / f"{name}.svg"
        if not picture.is_file():
            raise PictureError(f"notebooks/{chapter}.md was executed and drew no figure {name!r}")
        return picture.read_text(encoding="utf-8")

    def _execute(self, chapter: str) -> Path:
        """Return the folder of an execution that is up to date; raises PictureError where the chapter fails."""
        from seqmix_study.book import runner, sources

        source = sources.load(chapter, self.paths)
        passed = {"tier": self.results.name} if "tier" in source.parameters else {}
        (request,) = runner.prepare(chapter, passed, self.paths)
        if runner.current(request, self.paths, train=False):
            return self.paths.executed
        apart = Apart(self.paths.root)
        if not runner.run([request], apart, jobs=None, force=False, train=False):
            raise PictureError(f"notebooks/{chapter}.md failed: no figures of it; the message stands above")
        return apart.executed

    def about(self, name: str) -> tuple[str, str]:
        """Return caption and address of a figure of the book."""
        chapter = self.home[name]
        captions = {match[1]: match[2].replace('\\"', '"') for match in CAPTION.finditer(self.sources[chapter])}
        return captions.get(name, ""), f"{self.site}/book/executed/{chapter}.html#{name}"

    def address(self, target: str, live: bool = False) -> str:
        """Return the address of a page of the book, as linked from ``book/lessons``; ``live``: of its demonstration."""
        page = (Path("/book/lessons") / target.partition("#")[0]).with_suffix(".html")
        parts: list[str] = []
        for part in page.parts[1:]:
            parts = parts[:-1] if part == ".." else [*parts, part]
        mark = target.partition("#")[2] or (self.demonstration(target).get("id", "") if live else "")
        return f"{self.site}/{'/'.join(parts)}" + (f"#{mark}" if mark else "")

    def demonstration(self, target: str) -> dict[str, str]:
        """Return the options (id, question, guesses) of the demonstration in a chapter; empty where it has none."""
        text = self.sources.get(Path(target).stem, "")
        found = re.search(r"^```\{live\}.*\n((?::.*\n)+)", text, re.M)
        return dict(re.findall(r"^:(\w+): (.*)$", found[1], re.M)) if found else {}

    def diagram(self, name: str) -> str:
        """Return a diagram (``book/lessons/diagrams/...svg``)."""
        return (self.paths.book / "lessons" / name).read_text(encoding="utf-8")

    def example(self, name: str) -> tuple[str, str]:
        """Return figure and description of a worked example, drawn by the notebook's own cell."""
        if not self._examples:
            self._draw_examples()
        if name not in self._examples:
            known = ", ".join(self._examples)
            raise PictureError(f"{self.lesson.name}: no worked example {name!r}; there are: {known}")
        return self._examples[name]

    def _draw_examples(self) -> None:
        import io

        import matplotlib as mpl

        mpl.use("svg", force=True)
        import matplotlib.pyplot as plt

        from seqmix_study.chapters import style

        style.use()
        namespace: dict = {"__name__": "__main__"}
        for figure, source in self.lesson.examples():
            exec(compile(source, f"{self.lesson.path}: {figure.get('name', 'set-up')}", "exec"), namespace)
            if not figure:
                continue
            picture = io.StringIO()
            plt.gcf().savefig(picture, format="svg", bbox_inches="tight", metadata={"Date": None})
            plt.close("all")
            self._examples[figure["name"]] = picture.getvalue(), figure["alt"]
