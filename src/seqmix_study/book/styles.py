"""Take out of the built book's style sheets and icon fonts what no page uses: a page loads all of them."""

import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

WORD = re.compile(r"[\w-]+")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NOTICE = re.compile(r"^/\*!|icen[sc]e|opyright")
RULE = re.compile(r"([^{}]*)(\{[^{}]*\})")
COMMA = re.compile(r",(?![^(]*\))")
# What may stand in a selector and asks for no class or id: attributes, and what need not or may not be there.
LOOSE = re.compile(r"\[[^]]*\]|:(?:not|is|where)\([^)]*\)")
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")
SHOWN = re.compile(r"content:\"\\([0-9a-f]+)\"")
PACKED_FONT = re.compile(r"url\([^)]*/fa-[^)]*\.woff2\) format\(\"woff2\"\),")


def slim_styles(html: Path) -> None:
    """Keep rules whose classes and ids some page or script names, icons that a rule shows, and notices of licences."""
    texts = (f.read_text(encoding="utf-8", errors="ignore") for end in ("html", "js") for f in html.rglob(f"*.{end}"))
    named = {word for text in texts for word in WORD.findall(text)}
    shown: set[int] = set()
    for file in html.rglob("*.css"):
        css = PACKED_FONT.sub("", slimmed(file.read_text(encoding="utf-8"), named))
        shown |= {int(code, 16) for code in SHOWN.findall(css)}
        file.write_text(css, encoding="utf-8")
    for file in html.rglob("fa-*.ttf"):
        slim_font(file, shown)


def slim_font(file: Path, shown: set[int]) -> None:
    """Keep the characters ``shown`` and the notice; the packed copy beside it goes."""
    keep = subset.Subsetter()
    keep.populate(unicodes=shown)
    with TTFont(file) as font:
        keep.subset(font)
        font.save(file)
    file.with_suffix(".woff2").unlink(missing_ok=True)


def slimmed(css: str, named: set[str]) -> str:
    """Return a style sheet without the selectors that ask for a class or an id outside ``named``."""

    def used(selector: str) -> bool:
        names = NAME.findall(LOOSE.sub("", selector))
        # names that begin with bs- are put together by the theme's script
        return "\\" in selector or all(name in named or name.startswith("bs-") for name in names)

    def kept(rule: re.Match) -> str:
        before, _, selectors = rule[1].rpartition(";")  # @charset and @import stand before
        left = ",".join(filter(used, COMMA.split(selectors)))
        return before + ";" * bool(before) + (left + rule[2] if left.strip() else "")

    return "\n".join(filter(NOTICE.search, COMMENT.findall(css))) + RULE.sub(kept, COMMENT.sub("", css))
