"""Crawl the built book in headless Chromium: outside requests, console errors, overflow, accessibility, maths.

Usage: python tools/crawl.py [SITE] [--pictures FOLDER]
Needs Chromium (or $SEQMIX_CHROMIUM) and node; installs playwright-core and axe-core from npm beside itself once, under
``.cache/crawl``. Exit codes: 0 clean, 1 findings, 3 the tools are missing.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["playwright-core@1.65.1", "axe-core@4.14.1"]
THEMES_OWN = {"label-content-name-mismatch", "region"}
"""Two findings of axe that are the theme's and minor: the search button's label, a landmark around the menu."""
HARMLESS = "Got invalid theme mode"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", nargs="?", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--page", action="append", help="only this page, e.g. book/index.html (repeatable)")
    parser.add_argument("--pictures", default="-", help="folder for a screenshot of every page and view")
    arguments = parser.parse_args()
    chromium = os.environ.get("SEQMIX_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
    )
    if not chromium or not shutil.which("node"):
        print("crawl: needs Chromium and node; set SEQMIX_CHROMIUM if it has another name", file=sys.stderr)
        return 3
    tools = Path(os.environ.get("SEQMIX_CRAWL_TOOLS", ROOT / ".cache" / "crawl"))
    if not (tools / "node_modules" / "axe-core").is_dir():
        tools.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["npm", "install", "--silent", "--no-save", *PACKAGES], cwd=tools, check=False).returncode:
            print("crawl: npm could not install " + " ".join(PACKAGES), file=sys.stderr)
            return 3
    skip = {"_static", "_sources", "_downloads", "_images", "genindex.html", "index.html"}
    pages = [p.relative_to(arguments.site) for p in sorted(arguments.site.rglob("*.html"))]
    alike = [page for page in pages if page.parts[0] == "code"][3:]  # pages of code differ in their text only
    pages = arguments.page or [str(p) for p in pages if p.parts[0] not in skip and p not in alike]
    environment = os.environ | {"NODE_PATH": str(tools / "node_modules"), "SEQMIX_CHROMIUM": chromium}
    command = ["node", str(ROOT / "tools" / "crawl.js"), str(arguments.site), arguments.pictures, *pages]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(seen) != 3 * len(pages):
        print(done.stderr[-3000:], file=sys.stderr)
        print(f"crawl: the browser stopped after {len(seen)} of {3 * len(pages)} views", file=sys.stderr)
        return 1
    problems = [f"{row['page']} ({row['view']}): {text}" for row in seen for text in wrong(row)]
    print("\n".join([*problems, f"crawl: {len(pages)} pages at 3 views, {len(problems)} findings"]))
    return 1 if problems else 0


def wrong(row: dict) -> list[str]:
    """Return what is wrong with one page at one view."""
    found = [f"outside request {url}" for url in row["outside"]] + [f"answer {text}" for text in row["bad"]]
    found += [f"console: {text}" for text in row["messages"] if HARMLESS not in text]
    found += ["wider than the screen"] if row["overflow"] else []
    found += ["maths not rendered"] if row["maths"] and not row["rendered"] else []
    return found + [f"axe {v['id']}: {v['where']}" for v in row["axe"] if v["id"] not in THEMES_OWN]


if __name__ == "__main__":
    sys.exit(main())
