"""The plans of the lessons: whole, exercise pages up to date, slides alone in the world."""

import html.parser
import re
from itertools import pairwise

import pytest

from seqmix.paths import Paths
from seqmix_study.book.check_sources import typed_numbers
from seqmix_study.classroom import lesson as source
from seqmix_study.classroom import slides

PATHS = Paths()
NAMES = source.names(PATHS)
LESSONS = {name: source.load(name, PATHS) for name in NAMES}


def plan(name: str) -> str:
    return (PATHS.book / "lessons" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_plan_is_whole(name):
    text = plan(name)
    for section in (
        "## Goals",
        "**Prerequisites**",
        "## The lecture",
        "## Misconceptions",
        "## Discuss",
        "**Compute**",
    ):
        assert section in text
    rows = re.findall(r"^\| (\d+)–(\d+) \|", text, flags=re.M)
    times = [(int(a), int(b)) for a, b in rows]
    assert times[0][0] == 0
    assert times[-1][1] == 120
    assert all(before[1] == after[0] for before, after in pairwise(times))
    optional = re.findall(r"^\| (\d+)–(\d+) \|.*†", text, flags=re.M)
    assert sum(int(b) - int(a) for a, b in optional) == 30  # what the version of 90 minutes leaves out
    wrong = text.partition("## Misconceptions")[2].partition("\n## ")[0]
    assert wrong.count("\n### ") >= 3
    assert all("**Run**" in part or "**See**" in part for part in wrong.split("\n### ")[1:])
    assert text.partition("## Discuss")[2].partition("\n## ")[0].count("\n* ") >= 3
    numbers = {int(n) for n in re.findall(r"exercises? (\d)", text)}
    assert numbers <= set(range(1, len(LESSONS[name].exercises) + 1))
    title = text.splitlines()[0]
    assert title == f"# {LESSONS[name].title}"
    assert len(text.split()) < 900  # about a page, the slides included


@pytest.mark.parametrize("name", NAMES)
def test_exercise_page_is_up_to_date(name):
    page = PATHS.book / "lessons" / "exercises" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == LESSONS[name].page(), "run: seqmix classroom --pages"
    assert typed_numbers(LESSONS[name].page()) == []
    labels = {f"{name}-{exercise}" for exercise in LESSONS[name].exercises}
    assert set(re.findall(r"^:label: (\S+)", LESSONS[name].page(), flags=re.M)) == labels
    assert set(re.findall(r"^::::\{solution\} (\S+)", LESSONS[name].page(), flags=re.M)) == labels


def test_figures_that_plans_point_at_exist():
    chapters = "\n".join(path.read_text(encoding="utf-8") for path in PATHS.notebooks.glob("*.md"))
    named = {figure for name in NAMES for figure in re.findall(r"`(fig-[\w-]+)`", plan(name))}
    assert len(named) > 5
    assert {figure for figure in named if f"name: {figure}," not in chapters} == set()


class Page(html.parser.HTMLParser):
    """Collects what a page opens, what it refers to, and whether every tag is closed."""

    VOID = ("meta", "link", "br", "hr", "img")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.targets, self.ids, self.headings = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.headings += tag in ("h1", "h2")
        self.targets += [value for key, value in attrs if key in ("src", "href", "srcset", "data")]
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_slides_stand_alone(name):
    text = slides.deck(PATHS.book / "lessons" / f"{name}.md")
    page = Page(text)
    assert page.open == []
    assert page.targets == ["data:,"]  # an empty icon, so that the browser does not ask for one
    assert "url(" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert page.headings == text.count("<section") == len(slides.sections(plan(name))) >= 10
    assert 'lang="en"' in text
    assert "For the teacher" not in text
    assert "Before the class" not in text


def test_sections_follow_their_rule():
    text = "# T\nintro\n\n## A\nbody\n\n## B\n\n### B1\none\n\n### B2\ntwo\n\n## C\n% not a slide\nno\n\n### C1\nno\n"
    assert slides.sections(text) == [("", "T", "intro"), ("", "A", "body"), ("B", "B1", "one"), ("B", "B2", "two")]
