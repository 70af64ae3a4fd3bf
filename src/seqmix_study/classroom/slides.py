"""A lesson plan as slides: one HTML file, no outside request, readable without JavaScript, printable, a page a slide.

The source is ``book/lessons/NAME.md``, the same file that is the plan's page in the book. The title and every ``## ``
section are slides, except those whose heading is followed by ``% not a slide``; in a section that holds ``### ``
headings, each of these begins a slide of its own. (nbconvert's slides fetch reveal.js from the network, so they are not
used.)
"""

import html
import re
from pathlib import Path

__all__ = ["deck", "sections"]

NOT_A_SLIDE = "% not a slide"

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --mark: #0b5c8f; --line: #c8c8c8 }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --paper: #14181c; --mark: #7cc4f5; --line: #444 } }
* { box-sizing: border-box }
html { scroll-snap-type: y proximity; scroll-behavior: smooth }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.5rem/1.45 system-ui, sans-serif }
section { min-height: 100vh; scroll-snap-align: start; padding: 6vh 8vw 9vh; position: relative; display: flex;
  flex-direction: column; justify-content: center; border-bottom: 1px solid var(--line) }
section:focus { outline: none } section:focus-visible { outline: 3px solid var(--mark); outline-offset: -6px }
h1 { font-size: 2.6rem } h1, h2 { line-height: 1.15; color: var(--mark); margin: 0 0 .6em } h2 { font-size: 2rem }
.part { color: var(--mark); font-size: 1rem; margin: 0 }
li { margin: .35em 0 } p { margin: .5em 0 } a { color: var(--mark) }
table { border-collapse: collapse; font-size: 1.15rem } th, td { border: 1px solid var(--line); padding: .3em .6em;
  text-align: left; vertical-align: top }
code { font-size: .88em } pre { overflow-wrap: anywhere; white-space: pre-wrap; border-left: 4px solid var(--mark);
  padding-left: .8em }
footer { position: absolute; bottom: 2vh; right: 3vw; font-size: 1rem }
@media (max-width: 40rem) { body { font-size: 1.1rem } section { padding: 5vh 6vw 8vh } h1, h2 { font-size: 1.6rem } }
@media print { section { min-height: 0; height: 100vh; break-after: page; border: 0 } }
"""

SCRIPT = """
const all = [...document.querySelectorAll('section')];
const here = () => all.reduce((best, s, i) => Math.abs(s.getBoundingClientRect().top)
  < Math.abs(all[best].getBoundingClientRect().top) ? i : best, 0);
const go = n => {
  const s = all[Math.max(0, Math.min(all.length - 1, n))]; s.scrollIntoView(); s.focus({preventScroll: true});
};
addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const step = {ArrowRight: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, PageUp: -1}[e.key];
  if (step) { e.preventDefault(); go(here() + step) }
  else if (e.key === 'Home') { e.preventDefault(); go(0) }
  else if (e.key === 'End') { e.preventDefault(); go(all.length - 1) }
});
"""


def sections(text: str) -> list[tuple[str, str, str]]:
    """Return the slides of a page as (part, heading, Markdown); the part is empty where it is the heading."""
    chunks = re.split(r"^(#{1,3}) (.+)\n", text, flags=re.M)
    slides, part, skipping = [], "", False
    for level, heading, body in zip(chunks[1::3], chunks[2::3], chunks[3::3], strict=True):
        heading, body = heading.strip(), body.strip()
        if len(level) < 3:
            part, skipping = ("" if level == "#" else heading), body.startswith(NOT_A_SLIDE)
            if not skipping and body:
                slides.append(("", heading, body))
        elif not skipping:
            slides.append((part, heading, body))
    return slides


def deck(page: Path) -> str:
    """Return the slides of a lesson plan as one HTML page."""
    found = sections(page.read_text(encoding="utf-8"))
    if not found:
        raise ValueError(f"{page} has no slides: it needs '## ' sections")
    title = found[0][1]
    parts = [_slide(number, len(found), *slide) for number, slide in enumerate(found, 1)]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts) + f"\n</main>\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _slide(number: int, total: int, part: str, heading: str, body: str) -> str:
    level = "h1" if number == 1 else "h2"
    above = f'<p class="part">{html.escape(part)}</p>\n' if part else ""
    return (
        f'<section id="slide-{number}" tabindex="-1" aria-labelledby="heading-{number}">\n{above}'
        f'<{level} id="heading-{number}">{html.escape(heading)}</{level}>\n{_html(body)}'
        f"<footer>{number} / {total}</footer>\n</section>"
    )


def _html(markdown: str) -> str:
    """Render the Markdown that lesson plans use; MyST comments and links within the book are left out."""
    from markdown_it import MarkdownIt

    text = re.sub(r"^%.*\n?", "", markdown, flags=re.M)
    text = re.sub(r"\{[a-z]+\}`([^`<]*?)(?: ?<[^`>]*>)?`", r"*\1*", text)  # roles such as {doc}`text <target>`
    text = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"*\1*", text)
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
