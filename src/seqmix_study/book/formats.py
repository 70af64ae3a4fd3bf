"""The whole book in one file: PDF through headless Chromium, EPUB through Sphinx."""

import os
import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from posixpath import dirname, join, normpath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from bs4 import BeautifulSoup

from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix_study.book.build import BuildFailed, run_jupyter_book, slim
from seqmix_study.results.transaction import scratch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Pages that nobody reads in a printed book: lists to search, and lessons, which are printed from their slides.
LEFT_OUT = re.compile(r"^document-book/(api|changelog|executed/appendix_runs|lessons/(?!index|project).*)$")

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def find_chromium() -> str | None:
    """Return the path of a Chromium: ``$SEQMIX_CHROMIUM``, or the first of the usual names."""
    named = os.environ.get("SEQMIX_CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


def build_pdf(paths: Paths) -> Path:
    """Print all pages as one PDF; raises BuildFailed if there is no Chromium."""
    target = paths.build / "seqmix.pdf"
    with scratch() as folder:
        run_jupyter_book(paths, "--builder", "singlehtml", output=folder)
        single = folder / "_build" / "singlehtml"
        slim(single)
        # The root document is book/index, but its links are written as from the top: print a copy that stands there.
        page = single / "all.html"
        page.write_text(on_paper((single / "book/index.html").read_text(encoding="utf-8")), encoding="utf-8")
        print_page(page.as_uri(), target, "--virtual-time-budget=20000", "--generate-pdf-document-outline")
    return target


def on_paper(page: str) -> str:
    """Return the single page as it is printed: what is code or a computed list is left out, the rest is unfolded."""
    soup = without_lists(page)
    for anchor in soup.find_all(id=LEFT_OUT):
        anchor.find_next_sibling("section").decompose()
    for folded in soup.find_all("details"):
        folded["open"] = ""
    soup.html["data-mode"] = soup.html["data-theme"] = "light"
    return str(soup)


def without_lists(page: str) -> BeautifulSoup:
    """Return a page without its code and computed lists."""
    soup = BeautifulSoup(page, "html.parser")
    for folded in soup.select("details.computed, details.hide"):
        if not folded.decomposed:
            folded.decompose()
    return soup


def print_page(address: str, target: Path, *flags: str) -> None:
    """Print a page as PDF; raises BuildFailed if there is no Chromium, or if it cannot."""
    browser = find_chromium()
    if browser is None:
        raise BuildFailed("a PDF needs Chromium: install it, or name it in SEQMIX_CHROMIUM")
    with scratch() as profile:
        command = [browser, *FLAGS, *flags, f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        printed = Path(profile, "printed.pdf")
        command += [f"--print-to-pdf={printed}", address]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode or not printed.is_file():
            raise BuildFailed(f"Chromium could not print {address}:\n{done.stderr[-2000:]}")
        atomic_write(target, printed.read_bytes())


def build_epub(paths: Paths) -> Path:
    """Build one EPUB; raises BuildFailed."""
    target = paths.build / "seqmix.epub"
    with scratch() as folder:
        plain = {"html_theme_options": {"launch_buttons": {}}}  # the theme makes them for its own web page alone
        run_jupyter_book(paths, "--builder", "custom", "--custom-builder", "epub", output=folder, settings=plain)
        atomic_write(target, for_readers(next(folder.rglob("*.epub")).read_bytes()))
    return target


def for_readers(book: bytes) -> bytes:
    """Return an EPUB as strict readers accept it: no code, and every link leads to something in the book."""
    with ZipFile(BytesIO(book)) as old:
        files = {name: old.read(name) for name in old.namelist()}
    texts = {name: data.decode() for name, data in files.items() if re.match(r"(book/|gen).*\.xhtml$", name)}
    pages = {name: without_lists(text) for name, text in texts.items()}
    for soup in pages.values():
        for tag in soup.select("svg.sd-octicon"):  # nothing is to be pressed
            tag.decompose()
        for tag in soup.select("#exercise-content, [role=doc-biblioentry]"):  # a name given twice, a role that is gone
            del tag["role" if tag.get("role") else "id"]
    uses = {"_static/cover.png": "cover-image"}
    anchors = {name: {tag["id"] for tag in soup.select("[id]")} for name, soup in pages.items()}
    for name, soup in pages.items():
        for tag in soup.select("[href]:not([href*=':'])"):
            path, _, anchor = re.sub(r"\.html(?=#|$)", ".xhtml", tag["href"]).partition("#")
            file = normpath(join(dirname(name), path)) if path else name
            if file not in files:
                tag.decompose() if tag.name == "link" else tag.unwrap()
            else:
                tag["href"] = path + (f"#{anchor}" if anchor in anchors.get(file, ()) else "") or "#"
        files[name] = str(soup).encode()
        if soup.find("math"):
            uses[name] = "mathml"
    for name, use in uses.items():
        entry, said = f'href="{name}" media-type="[^"]+"', rf'\g<0> properties="{use}"'
        files["content.opf"] = re.sub(entry.encode(), said.encode(), files["content.opf"])
    files["_static/study.css"] = re.sub(rb"@page .*", b"", files["_static/study.css"])  # corners of a sheet of paper
    with ZipFile(mended := BytesIO(), "w", ZIP_DEFLATED) as new:
        for name, data in files.items():
            new.writestr(name, data, ZIP_STORED if name == "mimetype" else ZIP_DEFLATED)
    return mended.getvalue()
