"""The plans of the lessons: whole, exercise pages up to date, slides with notes and figures, alone in the world."""

import ast
import html.parser
import importlib
import json
import re
import shutil
import subprocess
from itertools import pairwise

import pytest
from click.testing import CliRunner

from seqmix import study
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.book.formats import FLAGS, find_chromium
from seqmix_study.book.sphinxext.roles import stated
from seqmix_study.classroom import lesson as source
from seqmix_study.classroom import slides
from seqmix_study.classroom.pictures import Pictures
from seqmix_study.findings import questions

PATHS = Paths()
NAMES = source.names(PATHS)
LESSONS = {name: source.load(name, PATHS) for name in NAMES}
SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 700"><rect width="700" height="700"/></svg>'


class Unexecuted(Pictures):
    """Figures of chapters are squares here: executing the chapters takes minutes."""

    def chapter(self, name: str) -> str:
        if name not in self.captions:
            raise LookupError(f"no chapter has a figure {name!r}")
        return SQUARE


@pytest.fixture(scope="module")
def decks():
    return {name: slides.deck(page(name), Unexecuted(LESSONS[name], PATHS)) for name in NAMES}


def page(name: str):
    return PATHS.book / "lessons" / f"{name}.md"


def plan(name: str) -> str:
    return page(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_plan_is_whole(name):
    text = plan(name)
    for section in ("## Goals", "**Prerequisites**", "## Misconceptions", "## Discuss", "**Compute**", "## Homework"):
        assert section in text
    assert text.splitlines()[0] == f"# {LESSONS[name].title}"
    found = slides.read(text)
    assert sum(slide.minutes for slide in found) == 120
    assert (
        sum(slide.minutes for slide in found if slide.heading.endswith("†")) == 30
    )  # what the version of 90 minutes leaves out
    rows = re.findall(r"^\| `(\d+)–(\d+)` \| (.+?) \|", text, flags=re.M)
    assert [(part, int(b) - int(a)) for a, b, part in rows] == [
        (part, sum(slide.minutes for slide in found if slide.part == part))
        for part in dict.fromkeys(slide.part for slide in found)
    ]
    assert all(before[1] == after[0] for before, after in pairwise(rows))
    wrong = text.partition("## Misconceptions")[2].partition("\n## ")[0]
    assert wrong.count("\n### ") >= 3
    assert all("**Run**" in part or "**See**" in part for part in wrong.split("\n### ")[1:])
    assert text.partition("## Discuss")[2].partition("\n## ")[0].count("\n* ") >= 3
    numbers = {int(n) for n in re.findall(r"exercises? (\d)", text)}
    assert numbers <= set(range(1, len(LESSONS[name].exercises) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_slides_hold_what_a_lesson_needs(name, decks):
    found, text = slides.read(plan(name)), decks[name]
    bodies = "\n".join(slide.body for slide in found)
    assert 25 <= text.count('<section class="slide') == len(found) + 2 <= 40
    assert text.count("<figure>") >= 8
    assert len(slides.FIGURE.findall(bodies)) >= 5
    asked = slides.COMMAND.findall(bodies)
    assert sum(what == "example" for what, _ in asked) >= 3
    assert len(slides.DIAGRAM.findall(bodies)) == 1
    assert bodies.count("**Live**: ") == 1
    assert text.count("<math ") >= 3
    assert {which for what, which in asked if what == "exercise"} == set(LESSONS[name].exercises)
    assert all("**Ask**" in slide.notes and len(slide.notes) > 40 for slide in found)
    assert text.count('<aside class="notes">') == text.count('<section class="slide')


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_says_what_the_rows_say(name):
    text, captions = plan(name), Pictures(LESSONS[name], PATHS).captions
    said = re.findall(r"\{says\}`([^`]+)`", text)
    assert said or name == "speed"
    for statement in said:
        assert stated(statement, PATHS) in statement
    untuned = {figure for figure, (_, caption) in captions.items() if "nothing here is a result" in caption}
    for slide in slides.read(text):
        if untuned & set(slides.FIGURE.findall(slide.body)):
            assert "invalid>`" in slide.notes, slide.heading
    for point in re.findall(r"^\* \*\*See\*\*.*(?:\n  .*)*", text, flags=re.M):
        if untuned & set(re.findall(r"fig-[\w-]+", point)):
            assert "untuned" in point or "invalid>`" in point, point


@pytest.mark.parametrize("name", NAMES)
def test_exercise_page_is_up_to_date_and_holds_no_solution(name):
    text = (PATHS.book / "lessons" / "exercises" / f"{name}.md").read_text(encoding="utf-8")
    assert text == LESSONS[name].page(), "run: seqmix classroom"
    labels = {f"{name}-{exercise}" for exercise in LESSONS[name].exercises}
    assert set(re.findall(r"^:label: (\S+)", text, flags=re.M)) == labels
    assert LESSONS[name].solution_lines() & {line.strip() for line in text.splitlines()} == set()


@pytest.mark.parametrize("name", NAMES)
def test_worked_examples_stand_before_exercises_and_predictions_apart(name):
    cells, examples, texts = LESSONS[name].notebook.cells, 0, {}
    current = ""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if match := source.EXERCISE.search(cell.source):
            assert examples, "an exercise stands before the first worked example"
            current = match["label"]
            texts[current] = match["body"], []
        examples += "example" in tags
        if "solution" in tags:
            texts[current][1].append((tags, cell.source))
    assert examples >= 3
    asking = {label: code for label, (body, code) in texts.items() if "**Predict" in body}
    assert asking or name == "context"
    for code in asking.values():
        tags, first = code[0]
        assert "prediction" in tags
        assert not re.search(r"\bdef |print|observed", first)
        assert not any("prediction" in line for _, text in code[1:] for line in text.splitlines())


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"speed"}))
def test_live_cells_train_as_many_models_as_the_plan_says(name):
    cell = next(c.source for c in LESSONS[name].notebook.cells if "live" in c.metadata.get("tags", []))
    calls = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.Call)]
    call = next(node for node in calls if getattr(node.func, "attr", "") == "evidence")
    asked = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    tier, seeds = asked.pop("tier", "quick"), asked.pop("seeds", 1)
    overrides = {key.replace("__", "."): value for key, value in asked.items()}
    runs = study.plan(ast.literal_eval(call.args[0]), tier, seeds=seeds, overrides=overrides)
    words = {4: "four", 6: "six", 12: "twelve"}
    assert f"trains {words[len({run.run_id for run in runs})]} tiny models" in " ".join(plan(name).split())
    steps = sum(run.train.steps * run.train.batch_size * run.data.seq_len for run in runs)
    assert steps < 5_000_000  # tokens: minutes on two cores


