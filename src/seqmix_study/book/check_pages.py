"""Checks of the built pages: links and anchors, outside requests, alt text, error outputs, weight."""

import gzip
import re
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

from seqmix.paths import Paths
from seqmix_study.book.build import html_folder
from seqmix_study.book.check_chapters import SHORTEST_ALT
from seqmix_study.book.finding import Finding
from seqmix_study.book.sources import toc_entries

__all__ = ["BUDGET", "check_pages"]

BUDGET = 1_500_000
"""Most bytes, compressed, that the first view of a page may load."""

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "embed": "src",
    "object": "data",
}
LINK_LOADS = {"stylesheet", "preload", "icon", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "shortcut"}
SCRIPT_LOADS = re.compile(r"(?:\bsrc\s*[=:]\s*|\bimport\s*\(?\s*|\bfetch\(\s*|\bfrom\s+)[\"'](?:https?:)?//")
ANCHOR = re.compile(r"""<[^<>]*?\s(?:id|name)=["']([^"']+)["']""")
CSS_LOADS = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])(?:https?:)?//")
OWN = ("book", "notebooks", "results", "studies")
"""Folders whose files a page may offer to take along."""

TEMPLATES = ("_static", "_sources", "_downloads", "_images")


def check_pages(paths: Paths, html: Path | None = None) -> list[Finding]:
    """Check every page under ``html`` (default: the built book); findings name it as it will be in ``_build/html``."""
    html = html or html_folder(paths)
    place = html_folder(paths).relative_to(paths.root)
    toc = yaml.safe_load((paths.root / "_toc.yml").read_text(encoding="utf-8"))
    findings = [
        Finding(Path("_toc.yml"), 1, f"missing page: {entry}.html was not built; run: seqmix book")
        for entry in toc_entries(toc)
        if not (html / f"{entry}.html").is_file()
    ]
    site = Site(html, paths.root)
    for page in site.pages:
        where = place / page.relative_to(html)
        findings += [Finding(where, line, message) for line, message in site.check(page)]
        if str(paths.root) in page.read_text(encoding="utf-8"):
            findings.append(Finding(where, 1, f"the page names a folder of this machine: {paths.root}"))
    for sheet in sorted((html / "_static").rglob("*.css")):
        if CSS_LOADS.search(sheet.read_text(encoding="utf-8", errors="replace")):
            findings.append(Finding(place / sheet.relative_to(html), 1, "style sheet loads something from outside"))
    return findings


