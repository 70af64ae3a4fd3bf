"""``code/<module>.html``: the source of every module as a page of the book, with a number at every line.

A reader gets from a run's configuration to the code that it ran without leaving the book, and without network.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import seqmix

PACKAGES = [Path(seqmix.__file__).parent, Path(__file__).resolve().parents[2]]
# Subpackages that no run consists of: the command line.
SKIP = {"commands"}
# What pygments puts before every line: a link without words, that a screen reader would read out.
EMPTY_LINK = re.compile(r'<a id="(L-\d+)"[^>]*></a>')


def modules() -> dict[str, Path]:
    """Return module name -> file of every module that has a page."""
    found = {}
    for package in PACKAGES:
        for file in sorted(package.rglob("*.py")):
            parts = file.relative_to(package.parent).with_suffix("").parts
            if not file.name.startswith("_") and not SKIP & set(parts):
                found[".".join(parts)] = file
    return found


def address(module: str, line: int = 0) -> str:
    """Return the address of a module's page, from the root of the book; ``line`` > 0: of that line."""
    return f"code/{module}.html" + (f"#L-{line}" if line else "")


def pages(app) -> Iterator[tuple[str, dict, str]]:
    """Yield the pages as Sphinx wants them: name, context, template."""
    if app.builder.name != "html":
        return
    for module, file in modules().items():
        source = file.read_text(encoding="utf-8")
        shown = app.builder.highlighter.highlight_block(source, "python", lineanchors="L", location=module)
        shown = EMPTY_LINK.sub(r'<span id="\1"></span>', shown)
        title = html.escape(module)
        body = f'<h1>{title}</h1><p>Module by module: <a href="../book/api.html">the packages</a>.</p>{shown}'
        yield address(module).removesuffix(".html"), {"title": title, "body": body, "parents": []}, "page.html"
