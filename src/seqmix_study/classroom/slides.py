"""A lesson as slides: one HTML file, no outside request, printable, one page per slide, with notes for the speaker.

The source is ``book/lessons/NAME.md``, the same file that is the lesson's page in the book. Every ``### `` heading of a
section that begins with ``% slides`` is a slide; the ``## `` heading above is its part. A slide may hold

    {numref}`fig-NAME`            a figure of the book, drawn from the committed tables by its chapter's own cell
    % example: NAME               the figure of a worked example of the lesson's notebook
    ![text](diagrams/NAME.svg)    a diagram
    % exercise: NAME              number, title and text of an exercise
    % verdicts: 0.1 0.4           what the study found about these claims (results/TIER/verdicts.csv)
    **Live**: [text](page)        a link to the demonstration in that chapter, with its question and its guesses

and ends with a block quote: ``> **3 min** What to say. **Ask**: ...``, the speaker's notes. (nbconvert's slides fetch
reveal.js from the network, so they are not used.)
"""

import base64
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin

from seqmix.paths import Paths
from seqmix_study.chapters.common import template
from seqmix_study.chapters.rows import PUBLISHED
from seqmix_study.classroom.pictures import Pictures, figures
from seqmix_study.findings import study

SLIDES = "% slides"
# Characters of an exercise that fit on a slide; of a longer one the first paragraph is shown.
LONGEST_CARD = 560
MINUTES = re.compile(r"^\*\*(\d+) min\*\*\s*")
FIGURE = re.compile(r"\{numref\}`(fig-[\w-]+)`")
DIAGRAM = re.compile(r"!\[([^\]]*)\]\((diagrams/[\w-]+\.svg)\)")
LIVE = re.compile(r"^\*\*Live\*\*: \[[^\]]+\]\(([^)]*)\)", re.M)
COMMAND = re.compile(r"^% (\w+): (.+)\n?", re.M)
SIZE = re.compile(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"')
ROLE = re.compile(r"\{[a-z]+\}`([^`<]*?)(?: ?<[^`>]*>)?`")
LINK = re.compile(r"(\*\*Live\*\*: )?\[([^\]]+)\]\((?!https?:)([^)]*)\)")


@dataclass(frozen=True)
class Slide:
    """One slide as written: part, heading, Markdown of the slide, Markdown of the notes, minutes."""

    part: str
    heading: str
    body: str
    notes: str
    minutes: int


def read(text: str) -> list[Slide]:
    """Return the slides of a lesson's page; raises ValueError naming a slide without notes or minutes."""
    chunks = re.split(r"^(#{2,3}) (.+)\n", text, flags=re.M)
    slides, part, inside = [], "", False
    for level, heading, body in zip(chunks[1::3], chunks[2::3], chunks[3::3], strict=True):
        if level == "##":
            part, inside = heading.strip(), body.strip().startswith(SLIDES)
        elif inside:
            lines = body.strip().splitlines()
            notes = "\n".join(line[1:].strip() for line in lines if line.startswith(">"))
            shown = "\n".join(line for line in lines if not line.startswith(">")).strip()
            if not (match := MINUTES.match(notes)):
                raise ValueError(f"slide {heading!r}: notes are missing, as in '> **3 min** Say ... **Ask**: ...'")
            slides.append(Slide(part, heading.strip(), shown, notes[match.end() :], int(match[1])))
    return slides


def deck(page: Path, pictures: Pictures) -> str:
    """Return the slides of a lesson's page as one HTML page; raises ValueError or KeyError for what is not there."""
    text = page.read_text(encoding="utf-8")
    title, slides = text.splitlines()[0][2:], read(text)
    if not slides:
        raise ValueError(f"{page} has no slides: no section begins with {SLIDES!r}")
    goals = text.partition("## Goals\n")[2].partition("\n## ")[0]
    parts = dict.fromkeys(slide.part for slide in slides)
    plan = "\n".join(f"* {part}: {sum(s.minutes for s in slides if s.part == part)} minutes" for part in parts)
    first = Slide("", title, goals, "Show while people come in. **Ask**: which of these could you do today?", 0)
    plan_notes = "Say when the break is; slides marked † may be left out. **Ask**: which part do you expect to be hard?"
    slides = [first, Slide("", "Plan", plan, plan_notes, 0), *slides]
    starts = itertools.accumulate((slide.minutes for slide in slides), initial=0)
    shown = [_shown(slide, pictures) | {"minute": minute} for slide, minute in zip(slides, starts, strict=False)]
    return template("slides.html", __package__).render(title=title, slides=shown)


def chapters(names: Iterable[str], paths: Paths) -> list[str]:
    """Return the chapters whose figures the slides of these lessons show."""
    shown = [f for n in names for f in FIGURE.findall((paths.book / "lessons" / f"{n}.md").read_text(encoding="utf-8"))]
    return sorted({chapter for figure, (chapter, _) in figures(paths).items() if figure in shown})


def _shown(slide: Slide, pictures: Pictures) -> dict[str, Any]:
    """Return what the template shows of a slide: what it names is drawn and looked up, its texts are HTML."""
    asked = dict(COMMAND.findall(slide.body))
    text, svg, found = slide.body, "", {"part": slide.part, "minutes": slide.minutes}
    if match := FIGURE.search(text):
        svg, (caption, found["link"]) = pictures.chapter(match[1]), pictures.about(match[1])
        found["alt"] = found["caption"] = _inline(caption)
        text = "\n\n".join(part for part in re.split(r"\n\s*\n", text) if match[0] not in part)
    elif "example" in asked:
        svg, found["alt"] = pictures.examples[asked["example"]]
        found["caption"] = "The worked example in the notebook."
    elif match := DIAGRAM.search(text):
        svg, found["alt"] = (pictures.paths.book / "lessons" / match[2]).read_text(encoding="utf-8"), match[1]
        text = text.replace(match[0], "")
    width, height = (float(found) for found in SIZE.search(svg).groups()) if svg else (1, 0)
    found["tall"] = height > 0.75 * width
    if "exercise" in asked:
        number, title, body = pictures.lesson.exercise(asked["exercise"])
        first, *more = re.split(r"\n\s*\n", body)
        whole = len(body) < LONGEST_CARD and not any("```" in part for part in more)
        found["exercise"] = number, title, _html(body if whole else first, pictures)
    if "verdicts" in asked:
        found["verdicts"] = study.verdicts(PUBLISHED, pictures.paths).loc[asked["verdicts"].split()].to_dict("records")
    if (match := LIVE.search(text)) and (live := pictures.demonstration(match[1])):
        found["question"], found["guesses"] = _inline(live["question"]), live["guesses"].split("|")
    texts = {"heading": _inline(slide.heading), "text": _html(text, pictures), "notes": _html(slide.notes, pictures)}
    return found | texts | {"picture": base64.b64encode(svg.encode()).decode()}


def _formula(tex: str, how: dict[str, bool]) -> str:
    from latex2mathml.converter import convert

    return convert(tex.strip(), display="block" if how["display_mode"] else "inline")


MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=_formula, double_inline=True)


def _html(text: str, pictures: Pictures) -> Markup:
    """Render Markdown: formulas become MathML, roles their text, links go to the book."""

    def linked(match: re.Match) -> str:
        return f"{match[1] or ''}[{match[2]}]({pictures.address(match[3], live=bool(match[1]))})"

    return Markup(MARKDOWN.render(LINK.sub(linked, ROLE.sub(r"\1", COMMAND.sub("", text)))))


def _inline(text: str) -> Markup:
    return Markup(MARKDOWN.renderInline(ROLE.sub(r"\1", text)))
