"""The main job, for real: every chapter trained and executed at the quick tier, the book built strictly, then again.

This is the one long test (a few minutes of two cores). It runs in a copy of the checkout, with runs of its own.
"""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from seqmix import data, study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix.record import run_folders

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "_build", "runs", ".cache", "executed", "node_modules", "__pycache__", ".pytest_cache", "classroom"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """Return a copy of the checkout in which the main job has been done."""
    source = Paths(Path(__file__).parents[1]).root
    copy = tmp_path_factory.mktemp("end-to-end") / "study"
    shutil.copytree(source, copy, ignore=lambda folder, names: _left_out(source, folder, names))
    (copy / "book" / "executed").mkdir(exist_ok=True)
    for command in (["run", "all"], ["book"]):
        done = seqmix(copy, *command)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return copy


def _left_out(source: Path, folder: str, names: list[str]) -> set[str]:
    """The ignore patterns, except that the package has a folder ``classroom`` of its own."""
    dropped = LEFT_OUT(folder, names)
    return dropped if Path(folder) == source or Path(folder).name == "book" else dropped - {"classroom", "runs"}


def seqmix(root: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the command in a project of its own."""
    own = {"SEQMIX_ROOT": str(root), "PYTHONPATH": str(root / "src"), "SEQMIX_RUNS": str(root / "runs")}
    shared = {name: value for name, value in os.environ.items() if name != "SEQMIX_CACHE"}
    return subprocess.run(
        [sys.executable, "-m", "seqmix_study", *words],
        cwd=root,
        env=shared | own,
        capture_output=True,
        text=True,
        check=False,
    )


def records(root: Path):
    return [folder for folder in run_folders(root / "runs") if isinstance(folder.config(), RunConfig)]


def test_the_book_holds_its_chapters_without_errors(project):
    site = project / "_build" / "html"
    assert (site / "index.html").is_file()
    executed = sorted((project / "book" / "executed").glob("*.ipynb"))
    assert {"scaling", "context", "recall", "hybrids", "speed"} <= {file.stem for file in executed}
    for file in executed:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        kinds = {output["output_type"] for cell in cells for output in cell.get("outputs", [])}
        assert "error" not in kinds, file.name
        if file.stem.startswith("appendix"):  # tables
            continue
        assert any("image/png" in output.get("data", {}) or "image/svg+xml" in output.get("data", {})
                   for cell in cells for output in cell.get("outputs", [])), f"{file.name} shows no figure"  # fmt: skip
        assert (site / "book" / "executed" / f"{file.stem}.html").is_file()


ADDRESS = re.compile(r"""url\(["']?(?!data:)([^"')#?]+)""")


def test_a_page_with_a_demonstration_loads_two_megabytes_at_most(project):
    """What a browser loads from the disk when the page opens; and the models that it may ask, together."""
    opened, weights = {}, {}
    for page in (project / "_build" / "html" / "book" / "executed").glob("*.html"):
        text = page.read_text(encoding="utf-8")
        soup = BeautifulSoup(text, "html.parser")
        if not (sections := soup.select("section.live > script")):
            continue
        named = [tag.get("src") or tag["href"] for tag in soup.select("script[src], img[src], link[rel=stylesheet]")]
        files = {page} | {(page.parent / name.partition("?")[0]).resolve() for name in named}
        for style in [file for file in files if file.suffix == ".css"]:
            drawn = {(style.parent / name).resolve() for name in ADDRESS.findall(style.read_text(encoding="utf-8"))}
            # the first form of a font that a browser reads, and only if something on the page is set in it
            files |= {file for file in drawn if file.suffix == ".woff2" and file.stem.rpartition("-")[0] in text}
        models = page.parents[2] / "_static" / "models"
        first = soup.select_one("script[data-models]")["data-models"].split()
        opened[page.stem] = sum(file.stat().st_size for file in [*files, *(models / f"{name}.js" for name in first)])
        every = {model["name"] for tag in sections for model in json.loads(tag.string).get("models", [])}
        weights[page.stem] = sum((models / f"{name}.js").stat().st_size for name in every)
    assert len(opened) >= 5
    assert max(opened.values()) <= 2_000_000, opened
    assert max(weights.values()) <= 2_000_000, weights


def test_every_model_beats_token_frequencies_and_says_where_it_ran(project):
    found = records(project)
    assert len(found) > 40
    for folder in found:
        assert folder.status() == "finished", folder.path
        kept, config, metrics = folder.provenance(), folder.config(), folder.metrics()
        assert {"corpus_sha256", "code_commit", "device", "precision"} <= set(kept)
        assert kept["corpus_sha256"]
        if config.data.source not in data.TASKS:
            assert metrics["loss"] < metrics["reference_unigram"], f"{folder.path} learnt less than token frequencies"
        assert math.isfinite(metrics["loss"])


def test_the_quick_tier_is_bounded_by_its_work(project):
    """Tokens x FLOPs, not a clock: at most 4 minutes of two quiet cores at 15 GFLOP a core-second; today half of it."""
    from seqmix import accounting

    spent = 0.0
    for folder in records(project):
        config = folder.config()
        spent += config.tokens * accounting.train_flops_per_token(config.model, config.data.seq_len)
    assert spent < 240 * 15e9


def test_a_second_run_trains_nothing_and_executes_nothing(project):
    before = {folder.run_id: folder.outcome()["finished_at"] for folder in run_folders(project / "runs")}
    done = seqmix(project, "run", "all")
    assert done.returncode == 0
    assert "0 executed" in done.stdout + done.stderr
    after = {folder.run_id: folder.outcome()["finished_at"] for folder in run_folders(project / "runs")}
    assert before == after


def test_one_changed_parameter_trains_only_what_it_changes(project):
    had = {folder.run_id for folder in run_folders(project / "runs")}
    asked = {config.run_id for config in study.plan("amounts", "quick", seeds=3, paths=Paths(project))}
    assert len(asked - had) == len(asked) / 3
