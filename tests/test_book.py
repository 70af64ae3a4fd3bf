"""The book builds strictly and reads offline; every way of breaking it is found, with file and line."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import click
import nbformat
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont
from sphinx_external_toc.parsing import parse_toc_yaml

from seqmix.paths import Paths
from seqmix_study.book import build, stamp
from seqmix_study.book.check_chapters import check_chapters
from seqmix_study.book.check_pages import check_pages
from seqmix_study.book.executed import publish
from seqmix_study.book.formats import build_epub, build_pdf, find_chromium, for_readers, on_paper
from seqmix_study.commands import book
from seqmix_study.results import published

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter about zymurgy

**Question.** What rises?

Maths $x^2$, a term {term}`nats`, a source {cite:t}`kaplan2020`, a figure {numref}`fig-rise`.

```{code-cell} ipython3
:tags: [parameters]

tier: str = "quick"  # how much is trained [one of: quick, laptop, gpu]
```

```{code-cell} ipython3
---
tags: [remove-input]
mystnb:
  figure: {name: fig-rise, caption: A line that rises.}
---
import matplotlib.pyplot as plt
import pandas as pd
from seqmix_study.chapters import show, style

style.use()
figure, axis = plt.subplots()
data = pd.DataFrame({"x": [1, 2], "loss": [3.25, 4.5]})
axis.plot(data["x"], data["loss"], color=style.look("lstm_1").colour)
alt = "The loss of a one-layer LSTM rises from 3.25 to 4.5 between x = 1 and x = 2."
show.show("fig-rise", figure, data, alt)
```
"""


TEST_CHAPTERS = [{"file": "book/executed/zymurgy"}, {"file": "book/executed/scaling"}]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"SEQMIX_ROOT": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seqmix_study", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


