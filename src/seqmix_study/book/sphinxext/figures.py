"""Figures as part of the page: an SVG inside it can be searched and read aloud, and its values can be pointed at.

Other formats (EPUB, PDF by way of the single page) keep the picture in a file of its own.
"""

import html
import re
from pathlib import Path

from docutils import nodes

NAMED = re.compile(r'(\bid="|url\(#|href="#)')
OPENING = re.compile(r"<svg\b[^>]*?(?P<view>viewBox=\"[^\"]*\")[^>]*>", re.DOTALL)
OVER = '<g class="values"'


def inline(picture: str, name: str, alt: str, classes: str) -> str:
    """Return an SVG file as an element of a page: names inside it are its own, its description is ``alt``."""
    body = picture[picture.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    opening = OPENING.match(body)
    drawn, over, values = body[opening.end() :].rpartition("</svg>")[0].partition(OVER)
    drawn = NAMED.sub(rf"\g<1>{name}-", drawn)
    said = f'<g role="img" aria-label="{html.escape(alt)}">{drawn}</g>'
    return f'<svg class="{classes}" xmlns="http://www.w3.org/2000/svg" {opening["view"]}>{said}{over}{values}</svg>'


def put_in(app, doctree: nodes.document, docname: str) -> None:
    """Put the pictures of figures into the page."""
    if app.builder.name != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        file = Path(app.srcdir) / image["uri"]
        if isinstance(image.parent, nodes.figure) and file.suffix == ".svg" and "mpl" in image.get("classes", ()):
            name = next(iter(image.parent["ids"]), file.stem)
            text = inline(file.read_text(encoding="utf-8"), name, image.get("alt", ""), " ".join(image["classes"]))
            image.replace_self(nodes.raw("", text, format="html"))
