"""The project's own pages, configuration and table of contents, and the rule that no number is typed."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

from seqmix.paths import Paths
from seqmix_study.book.sources import chapters_in_toc
from seqmix_study.chapters import address

ROOT = Path(__file__).resolve().parents[1]


FOLDERS = ("book", "book/lessons", "book/lessons/exercises", "notebooks")
PAGES = [page for folder in FOLDERS for page in sorted((ROOT / folder).glob("*.md"))]
NO_PROSE = re.compile(
    r"\A---\n.*?\n---\n|^(```+|~~~+).*?^\1\s*$|^%.*?$|(`+)[^`]+?\2|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)\s]*\)|https?://\S+"
    r"|\b\d{4}-\d\d-\d\d\b|Python \d\.\d+|arXiv:\s?\d{4}\.\d{4,5}",
    re.DOTALL | re.MULTILINE,
)
"""Front matter, code and roles, comments, formulas, addresses, dates, versions."""
DIGITS = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?!\w)")


def typed_numbers(text: str) -> list[str]:
    """Return numerals of three or more significant digits in prose; years and powers of two are free."""
    found = DIGITS.findall(NO_PROSE.sub(" ", text))
    digits = {number: number.partition("e")[0].replace(",", "").replace(".", "").strip("0") for number in found}
    free = {str(n) for n in (*range(1900, 2101), *(2**k for k in range(7, 25)))}
    return [number for number in found if len(digits[number]) > 2 and number.replace(",", "") not in free]


@pytest.mark.parametrize(
    "text",
    ["in 2024", "256 tokens and 1024 more", "95 percent of 300 steps", "`0.12345`", "$0.12345$", "{said}`4.055`",
     "[x](a-1.234.html)", "Python 3.11", "from 2026-11-20", "```\n1.2345\n```", "step 5,000"],
)  # fmt: skip
def test_some_numbers_may_be_typed(text):
    assert typed_numbers(text) == []


@pytest.mark.parametrize("number", ["3.14", "0.125", "12,345", "1.23e-4", "2.75"])
def test_a_typed_number_is_found(number):
    assert typed_numbers(f"one\n\nloss of {number} nats\n") == [number]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "changelog.md"], ids=lambda page: page.stem)
def test_no_measured_number_is_typed_into_prose(page):
    """It comes from a table by the role val or row, or is marked with said as a source's own."""
    assert typed_numbers(page.read_text(encoding="utf-8")) == []


class TestOwnFiles:
    """The project's own configuration and table of contents."""

    def test_configuration_is_valid(self):
        from jupyter_book.config import validate_yaml

        validate_yaml(yaml.safe_load((ROOT / "_config.yml").read_text()), raise_on_errors=True, print_func=print)

    def test_nothing_points_to_a_repository_while_its_address_is_not_set(self, tmp_path):
        """The address stands in one place; every button and badge follows it."""
        text = (ROOT / "_config.yml").read_text()
        home = "https://github.com/somebody/study"
        for url in ("", home):
            (tmp_path / "_config.yml").write_text(re.sub(r"(?m)^  url: .*$", f'  url: "{url}"', text))
            config = address.configuration(Paths(tmp_path))
            buttons = [name for name, value in config["html"].items() if name.endswith("_button") and value]
            assert bool(url) == ("launch_buttons" in config) == bool(buttons), buttons
        own = yaml.safe_load(text)["repository"]["url"]
        pages = [*ROOT.glob("*.md"), ROOT / "CITATION.cff", *ROOT.glob("book/*.md"), *ROOT.glob("notebooks/**/*.md")]
        for page in pages:
            for found in re.findall(r"https://\S*(?:/seqmix|mybinder|colab|shields)\S*", page.read_text()):
                assert found.startswith(own or "nowhere"), f"{page.name}: {found}"

    def test_configuration_has_only_known_keys(self):
        known = {"title", "author", "copyright", "only_build_toc_files", "exclude_patterns", "execute", "parse", "html",
                 "repository", "launch_buttons", "bibtex_bibfiles", "sphinx", "logo"}  # fmt: skip
        assert set(yaml.safe_load((ROOT / "_config.yml").read_text())) <= known

    def test_table_of_contents_lists_files_that_exist(self):
        entries = list(parse_toc_yaml(ROOT / "_toc.yml"))
        assert len(entries) > 5
        for entry in entries:
            if not entry.startswith("book/executed/"):
                assert (ROOT / f"{entry}.md").is_file(), entry

    def test_every_chapter_and_page_has_its_place_and_every_place_its_chapter(self):
        sources = {path.stem for path in (ROOT / "notebooks").glob("*.md")}
        assert sources == set(chapters_in_toc(Paths(ROOT)))
        entries = list(parse_toc_yaml(ROOT / "_toc.yml"))
        assert {f"book/{page.stem}" for page in (ROOT / "book").glob("*.md")} <= set(entries)

    def test_styles_load_nothing_from_outside(self):
        for sheet in (path for path in (ROOT / "book/static").rglob("*.*") if path.suffix != ".png"):
            assert not re.search(r"url\(\s*[\"']?https?:|@import", sheet.read_text()), textwrap.shorten(str(sheet), 60)