CRAWL_TOOLS = Path(os.environ.get("SEQMIX_CRAWL_TOOLS", ROOT / ".cache" / "crawl"))
SMALL = ["-p", "steps", "2", "-p", "seeds", "1", "-p", "arms", "transformer,lstm", "-p", "sizes", "d16"]
"""The scaling chapter, trained for real but only for two steps."""


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The project's own pages around a chapter that is trained (two steps a run) and a made-up one, end to end."""
    folder = tmp_path_factory.mktemp("study")
    for name in ("_config.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("executed"))
    front = folder / "book/index.md"
    text = front.read_text().replace(":link: lessons/index", ":link: which")  # lessons are built end to end
    front.write_text(re.sub(r"^scaling: .*$", "zymurgy:", text, flags=re.MULTILINE))
    shutil.copytree(ROOT / "studies", folder / "studies")
    shutil.copytree(ROOT / "results", folder / "results")
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks/scaling.md", folder / "notebooks")
    (folder / "notebooks/zymurgy.md").write_text(CHAPTER)
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    for part in toc["parts"]:
        part["chapters"] = [c for c in part["chapters"] if not c["file"].startswith("book/executed/")]
    toc["parts"] = [part for part in toc["parts"] if part["chapters"] and part["caption"] != "Teach"]
    toc["parts"].insert(1, {"caption": "Test", "numbered": True, "chapters": TEST_CHAPTERS})
    for gone in set(re.findall(r"book/executed/(\w+)", (ROOT / "_toc.yml").read_text())) - {"scaling"}:
        _drop_references(folder, gone)
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    done = run(folder, "run", "all", *SMALL)
    assert done.returncode == 0, done.stderr
    done = run(folder, "book")
    assert done.returncode == 0, done.stderr
    return folder


def _drop_references(project: Path, chapter: str) -> None:
    """Pages may link to chapters that the small project does not have."""
    for page in [*(project / "book").rglob("*.md"), project / "notebooks/scaling.md"]:
        text = page.read_text()
        text = re.sub(rf"\[([^\]]+)\]\((?:[^)]*/)?{chapter}\.ipynb[^)]*\)", r"\1", text)
        text = re.sub(rf"{{doc}}`([^`<]*)<(?:[^`>]*/)?{chapter}>`", r"\1", text)
        text = re.sub(rf"{{numref}}`[^`]*fig-{chapter}-[^`]*`", "a figure", text)
        text = re.sub(rf"```{{image}} [^\n]*fig-{chapter}-.*?```\n", "", text, flags=re.DOTALL)
        page.write_text(re.sub(rf"{{doc}}`(?:[^`]*executed/)?{chapter}`", chapter, text))


@pytest.fixture
def copy(built, tmp_path) -> Path:
    """A copy of the built project, to break."""
    return Path(shutil.copytree(built, tmp_path / "study"))


@pytest.fixture
def build_book(monkeypatch):
    """Return ``seqmix book`` in this process, for a project that it must refuse: Sphinx is never started."""

    def call(folder: Path) -> None:
        monkeypatch.setenv("SEQMIX_ROOT", str(folder))
        book.command.main([], standalone_mode=False)

    monkeypatch.setattr(build, "run_jupyter_book", None)
    return call


def page(folder: Path, name: str = "book/executed/zymurgy") -> BeautifulSoup:
    return BeautifulSoup((folder / "_build/html" / f"{name}.html").read_text(), "html.parser")


def test_the_icon_font_holds_what_the_styles_show_and_little_else(built):
    static = built / "_build/html/_static"
    shown = {
        int(code, 16)
        for css in static.rglob("*.css")
        for code in re.findall(r'content:"\\(f[0-9a-f]{3})"', css.read_text())
    }
    (solid,) = static.rglob("fa-solid-*")
    assert 5 < len(shown) < 100
    assert solid.stat().st_size < 20_000
    assert not list(static.rglob("fa-*.woff2"))
    with TTFont(solid) as font:
        held = set(font.getBestCmap())
    assert 0xF002 in held  # the magnifying glass of the search
    assert held <= shown | set(range(256))


def test_who_shares_the_front_page_shows_its_title_description_and_card(built):
    soup = page(built, "book/index")
    said = {tag.get("property") or tag.get("name"): tag["content"] for tag in soup.select("meta[content]")}
    assert len(said["og:title"]) > 10
    assert 50 < len(said["description"]) == len(said["og:description"])
    assert (built / "_build/html/book" / said["og:image"]).is_file()


def test_the_book_is_whole(built):
    found = [*check_chapters(Paths(built)), *check_pages(Paths(built))]
    assert [str(finding) for finding in found] == []


def test_the_trained_chapter_is_in_the_book_with_figures_and_their_numbers(built):
    soup = page(built, "book/executed/scaling")
    figures = soup.select("figure")
    assert len(figures) >= 2
    for figure in figures:
        assert len(figure.svg.g["aria-label"]) >= 40  # part of the page, with a description
        assert figure.figcaption
    links = [link["href"] for link in soup.select(".figure-tools a[href$=csv]")]
    tables = [pd.read_csv(built / "_build/html/book/executed" / link) for link in links]
    assert len(tables) == len(figures)
    assert all({"Architecture", "estimate"} <= set(table.columns) for table in tables)
    assert all({"row", "run_id"} & set(table.columns) for table in tables), "a point is a row of findings or a run"
    assert len(list((built / "runs").glob("*/outcome.json"))) >= 2


def test_a_second_build_has_nothing_to_do_until_something_changes(built):
    paths, done = Paths(built), run(built, "book")
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stdout
    for name in ("book/which.md", "book/executed/scaling.ipynb", "_build/html/book/which.html", "_toc.yml"):
        before = (built / name).read_bytes()
        (built / name).write_bytes(before + b"\n")
        assert not stamp.is_built(paths, stamp.made_from(paths)), name
        (built / name).write_bytes(before)
    (built / "build.log").write_text("what the command printed", "utf-8")
    assert stamp.is_built(paths, stamp.made_from(paths))
    (built / "_build/.stamp").write_text("{")
    assert not stamp.is_built(paths, stamp.made_from(paths))


def test_every_figure_has_alt_text_caption_number_and_its_data(built):
    soup = page(built)
    figure = soup.find("figure")
    assert "rises from 3.25 to 4.5" in figure.svg.g["aria-label"]
    assert "A line that rises." in figure.figcaption.text
    assert re.search(r"Fig\. \d\.1", figure.figcaption.text)
    link = soup.select_one(".figure-tools a.download")
    data = pd.read_csv(built / "_build/html/book/executed" / link["href"])
    assert data["loss"].tolist() == [3.25, 4.5]
    assert "seqmix run zymurgy" in soup.select_one(".figure-tools").text


def test_the_front_page_has_a_card_with_the_question(built):
    soup = page(built, "book/index")
    card = next(c for c in soup.select(".headlines .sd-card") if "zymurgy" in c.text)
    assert "What rises?" in card.text
    assert len(card.img["alt"]) >= 40


def test_the_parameters_are_shown_once(built):
    text = page(built).get_text()
    assert "how much is trained" in text
    assert "parameters" not in [tag.text for tag in page(built).select("div.cell_input")]


def test_formulas_need_neither_script_nor_network(built):
    text = (built / "_build/html/book/executed/zymurgy.html").read_text()
    assert "<math" in text
    assert not re.search(r"<script[^>]*mathjax", text, re.IGNORECASE)


def test_search_finds_words_of_the_notebook(built):
    html = built / "_build/html"
    assert "zymurgi" in (html / "searchindex.js").read_text()
    words = json.loads((html / "_static/texts.js").read_text().removeprefix("const TEXTS = ").removesuffix(";"))
    assert "zymurgy" in words["book/executed/zymurgy.html"], "a page on a disk shows what was found, too"
    assert not any("<" in text for text in words.values())
    assert "_static/texts.js" in (html / "search.html").read_text()


def test_the_executed_notebook_can_be_downloaded_and_opens(built):
    link = page(built).select_one("a.btn-download-source-button")
    notebook = json.loads((built / "_build/html/book/executed" / link["href"]).read_text())
    assert any("rises" in str(cell.get("outputs")) for cell in notebook["cells"])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (("notebooks/zymurgy.md", "Maths", "Changed maths"), r"notebooks/zymurgy\.md:1: stale chapter: source"),
        (("_toc.yml", "executed/zymurgy", "executed/gone"), r"notebooks/gone\.md:1: .*no chapter"),
        (("book/executed/zymurgy.ipynb", "3.25 to 4.5", "2.25 to 4.5"), r"zymurgy\.ipynb was changed"),
        (("book/executed/figures/fig-rise.csv", "3.25", "2.25"), r"fig-rise\.csv was changed"),
        (("book/executed/zymurgy.run.json", '.ipynb": "', '.ipynb": "0'), r"zymurgy\.run\.json: .*its seal differs"),
    ],
)  # fmt: skip
def test_a_broken_source_or_chapter_is_found(copy, damage, says, build_book):
    file, old, new = damage
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    assert any(re.search(says, str(finding)) for finding in check_chapters(Paths(copy)))
    with pytest.raises(click.ClickException):  # and the build refuses, before it starts
        build_book(copy)


