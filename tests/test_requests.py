"""Wrong requests, over all commands: exit code 2, what is wrong is named, nothing is trained and nothing is left."""

import contextlib

import pytest
from click.testing import CliRunner

from data_corpus import at, document
from fake_records import config
from seqmix_study.__main__ import main
from seqmix_study.runs import checks, launch
from seqmix_study.runs.job import Queue
from test_plan_cli import project  # noqa: F401 (a fixture)

HOSTILE = "a\x1b[2J\u202e\x9b31m\nseqmix: all is well"

HARVESTS = (("compost", 5), ("lime", 3))
QUESTIONS = """
columns: {arm: fertiliser, corpus: field, seed: plot, size: none}
questions:
  gain: {asks: "Compost or lime?", estimator: difference, value: harvest, first: compost, second: lime, margin: 0.2}
claims:
  - {id: merchant, claim: Compost beats lime., all: [{question: gain}], corpora: 1}
"""

WRONG = [
    (("train", "nope"), "known: tiny"),
    (("train",), "STUDY"),
    (("train", "tiny", "--tier", "huge"), "it has: quick"),
    (("train", "tiny", "--jobs", "-1"), "-1"),
    (("train", "tiny", "--jobs", "two"), "two"),
    (("train", "tiny", "--engine", "cloud"), "'local', 'ray', 'slurm'"),
    (("train", "tiny", "--only", "nothing"), "it has: main, more"),
    (("train", "tiny", "--budget-minutes", "nan"), "integer"),
    (("train", "tiny", "--budget-minutes", "1.5"), "integer"),
    (("train", "tiny", "--budget-minutes", "0"), "0"),
    (("train", "tiny", "--engine", "slurm"), "sbatch"),
    (("train", "tiny", "--sead", "3"), "--sead"),
    (("plan", "nope"), "known: tiny"),
    (("plan", "tiny", "--tier", "huge"), "it has: quick"),
    (("plan", "tiny", "--jobs", "0"), "0"),
    (("plan", "tiny", "--only", "nothing"), "it has: main, more"),
    (("status", "nope"), "known: tiny"),
    (("status", "tiny", "--tier", "huge"), "it has: quick"),
    (("collect", "nope"), "known: tiny"),
    (("collect", "tiny", "--tier", "huge"), "it has: quick"),
    (("compare", "--tier", "huge"), "'quick', 'laptop', 'gpu'"),
    (("verify", "--sample", "0"), "0"),
    (("verify", "--tier", "quick"), "publish the tier first"),
    (("verify", "--jobs", "0"), "0"),
    (("verify", "--tier", "huge"), "'quick', 'laptop', 'gpu'"),
    (("pack", "runs.zip"), "ends in .tar.xz"),
    (("unpack", __file__), "ends in .tar.xz"),
    (("export", "/etc", "x"), "no run folder /etc"),
    (("run", "nope"), "no chapter 'nope'"),
    (("run", "nope", "--jobs", "0"), "0"),
    (("run", "nope", "--jobs", "999"), "999"),
    (("run", "nope", "-p", "tier", "quick", "-p", "tier", "gpu"), "given twice"),
    (("run", "nope", "--tier", "quick", "-p", "tier", "gpu"), "given twice"),
    (("run", "nope", "--fresh", "--no-train"), "do not go together"),
    (("unpack", "/nowhere.tar.xz"), "does not exist"),
    (("export", "nope", "x"), "no run folder nope"),
    (("fit", "/nowhere.csv", "--n", "a", "--loss", "b"), "nowhere"),
    (("findings", "/nowhere.csv"), "does not exist"),
    (("nope",), "nope"),
    (("fit", __file__, "--n", "a", "--loss", "b", "--plot", "out.gif"), "ends in .svg or .png or .pdf"),
    *(
        ((*words, HOSTILE), "holds control characters")
        for words in (["train"], ["fit"], ["run", "x", "-p", "path"], [])
    ),
]


def harmless(said: str) -> bool:
    """No control or direction of text but the ends of our own lines."""
    return said.replace("\n", "").isprintable() and "\nseqmix: all is well" not in said


@pytest.mark.parametrize(("words", "says"), WRONG, ids=lambda part: " ".join(part) if isinstance(part, tuple) else "")
def test_a_wrong_request_is_one_sentence_and_exit_code_2(project, words, says, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PATH", "")  # a machine without Slurm
    done = CliRunner().invoke(main, list(words))
    said = done.output + (done.stderr or "")
    assert done.exit_code == 2, said
    assert says in said
    assert "Traceback" not in said
    assert harmless(said)
    assert not list(project.runs.glob("*/config.json"))


@pytest.mark.parametrize(("name", "value"), [("SEQMIX_CACHE", __file__), ("SEQMIX_RUNS", __file__)])
def test_a_wrong_variable_is_named(project, monkeypatch, name, value):  # noqa: F811
    monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["train", "tiny"])
    assert done.exit_code == 2
    assert name in done.output + (done.stderr or "")


