"""The whole book in one file: PDF through headless Chromium, EPUB through Sphinx."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bs4 import BeautifulSoup

from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix_study.book.build import BuildFailed, run_jupyter_book, slim
from seqmix_study.results.transaction import scratch

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# Pages that nobody reads in a printed book: lists to search, and lessons, which are printed from their slides.
LEFT_OUT = re.compile(r"^document-book/(api|changelog|executed/appendix_runs|lessons/(?!index|project).*)$")

# Settings of Sphinx for a book that is read without scripts and without folding.
EBOOK = {
    "epub_tocscope": "includehidden",
    "epub_css_files": ["ebook.css"],
    "html_theme_options": {"launch_buttons": {}},  # the theme cannot make buttons without its web page around them
}

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
    soup = BeautifulSoup(page, "html.parser")
    for anchor in soup.find_all(id=LEFT_OUT):
        anchor.find_next_sibling("section").decompose()
    for folded in soup.find_all("details"):
        if folded.decomposed:
            continue
        if {"computed", "hide"} & set(folded.get("class", ())):
            folded.decompose()
        else:
            folded["open"] = ""
    soup.html["data-mode"] = soup.html["data-theme"] = "light"
    return str(soup)


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
        run_jupyter_book(paths, "--builder", "custom", "--custom-builder", "epub", output=folder, settings=EBOOK)
        atomic_write(target, next(folder.rglob("*.epub")).read_bytes())
    return target