def test_error_outputs_missing_numbers_and_missing_chapters_are_found(copy):
    path = copy / "book/executed/zymurgy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook["cells"] if c.get("outputs"))
    del cell["metadata"]["mystnb"]["figure"]["caption"], cell["metadata"]["mystnb"]["image"]["alt"]
    cell["outputs"] += [
        {"output_type": "error", "ename": "ValueError", "evalue": "on purpose", "traceback": []},
        {"output_type": "stream", "name": "stderr", "text": "a warning\n"},
    ]
    notebook = nbformat.from_dict(notebook)
    publish(notebook, {}, path)
    found = [str(finding) for finding in check_chapters(Paths(copy))]
    line = CHAPTER[: CHAPTER.rindex("```{code-cell}")].count("\n") + 1
    for message in (
        "error output: ValueError: on purpose",
        "error stream: a warning",
        "alt text",
        "without caption",
    ):
        assert any(f.startswith(f"notebooks/zymurgy.md:{line}: ") and message in f for f in found), message
    path.unlink()
    path.with_suffix(".run.json").unlink()
    assert any("missing chapter" in str(finding) for finding in check_chapters(Paths(copy)))


BROKEN = {
    '<script src="https://cdn.example.org/x.js"></script>': "outside request",
    '<script>import("https://cdn.example.org/y.js")</script>': "outside request in a script",
    '<a href="nowhere.html">x</a>': "dead link",
    '<a href="../glossary.html#no-such-term">x</a>': "dead anchor",
    '<article><img src="../../_static/favicon.svg" alt="x.png"></article>': "without alt text",
    '<img src="gone.png" alt="a picture">': "missing file",
}


