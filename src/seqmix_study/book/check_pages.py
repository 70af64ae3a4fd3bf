"""Checks of the built pages: links and anchors, outside requests, alt text, code and files of nobody, weight."""

import gzip
import re
from collections.abc import Iterator
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from seqmix.paths import Paths
from seqmix_study.book.build import html_folder

# Most bytes of a page, and of all that its first view loads (compressed).
LARGEST = 1_500_000

# What a page loads by itself.
LOADS = "[src], object[data], link[href]:not([rel~=next], [rel~=prev], [rel~=search], [rel~=index], [rel~=author])"

SCRIPT_LOADS = re.compile(r"(?:\bsrc\s*[=:]\s*|\bimport\s*\(?\s*|\bfetch\(\s*|\bfrom\s+)[\"'](?:https?:)?//")
ANCHOR = re.compile(r"""<[^<>]*?\s(?:id|name)=["']([^"']+)["']""")
# Folders whose files a page may offer to take along.
OWN = ("book", "notebooks", "results", "studies")

# What may not stand in the text of a page: its author writes words, the theme's scripts stand around them.
ACTIVE = "article :is(script:not([type='application/json']), iframe, object, embed, base, meta, form)"

PACKED = (".woff2", ".woff", ".png", ".jpg")
TEMPLATES = ("_static", "_sources", "_downloads", "_images")


def check_pages(paths: Paths, html: Path | None = None) -> list[str]:
    """Check every page under ``html`` (default: the built book); return "file:line: what is wrong".

    Files are named as they will be in ``_build/html``.
    """
    html = html or html_folder(paths)
    place, site = html_folder(paths).relative_to(paths.root), Site(paths.root)
    alike = sorted((html / "code").glob("*.html"))[3:]  # made from one template: three speak for all
    pages = {page for page in html.rglob("*.html") if page.relative_to(html).parts[0] not in TEMPLATES}
    return sorted(
        f"{(place / page.relative_to(html)).as_posix()}:{line}: {message}"
        for page in pages.difference(alike)
        for line, message in site.check(page)
    )


class Site:
    """The built pages; what many of them share is read once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cache  # noqa: B019 - one Site lives as long as one check
    def anchors(self, page: Path) -> set[str]:
        return {unescape(name) for name in ANCHOR.findall(page.read_text(encoding="utf-8"))}

    @cache  # noqa: B019
    def weight(self, file: Path) -> int:
        """Bytes on the wire: compressed if it is text."""
        data = file.read_bytes()
        return len(data) if file.suffix in PACKED else len(gzip.compress(data, 6))

    def check(self, page: Path) -> Iterator[tuple[int, str]]:
        """Yield (line, message) of everything wrong with a page."""
        text = page.read_text(encoding="utf-8")
        soup = BeautifulSoup(text, "html.parser")
        if (size := page.stat().st_size) > LARGEST:
            yield 1, f"the page has {size / 1e6:.2f} MB, a page may have {LARGEST / 1e6:.2f} MB"
        if str(self.root) in text:
            yield 1, f"the page names a folder of this machine: {self.root}"
        yield from self._loads(page, soup)
        yield from self._links(page, soup)
        yield from self._downloads(page, soup)
        yield from _text(soup)

    def _loads(self, page: Path, soup: BeautifulSoup) -> Iterator[tuple[int, str]]:
        files = {page}
        for tag in soup.select(LOADS):
            target = tag.get("src") or tag.get("data") or tag.get("href")
            if target.startswith(("http:", "https:", "//")):
                yield tag.sourceline, f"outside request: <{tag.name}> loads {target}"
            elif not target.startswith("data:"):
                files.add(file := _file(page, target))
                if not file.is_file():
                    yield tag.sourceline, f"missing file: <{tag.name}> loads {target}"
        for script in soup.find_all("script", src=False):
            if match := SCRIPT_LOADS.search(script.string or ""):
                yield script.sourceline, f"outside request in a script: {match[0]}..."
        if (weight := sum(self.weight(file) for file in files if file.is_file())) > LARGEST:
            yield 1, f"first view weighs {weight / 1e6:.2f} MB compressed, a page may have {LARGEST / 1e6:.2f} MB"

    def _links(self, page: Path, soup: BeautifulSoup) -> Iterator[tuple[int, str]]:
        for tag in soup.find_all("a", href=lambda href: href and not (urlsplit(href).scheme or href.startswith("//"))):
            target, _, anchor = tag["href"].partition("#")
            file = _file(page, target) if target else page
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                yield tag.sourceline, f"dead link: {tag['href']}"
            elif anchor and file.suffix == ".html" and unquote(anchor) not in self.anchors(file):
                yield tag.sourceline, f"dead anchor: {tag['href']}"

    def _downloads(self, page: Path, soup: BeautifulSoup) -> Iterator[tuple[int, str]]:
        """Every file to take along must be one of the book's own."""
        for tag in soup.select("a.download[href]"):
            file = _file(page, tag["href"])
            own = (path for folder in OWN for path in (self.root / folder).rglob(file.name))
            if not file.is_file() or not any(path.read_bytes() == file.read_bytes() for path in own):
                yield tag.sourceline, f"download of a file that is not the book's: {tag['href']}"


def _file(page: Path, target: str) -> Path:
    return (page.parent / unquote(urlsplit(target).path)).resolve()


def _text(soup: BeautifulSoup) -> Iterator[tuple[int, str]]:
    """Yield pictures without description, and what would run in the text of a page."""
    for tag in soup.select("article img, main img"):
        if not tag.get("alt", "").strip() or re.search(r"\.(png|svg|jpe?g)$", tag["alt"]):
            yield tag.sourceline, f"picture without alt text: {tag.get('src')}"
    for tag in soup.select(ACTIVE):
        yield tag.sourceline, f"<{tag.name}> in the text of a page"
    for tag in soup.select("article *"):
        for name, value in tag.attrs.items():
            if name.startswith("on") or str(value).lower().strip().startswith(("javascript:", "vbscript:")):
                yield tag.sourceline, f"code in the attribute {name} of <{tag.name}>"