class Page(html.parser.HTMLParser):
    """Collects what a page opens, what it refers to, and whether every tag is closed."""

    VOID = ("meta", "link", "br", "hr", "img", "mspace", "mprescripts", "none")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.sources, self.links, self.ids = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.sources += [value for key, value in attrs if key in ("src", "srcset", "data")]
        self.links += [value for key, value in attrs if key == "href"]
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag == "img":
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_slides_stand_alone_and_link_into_the_book(name, decks):
    text = decks[name]
    found = Page(text)
    assert found.open == []
    assert all(each.startswith("data:") for each in found.sources)
    assert len(found.ids) == len(set(found.ids))
    assert "url(" not in text
    assert "@import" not in text
    assert 'lang="en"' in text
    assert "For the teacher" not in text
    links = [link for link in found.links if link != "data:,"]
    assert len(links) >= 6
    for link in links:
        assert link.startswith("../../_build/html/book/")
        place = link.removeprefix("../../_build/html/").partition("#")[0].removesuffix(".html")
        folder, _, chapter = place.rpartition("/")
        assert (PATHS.root / f"{place}.md").is_file() or (
            folder == "book/executed" and (PATHS.notebooks / f"{chapter}.md").is_file()
        )


def test_a_slide_without_notes_is_refused():
    text = "# T\n\n## A\n% slides\n\n### One\nbody\n\n> **3 min** Say. **Ask**: why?\n\n## B\n\n### Not a slide\nx\n"
    assert [(s.part, s.heading, s.body, s.minutes) for s in slides.read(text)] == [("A", "One", "body", 3)]
    with pytest.raises(ValueError, match="slide 'One': notes are missing"):
        slides.read(text.replace("> **3 min** ", "> "))


def test_an_unknown_figure_is_named_with_those_that_exist():
    pictures = Pictures(LESSONS["scaling"], PATHS)
    with pytest.raises(LookupError, match=r"no chapter has a figure 'fig-nothing'; figures: fig-"):
        pictures.chapter("fig-nothing")
    assert set(pictures.examples) >= {"floor"}


