"""Copy the needed part of MathJax 3 from the package ``sphinx-mathjax-offline`` into the built book.

The package's own extension would copy 24 MB; the TeX input with HTML output and its fonts are 2 MB.
"""

import shutil
from importlib import metadata
from pathlib import Path

__all__ = ["copy_mathjax", "setup"]

NEEDED = ("tex-mml-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def copy_mathjax(target: Path) -> None:
    """Copy script, fonts and TeX extensions into ``target``; raises PackageNotFoundError if the package is missing."""
    source = Path(metadata.distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax"))
    for part in NEEDED:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target / part)


def _finish(app, exception) -> None:
    if exception is None and app.builder.format == "html":
        copy_mathjax(Path(app.outdir) / "_static" / "mathjax")


def setup(app) -> None:
    """Copy after the pages are written."""
    app.connect("build-finished", _finish)