class Site:
    """The built pages, each parsed once."""

    def __init__(self, html: Path, root: Path) -> None:
        self.html, self.root = html, root
        pages = sorted(html.rglob("*.html"))
        alike = set(sorted((html / "code").glob("*.html"))[3:])  # made from one template: three speak for all
        self.pages = [p for p in pages if p.relative_to(html).parts[0] not in TEMPLATES and p not in alike]

    @cache  # noqa: B019 - one Site lives as long as one check
    def soup(self, page: Path) -> BeautifulSoup:
        return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")

    @cache  # noqa: B019
    def anchors(self, page: Path) -> set[str]:
        return {unescape(name) for name in ANCHOR.findall(page.read_text(encoding="utf-8"))}

    @cache  # noqa: B019
    def weight(self, file: Path) -> int:
        """Bytes on the wire: compressed if it is text."""
        data = file.read_bytes()
        return len(data) if file.suffix in (".woff2", ".woff", ".png", ".jpg") else len(gzip.compress(data, 6))

    def check(self, page: Path) -> list[tuple[int, str]]:
        """Return (line, message) of everything wrong with a page."""
        soup = self.soup(page)
        wrong = [*self._loads(page, soup), *self._links(page, soup), *_pictures(soup), *_errors(soup), *_active(soup)]
        wrong += self._downloads(page, soup)
        first_view = {page, *self._assets(page, soup)}
        if (bytes_ := sum(self.weight(file) for file in first_view)) > BUDGET:
            wrong.append((1, f"first view weighs {bytes_ / 1e6:.2f} MB compressed, budget {BUDGET / 1e6:.2f} MB"))
        return wrong

    def _loads(self, page: Path, soup) -> list[tuple[int, str]]:
        wrong = []
        for tag, target in _targets(soup):
            if target.startswith(("http:", "https:", "//")):
                wrong.append((tag.sourceline, f"outside request: <{tag.name}> loads {target}"))
            elif not target.startswith("data:") and not self._file(page, target).is_file():
                wrong.append((tag.sourceline, f"missing file: <{tag.name}> loads {target}"))
        for script in soup.find_all("script", src=False):
            if match := SCRIPT_LOADS.search(script.string or ""):
                wrong.append((script.sourceline, f"outside request in a script: {match[0]}..."))
        return wrong

    def _links(self, page: Path, soup) -> list[tuple[int, str]]:
        wrong = []
        for tag in soup.find_all("a", href=True):
            href = tag["href"]
            if urlsplit(href).scheme or href.startswith("//"):
                continue
            target, _, anchor = href.partition("#")
            file = self._file(page, target) if target else page
            if file.is_dir():
                file = file / "index.html"
            if not file.is_file():
                wrong.append((tag.sourceline, f"dead link: {href}"))
            elif anchor and file.suffix == ".html" and unquote(anchor) not in self.anchors(file):
                wrong.append((tag.sourceline, f"dead anchor: {href}"))
        return wrong

    def _downloads(self, page: Path, soup) -> list[tuple[int, str]]:
        """Every file to take along must be one of the book's own."""
        wrong = []
        for tag in soup.select("a.download[href]"):
            file = self._file(page, tag["href"])
            own = (path for folder in OWN for path in (self.root / folder).rglob(file.name))
            if not file.is_file() or not any(path.read_bytes() == file.read_bytes() for path in own):
                wrong.append((tag.sourceline, f"download of a file that is not the book's: {tag['href']}"))
        return wrong

    def _assets(self, page: Path, soup) -> set[Path]:
        files = {self._file(page, target) for _, target in _targets(soup) if not target.startswith(("http", "data:"))}
        return {file for file in files if file.is_file()}

    def _file(self, page: Path, target: str) -> Path:
        return (page.parent / unquote(urlsplit(target).path)).resolve()


def _targets(soup):
    """Yield (tag, address) of everything that a page loads by itself."""
    for name, attribute in LOADS.items():
        for tag in soup.find_all(name):
            if tag.get(attribute):
                yield tag, tag[attribute]
    for tag in soup.find_all("link", href=True):
        if LINK_LOADS & set(tag.get("rel", [])):
            yield tag, tag["href"]


def _pictures(soup) -> list[tuple[int, str]]:
    wrong = []
    for tag in soup.select("article img, main img"):
        alt = (tag.get("alt") or "").strip()
        inside_text = tag.find_parent(class_="cell_output") or tag.find_parent("figure")
        if not alt or re.search(r"\.(png|svg|jpe?g)$", alt):
            wrong.append((tag.sourceline, f"picture without alt text: {tag.get('src')}"))
        elif inside_text and len(alt) < SHORTEST_ALT:
            wrong.append((tag.sourceline, f"alt text shorter than {SHORTEST_ALT} characters: {alt!r}"))
    return wrong


def _active(soup) -> list[tuple[int, str]]:
    """Return what would run in the text of a page: its author writes words, the theme's scripts stand around them."""
    wrong = []
    for tag in soup.select("article *"):
        data = tag.name == "script" and tag.get("type") == "application/json"
        if tag.name in ("script", "iframe", "object", "embed", "base", "meta", "form") and not data:
            wrong.append((tag.sourceline, f"<{tag.name}> in the text of a page"))
        for name, value in tag.attrs.items():
            if name.startswith("on") or str(value).lower().strip().startswith(("javascript:", "vbscript:")):
                wrong.append((tag.sourceline, f"code in the attribute {name} of <{tag.name}>"))
    return wrong


def _errors(soup) -> list[tuple[int, str]]:
    places = soup.select("div.output.traceback, div.output.stderr")
    return [(tag.sourceline, f"error output: {tag.get_text().strip()[:80]}") for tag in places]