def test_links_to_demonstrations_find_them_in_the_chapter(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").write_text("title: T\n", encoding="utf-8")
    (tmp_path / "notebooks" / "scaling.md").write_text("x\n```{live} scaling\n:id: ask-doctor\n```\n", encoding="utf-8")
    pictures = Pictures(LESSONS["scaling"], Paths(tmp_path))
    assert pictures.address("../executed/scaling.ipynb", live=True).endswith("/book/executed/scaling.html#ask-doctor")
    assert pictures.address("../executed/scaling.ipynb").endswith("/book/executed/scaling.html")
    assert pictures.address("project.md").endswith("/book/lessons/project.html")


def test_slides_ask_for_the_chapters_that_they_show():
    assert slides.chapters(["recall"], PATHS) == ["recall"]
    assert slides.chapters(["layers", "scaling"], PATHS) == ["flaws", "inside", "layers", "scaling"]


MEASURE = """<script>
const wrong = [];
document.body.classList.remove('one');
for (const slide of document.querySelectorAll('.slide')) {
  const box = slide.getBoundingClientRect(), foot = slide.querySelector('footer').getBoundingClientRect().top;
  for (const part of slide.querySelectorAll('h1, h2, p, li, figure, img, table, math, .card')) {
    const at = part.getBoundingClientRect();
    const out = at.right > box.right || at.left < box.left || at.bottom > foot + 2;
    if (at.width && out) wrong.push(slide.id);
  }
  const text = slide.querySelector('.text');
  const more = (inside, box) => inside > box + 2;
  if (text && (more(text.scrollWidth, text.clientWidth) || more(text.scrollHeight, text.clientHeight))) {
    wrong.push(slide.id);
  }
  const picture = slide.querySelector('img');
  if (picture && picture.getBoundingClientRect().height < 180) wrong.push(slide.id + ' small');
}
document.body.innerHTML = '<pre id="measured">' + JSON.stringify(wrong) + '</pre>';
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")
@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows_a_slide(name, decks, tmp_path):
    file = tmp_path / "deck.html"
    file.write_text(decks[name].replace("</body>", MEASURE), encoding="utf-8")
    command = [find_chromium(), *FLAGS, f"--user-data-dir={tmp_path}/profile", "--window-size=1280,720", "--dump-dom"]
    done = subprocess.run([*command, file.as_uri()], capture_output=True, text=True, check=True, timeout=120)
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
    assert json.loads(re.search(r'id="measured">(.*?)</pre>', done.stdout)[1]) == []


def test_a_figure_is_that_of_the_book(monkeypatch, tmp_path):
    monkeypatch.setattr(Paths, "executed", property(lambda self: tmp_path))
    with pytest.raises(FileNotFoundError, match="fig-scaling-gap"):
        Pictures(LESSONS["scaling"], PATHS).chapter("fig-scaling-gap")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "fig-scaling-gap.svg").write_text(SQUARE, encoding="utf-8")
    assert Pictures(LESSONS["scaling"], PATHS).chapter("fig-scaling-gap") == SQUARE


def test_stale_chapters_are_refused(monkeypatch):
    module = importlib.import_module("seqmix_study.book.check_chapters")
    monkeypatch.setattr(
        module, "check_chapters", lambda paths, names: ["notebooks/scaling.md:1: stale chapter: results"]
    )
    for words in (["scaling"], ["scaling", "--pdf"]):
        result = CliRunner().invoke(main, ["classroom", *words])
        assert result.exit_code == 2
        assert "stale chapter" in result.output


def test_tall_figures_have_the_height_of_a_slide(decks):
    assert len(re.findall(r'class="slide tall"', decks["scaling"])) == 5  # figures of chapters are squares here


@pytest.mark.parametrize("topic", ["memory", "convolution", "order"])
def test_a_topic_of_the_project_can_be_planned_and_judged(topic, tmp_path):
    project = PATHS.notebooks / "lessons"
    shutil.copytree(PATHS.studies, tmp_path / "studies")
    shutil.copy(project / "student" / "studies" / f"trial_{topic}.yaml", tmp_path / "studies")
    runs = study.plan(f"trial_{topic}", "quick", paths=Paths(tmp_path))
    asked = questions.load(project / "solutions" / f"trial_{topic}.yaml")
    (question,) = asked.questions.values()
    sides = {side.where["arm"]: side for side in (question.first, question.second)}
    assert {run.arm for run in runs} == set(sides)
    assert {side.best_of for side in sides.values()} == {"lr"}
    for arm in sides:  # the same care for both: seeds and learning rates
        own = [run for run in runs if run.arm == arm]
        assert len({run.seed for run in own}) >= asked.rules.seeds
        assert len({run.train.lr for run in own}) >= 2
    first, second = asked.claims
    assert second.opposite_of == first.id
    form = (project / "student" / "project" / "questions.yaml").read_text(encoding="utf-8")
    assert "..." in form
    assert not any(arm in form for arm in sides)