def test_held_out_text_that_is_trained_on_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQMIX_CACHE", str(tmp_path / "cache"))
    for part, seeds in {"train": (0, 1, 2), "valid": (3,), "test": (4,)}.items():
        (tmp_path / "texts" / part).mkdir(parents=True)
        (tmp_path / "texts" / part / "a.txt").write_text("".join(document(seed) for seed in seeds))
    runs = [config(data=at(tmp_path / "texts"))]
    checks._read_folders(runs)
    with (tmp_path / "texts" / "train" / "a.txt").open("a") as text:
        text.write(document(4))
    with pytest.raises(checks.CheckError, match="16 stretches of its test part stand word for word in its train part"):
        checks._read_folders(runs)


@pytest.mark.parametrize("waits", [False, True])
def test_a_corpus_that_is_not_here_is_missed_before_anything_starts(project, monkeypatch, waits):  # noqa: F811
    monkeypatch.delenv("SEQMIX_BOOKS", raising=False)
    file = project.studies / "tiny.yaml"
    name, _, novels = file.read_text().rpartition("- name: more")
    novels = novels.replace("source: almanac", f"source: books, fingerprint: {'5a' * 32}").replace(
        "steps: 3", "steps: 3, lr: tuned"
    )
    file.write_text(f"{name}- name: novels{novels}")
    if waits:  # its trials have ended, their results are not there
        monkeypatch.setattr(Queue, "done", lambda queue, run: True)
    done = CliRunner().invoke(main, ["train", "tiny", "--jobs", "0"])
    assert done.exit_code == 2, done.output
    assert "study tiny, group novels (seqmix train --only names others): source 'books'" in done.output
    assert "SEQMIX_BOOKS" in done.output
    assert not list(project.runs.glob("*/config.json"))
    checks.before_training(launch.request({"tiny": {"overrides": {"groups": ["main"]}}}, "quick", paths=project))


def test_a_chapter_that_is_taken_for_a_study_is_told_what_it_uses(project):  # noqa: F811
    project.notebooks.mkdir()
    (project.notebooks / "story.md").write_text("---\nseqmix: {studies: [tiny, other]}\n---\n")
    done = CliRunner().invoke(main, ["plan", "story"])
    assert done.exit_code == 2
    assert "no study named 'story' (the chapter of that name uses tiny, other); known: tiny" in done.output


def test_a_study_that_is_no_text_is_named(project):  # noqa: F811
    (project.studies / "tiny.yaml").write_bytes(b"\xff\xfe title")
    done = CliRunner().invoke(main, ["plan", "tiny"])
    assert (done.exit_code, "tiny.yaml" in done.output) == (2, True), done.output


def test_a_name_does_not_steer_the_terminal(project, monkeypatch):  # noqa: F811
    hostile = project.root / "\x1b[2J\x07runs"
    hostile.write_text("")
    monkeypatch.setenv("SEQMIX_RUNS", str(hostile))
    done = CliRunner().invoke(main, ["train", "tiny"])
    assert done.exit_code == 2
    assert "[2Jruns" in done.output
    assert harmless(done.output)


@pytest.mark.parametrize("mark", ["\x1b[2J", "\u202e", "\x9b31m", "\n", "\u2028", "\x0c"])
def test_names_in_a_table_stay_words(tmp_path, mark):
    name = f"a{mark}seqmix: all is well"
    rows = [f'{10**k},{3 + 10 / 10 ** (k / 3)},"{name}"' for k in range(3, 9)]
    (tmp_path / "t.csv").write_text("\n".join(["n,loss,family", *rows]), newline="")
    rows = [f'"{name}",{kind},{plot},{value + plot / 9}' for kind, value in HARVESTS for plot in range(3)]
    (tmp_path / "h.csv").write_text("\n".join(["field,fertiliser,plot,harvest", *rows]), newline="")
    (tmp_path / "q.yaml").write_text(QUESTIONS)
    fit = ["fit", "t.csv", "--n", "n", "--loss", "loss", "--group", "family"]
    for words in (fit, ["findings", "h.csv", "q.yaml"]):
        with contextlib.chdir(tmp_path):
            done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, done.output
        assert "seqmix: all is well" in done.output
        assert harmless(done.output), done.output


def test_a_folder_beside_the_records_does_not_forge_a_line(project):  # noqa: F811
    (project.runs / f"x{HOSTILE}").mkdir(parents=True)
    done = CliRunner().invoke(main, ["status"])
    assert (done.exit_code, harmless(done.output)) == (0, True), done.output