def test_a_broken_page_is_found_with_its_line_and_one_that_is_too_large(copy):
    path = copy / "_build/html/book/executed/zymurgy.html"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "<article" in line) + 1
    path.write_text("\n".join([*lines[:at], *BROKEN, *lines[at:]]))
    heavy, large = copy / "_build/html/book/glossary.html", copy / "_build/html/book/bibliography.html"
    (copy / "_build/html/_static/big.png").write_bytes(os.urandom(1_600_000))
    heavy.write_text(heavy.read_text().replace("</main>", '<img src="../_static/big.png" alt="noise"></main>'))
    large.write_text(large.read_text() + " " * 1_500_000)
    found = [str(finding) for finding in check_pages(Paths(copy))]
    for number, says in enumerate(BROKEN.values(), start=at + 1):
        where = f"_build/html/book/executed/zymurgy.html:{number}: "
        assert any(one.startswith(where) and says in one for one in found), (where, says, found)
    for name, says in (("glossary", "weighs"), ("bibliography", "the page has")):
        assert any(name in one and says in one and "a page may have 1.50 MB" in one for one in found)


@pytest.mark.skipif(
    find_chromium() is None or shutil.which("node") is None or not (CRAWL_TOOLS / "node_modules/axe-core").is_dir(),
    reason="no browser, or its tools were not installed by make crawl",
)
def test_a_browser_finds_nothing_and_sees_what_is_broken(copy):
    crawl = [sys.executable, str(ROOT / "tools/crawl.py"), str(copy / "_build/html")]
    pages = ["--page", "book/index.html", "--page", "book/executed/zymurgy.html"]
    environment = os.environ | {"SEQMIX_CRAWL_TOOLS": str(CRAWL_TOOLS)}
    done = subprocess.run([*crawl, *pages], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    path = copy / "_build/html/book/glossary.html"
    broken = '<div style="width:3000px">x</div><img src="https://example.org/x.png"><script>throw Error("odd")</script>'
    path.write_text(path.read_text().replace("<article", broken + "<article", 1))
    done = subprocess.run(
        [*crawl, "--page", "book/glossary.html"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    for problem in ("wider than the screen", "outside request https://example.org/x.png", "odd", "axe image-alt"):
        assert problem in done.stdout


def test_numbers_come_from_tables_and_sphinx_warnings_stop_the_build(copy):
    """One build: what it can say is right, what it cannot say stops it, and the checked book stays where it is."""
    table = "study,arm,loss\nother,lstm,2.125\nother,lstm,2.375\n"
    published.write(copy / "results/laptop", {"extra.csv": table})
    with (copy / "book/method.md").open("a") as handle:
        handle.write('\nMean {val}`extra:arm == "lstm":loss.mean:.3f`, n {val}`extra:loss > 0:arm.count`.\n')
        handle.write("\nA dead {doc}`nowhere`, a missing number {val}`extra:loss > 9:loss.max:.2f`.\n")
    before = page(copy, "book/method").text
    done = run(copy, "book")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "no row of extra.csv fulfils" in done.stderr
    assert page(copy, "book/method").text == before
    refused = BeautifulSoup((copy / "_build/.next/_build/html/book/method.html").read_text(), "html.parser")
    assert [tag.text for tag in refused.select(".measured")][:2] == ["2.250", "2"]


def test_epub_holds_all_pages(built, tmp_path):
    folder = Path(shutil.copytree(built, tmp_path / "study"))
    with zipfile.ZipFile(build_epub(Paths(folder))) as book:
        pages = {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xhtml")}
        (contents,) = (book.read(name).decode() for name in book.namelist() if name.endswith(".opf"))
        (cover,) = re.findall(r'href="([^"]+)"[^>]*properties="cover-image"', contents)
        assert any(name.endswith(cover) for name in book.namelist())
    entries = list(parse_toc_yaml(folder / "_toc.yml"))
    assert [entry for entry in entries if f'href="{entry}.xhtml"' not in pages["nav.xhtml"]] == []
    assert any("<math" in text for text in pages.values())
    for name, text in pages.items():
        ElementTree.fromstring(re.sub(r"&[a-z]+;", "", text))  # what a reader's device refuses raises here
        assert not re.search(r"\\[(\[]|<script", text), name


def test_a_strict_reader_finds_every_link_of_an_epub():
    page = """<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head>
    <link href="../_static/gone.css" rel="stylesheet"/></head><body><details class="hide"><summary><p>code</p></summary>
    </details><math><mi>x</mi></math><section id="exercise-content"/><section id="exercise-content"/><i id="there"/>
    <a href="two.html#there">1</a><a href="two.html#gone">2</a><a href="../code/a.html">3</a><a href="https://a.b">4</a>
    </body></html>"""
    entry = '<item href="book/{}.xhtml" media-type="application/xhtml+xml"{}/>'
    files = {"mimetype": "application/epub+zip", "book/one.xhtml": page, "book/two.xhtml": page.replace("math", "p")}
    files |= {"content.opf": entry.format("one", "") + entry.format("two", ""), "_static/study.css": "a {}\n@page {}\n"}
    with zipfile.ZipFile(made := io.BytesIO(), "w") as book:
        for name, text in files.items():
            book.writestr(name, text)
    with zipfile.ZipFile(io.BytesIO(for_readers(made.getvalue()))) as book:
        seen = {name: book.read(name).decode() for name in book.namelist()}
        assert book.infolist()[0].compress_type == zipfile.ZIP_STORED
    assert list(seen) == list(files)
    assert re.findall('href="(.*?)"', seen["book/one.xhtml"]) == ["two.xhtml#there", "two.xhtml", "https://a.b"]
    assert [text for text in ("code", "exercise-content") if text in seen["book/one.xhtml"]] == []
    assert seen["content.opf"] == entry.format("one", ' properties="mathml"') + entry.format("two", "")
    assert "@page" not in seen["_static/study.css"]
    ElementTree.fromstring(seen["book/one.xhtml"])


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")
def test_pdf_holds_all_pages(copy):
    assert build_pdf(Paths(copy)).read_bytes().startswith(b"%PDF")


def test_paper_holds_the_argument_and_no_lists_for_a_computer():
    page = """<html data-mode=""><body><span id="document-book/api"></span><section>functions</section>
    <span id="document-book/executed/scaling"></span><section><details class="hide above-input">code</details>
    <details class="computed">rows<details>inside</details></details><details class="claim">a rule</details></section>
    <span id="document-book/lessons/index"></span><section>teach</section>
    <span id="document-book/lessons/exercises/speed"></span><section>an exercise</section></body></html>"""
    printed = on_paper(page)
    assert [word for word in ("functions", "code", "rows", "an exercise") if word in printed] == []
    assert [word for word in ("a rule", "teach") if word not in printed] == []
    assert 'open=""' in printed
    assert 'data-mode="light"' in printed
