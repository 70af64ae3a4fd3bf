"""Build the book: Jupyter Book with every warning an error, then take away what no page needs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix_study.book.styles import slim_styles
from seqmix_study.chapters.address import configuration

FONT_SCRIPT = re.compile(
    r'\s*<script[^>]*fontawesome\.js[^>]*></script>|\s*<link[^>]*rel="preload"[^>]*fontawesome\.js[^>]*>'
)
# Roles that ARIA has deprecated, names that hide the words of what they name, and what has no name.
MENDED = {
    r'(<div[^>]*citation[^>]*) role="doc-biblioentry"': "",
    r'(<div) role="list"(?= class="citation)': "",
    r'(<summary) aria-label="Toggle hidden content"': "",
    r'(<button class="btn search-button-field[^>]*) aria-label="Search"': "",
    r'(<summary)(?=><span class="toctree-toggle")': ' aria-label="show or hide the pages beneath"',
    r'(<div id="pst-primary-sidebar")': ' role="complementary" aria-label="contents of the book"',
}
TAGS = re.compile(r"<(script|style|svg|math)\b.*?</\1>|<[^>]+>", re.DOTALL)
SEARCH = '<script src="_static/texts.js"></script><script src="_static/search.js"></script></head>'


class BuildFailed(RuntimeError):
    """Jupyter Book reported warnings or an error; its output was shown."""


def html_folder(paths: Paths) -> Path:
    """Where the built pages are."""
    return paths.build / "html"


def run_jupyter_book(paths: Paths, *arguments: str, output: Path, settings: dict | None = None) -> None:
    """Call ``jupyter-book build`` strictly, with ``settings`` of Sphinx over its own; raises BuildFailed."""
    own = output / "_config.yml"
    output.mkdir(parents=True, exist_ok=True)
    config = configuration(paths)
    config["sphinx"]["config"] |= settings or {}
    own.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(paths.root), "-W", "-n", "--keep-going", "--all", "-q", *arguments]
    command += ["--config", str(own), "--path-output", str(output)]
    # The colour codes and the traceback hint of Sphinx help nobody in a log.
    environment = os.environ | {"NO_COLOR": "1", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    done = subprocess.run(command, cwd=paths.root, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout[-6000:] + done.stderr[-12000:])
        raise BuildFailed(f"jupyter-book failed with exit code {done.returncode}: the warnings above are errors")


def build(paths: Paths) -> Path:
    """Build the HTML book beside the one that is there, and return its folder, to be checked and put in place."""
    beside = paths.build / ".next"
    shutil.rmtree(beside, ignore_errors=True)
    run_jupyter_book(paths, output=beside)
    slim(beside / "_build" / "html")
    return beside / "_build" / "html"


def put_in_place(paths: Paths, html: Path) -> Path:
    """Put a checked book where readers look for it; killed in between, there is the old one, the new one or none."""
    place, old = html_folder(paths), paths.build / ".old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(html, place)
    for folder in (old, html.parents[1]):
        shutil.rmtree(folder, ignore_errors=True)
    return place


def slim(html: Path) -> None:
    """Delete source maps, the icon script (the web font draws the same icons), unused styles, temporary files."""
    for path in {*html.rglob("*.map"), *html.rglob("fontawesome*.js*")}:
        path.unlink()
    texts = {}
    for page in sorted(html.rglob("*.html")):
        text = FONT_SCRIPT.sub("", page.read_text(encoding="utf-8"))
        for pattern, better in MENDED.items():
            text = re.sub(pattern, rf"\1{better}", text)
        searched = page == html / "search.html"
        page.write_text(text.replace("</head>", SEARCH) if searched else text, encoding="utf-8")
        if html / "book" in page.parents:
            texts[page.relative_to(html).as_posix()] = words(text)
    shutil.rmtree(html / ".doctrees", ignore_errors=True)
    slim_styles(html)
    if (html / "search.html").is_file():
        atomic_write(html / "_static/texts.js", f"const TEXTS = {json.dumps(texts, separators=(',', ':'))};")


def words(page: str) -> str:
    """Return the words of a page, for a search on a disk: there no page may fetch another to show what was found."""
    article = page.partition("<article")[2].partition("</article>")[0]
    return " ".join(TAGS.sub(" ", f"<{article}").split())
