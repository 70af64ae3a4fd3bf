"""Take out of the built book's style sheets what no page uses: a page loads all of them."""

import re
from pathlib import Path

WORD = re.compile(r"[\w-]+")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NOTICE = re.compile(r"^/\*!|icen[sc]e|opyright")
RULE = re.compile(r"([^{}]*)(\{[^{}]*\})")
COMMA = re.compile(r",(?![^(]*\))")
# What may stand in a selector and asks for no class or id: attributes, and what need not or may not be there.
LOOSE = re.compile(r"\[[^]]*\]|:(?:not|is|where)\([^)]*\)")
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")


def slim_styles(html: Path) -> None:
    """Keep the rules whose classes and ids some page or script names, and notices of licences."""
    texts = (f.read_text(encoding="utf-8", errors="ignore") for end in ("html", "js") for f in html.rglob(f"*.{end}"))
    named = {word for text in texts for word in WORD.findall(text)}
    for file in html.rglob("*.css"):
        file.write_text(slimmed(file.read_text(encoding="utf-8"), named), encoding="utf-8")


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
