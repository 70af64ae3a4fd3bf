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
import html
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from seqmix_study.classroom.pictures import Pictures
from seqmix_study.results import published

__all__ = ["Slide", "deck", "read"]

SLIDES = "% slides"
LONGEST_CARD = 560
"""Characters of an exercise that fit on a slide; of a longer one the first paragraph is shown."""
MINUTES = re.compile(r"^\*\*(\d+) min\*\*\s*")
FIGURE = re.compile(r"\{numref\}`(fig-[\w-]+)`")
EXAMPLE = re.compile(r"^% example: (\w+)$", re.M)
DIAGRAM = re.compile(r"!\[([^\]]*)\]\((diagrams/[\w-]+\.svg)\)")
EXERCISE = re.compile(r"^% exercise: (\w+)$", re.M)
VERDICTS = re.compile(r"^% verdicts: (.+)$", re.M)
LIVE = re.compile(r"^\*\*Live\*\*: \[[^\]]+\]\(([^)]*)\)\n?", re.M)
MATH = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.S)


@dataclass(frozen=True)
class Slide:
    """One slide as written: part, heading, Markdown of the slide, Markdown of the notes, minutes."""

    part: str
    heading: str
    body: str
    notes: str
    minutes: int

    @property
    def optional(self) -> bool:
        """Whether the shorter version of the lesson leaves it out."""
        return self.heading.endswith("†")


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
    out, minute = [], 0
    for number, slide in enumerate(slides, 1):
        out.append(_slide(number, len(slides), slide, minute, pictures))
        minute += slide.minutes
    here = resources.files(__package__)
    style, script = (here.joinpath(f"slides.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(out)
        + f"\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _slide(number: int, total: int, slide: Slide, minute: int, pictures: Pictures) -> str:
    text, drawn = slide.body, ""
    if match := FIGURE.search(text):
        picture, (caption, link) = pictures.chapter(match[1]), pictures.about(match[1])
        caption = f'{_inline(caption)} <a href="{link}">In the book</a>'
        drawn = _figure(picture, re.sub("<.*?>", "", caption), caption)
        text = "\n\n".join(part for part in re.split(r"\n\s*\n", text) if match[0] not in part)
    elif match := EXAMPLE.search(text):
        picture, alt = pictures.example(match[1])
        drawn, text = _figure(picture, alt, "The worked example in the notebook."), text.replace(match[0], "")
    elif match := DIAGRAM.search(text):
        drawn, text = _figure(pictures.diagram(match[2]), match[1], ""), text.replace(match[0], "")
    layout = "body" + (" with-picture" if drawn and text.strip() else "")
    inside = f'<div class="text">{_html(text, pictures)}</div>' if text.strip() else ""
    level, above = ("h1", "") if number == 1 else ("h2", f'<p class="part">{html.escape(slide.part)}</p>\n')
    return (
        f'<section class="slide" id="slide-{number}" tabindex="-1" data-minute="{minute}">\n{above}'
        f'<{level}>{_inline(slide.heading)}</{level}>\n<div class="{layout}">{inside}{drawn}</div>\n'
        f"<footer>{number} / {total}</footer>\n</section>\n"
        f'<aside class="notes"><p><strong>{slide.minutes} min</strong></p>{_html(slide.notes, pictures)}</aside>'
    )


def _figure(svg: str, alt: str, caption: str) -> str:
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{html.escape(" ".join(alt.split()), quote=True)}">{below}</figure>'


def _html(markdown: str, pictures: Pictures) -> str:
    """Render the Markdown of a slide: formulas become MathML, commands what they stand for, links go to the book."""
    from markdown_it import MarkdownIt

    kept: list[str] = []

    def keep(rendered: str) -> str:
        kept.append(rendered)
        return f"\x02{len(kept) - 1}\x03"

    text = EXERCISE.sub(lambda m: keep(_card(m[1], pictures)), markdown)
    text = VERDICTS.sub(lambda m: keep(_verdicts(m[1].split(), pictures)), text)
    text = re.sub(r"^%.*\n?", "", text, flags=re.M)
    text = MATH.sub(lambda m: keep(_formula(m[1] or m[2], "block" if m[1] else "inline")), text)
    text = re.sub(r"\{[a-z]+\}`([^`<]*?)(?: ?<[^`>]*>)?`", r"\1", text)  # roles: their text
    text = LIVE.sub(lambda m: f"{m[0].rstrip()}\n\n{keep(_guesses(m[1], pictures))}\n", text)
    text = re.sub(r"(\*\*Live\*\*: )?\[([^\]]+)\]\((?!https?:)([^)]*)\)", lambda m: _link(m, pictures), text)
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return re.sub(r"(?:<p>)?\x02(\d+)\x03(?:</p>)?|\x02(\d+)\x03", lambda m: kept[int(m[1] or m[2])], rendered)


def _inline(text: str) -> str:
    text = re.sub(r"\{[a-z]+\}`([^`<]*?)(?: ?<[^`>]*>)?`", r"\1", text)
    parts = re.split(r"(\$.+?\$)", text)
    return "".join(_formula(part[1:-1], "inline") if part[:1] == "$" else html.escape(part) for part in parts)


def _formula(tex: str, display: str) -> str:
    from latex2mathml.converter import convert

    return convert(tex.strip(), display=display)


def _link(match: re.Match, pictures: Pictures) -> str:
    live, text, target = match.groups()
    return f'{live or ""}<a href="{pictures.address(target, live=bool(live))}">{html.escape(text)}</a>'


def _guesses(target: str, pictures: Pictures) -> str:
    """Return question and guesses of a chapter's demonstration, to be voted on before anybody looks."""
    said = pictures.demonstration(target)
    guesses = "".join(f"<li>{html.escape(guess.strip())}</li>" for guess in said.get("guesses", "").split("|"))
    return f'<div class="card"><p>{_inline(said["question"])}</p><ul>{guesses}</ul></div>' if said else ""


def _card(name: str, pictures: Pictures) -> str:
    number, title, body = pictures.lesson.exercise(name)
    first, *more = re.split(r"\n\s*\n", body)
    shown = body if len(body) < LONGEST_CARD and not any("```" in part for part in more) else first
    heading = f"<p><strong>Exercise {number}: {html.escape(title)}</strong></p>"
    return f'<div class="card">{heading}{_html(shown, pictures)}</div>'


def _verdicts(ids: list[str], pictures: Pictures) -> str:
    table = pictures.results / "verdicts.csv"
    if not table.is_file():
        return f"<p>Not judged yet: <code>seqmix findings --tier {table.parent.name}</code></p>"
    rows = published.frame(table, dtype=str).set_index("id")
    if unknown := [name for name in ids if name not in rows.index]:
        raise ValueError(f"{table} has no claim {', '.join(unknown)}")
    cells = [rows.loc[name, ["claim", "verdict"]] for name in ids]
    lines = "".join(f"<tr><td>{html.escape(claim)}</td><td>{html.escape(said)}</td></tr>" for claim, said in cells)
    return f"<table><tr><th>claim</th><th>this study</th></tr>{lines}</table>"
