"""Continuous integration calls the same targets as a person; pins are equal everywhere."""

import importlib.metadata
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from seqmix_study.runs import fresh

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_there_are_workflows():
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "publish.yml"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflows_parse_and_call_make_targets(path):
    workflow = yaml.safe_load(path.read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [line for step in steps for line in step.get("run", "").splitlines()]
    called = {match for command in commands for match in re.findall(r"\bmake ([a-z]+)", command)}
    assert called
    assert called <= targets()
    assert not [c for c in commands if "pip install" in c]  # the Makefile installs, nothing else
    assert all(re.search(r"@v\d", step["uses"]) for step in steps if "uses" in step)


def test_ci_runs_the_tests_and_builds_the_book():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert "make test" in text
    assert "make book" in text


def test_publishing_trains_nothing_and_fills_the_branch_of_the_launch_buttons():
    text = (ROOT / ".github/workflows/publish.yml").read_text()
    branch = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["branch"]
    assert "make published" in text
    assert f"push --force origin {branch}" in text


def test_local_ci_is_make_test():
    script = (ROOT / ".ci/run").read_text()
    assert "set -euo pipefail" in script
    assert "make test" in script
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_conda_pins_equal_pip_pins():
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools/environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    expected = module.text((ROOT / "requirements.txt").read_text())
    assert (ROOT / "environment.yml").read_text() == expected, "run: python tools/environment.py"
    pip = yaml.safe_load(expected)["dependencies"][-1]["pip"]
    assert len(pip) > 15


def test_every_requirement_is_pinned():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*==[\w.]+", line)] == []
    assert len({line.split("==")[0] for line in lines}) == len(lines)


def test_everything_that_the_requirements_bring_is_pinned():
    """Whatever is installed here because a requirement asks for it, on this kind of machine."""
    pinned = {line.split("==")[0] for name in ("requirements.txt", "constraints.txt") for line in _pins(name)}
    assert not {line.split("==")[0] for line in _pins("requirements.txt")} & {
        line.split("==")[0] for line in _pins("constraints.txt")
    }
    todo, seen = {line.split("==")[0] for line in _pins("requirements.txt")}, set()
    while todo:
        name = todo.pop()
        seen.add(name)
        asked = map(Requirement, _asked(name))
        needed = {canonicalize_name(r.name) for r in asked if not r.marker or r.marker.evaluate({"extra": ""})}
        todo |= {each for each in needed if _asked(each) is not None} - seen
    missing = {
        name for name in seen - pinned if not name.startswith(("nvidia-", "cuda-", "triton"))
    }  # torch pins these
    assert len(seen) > 100
    assert missing == set()


def _pins(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if "==" in line]


def _asked(name: str) -> list[str] | None:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return None


def test_make_help_lists_every_target():
    command = ["make", "--no-print-directory", "help"]  # it says more when a make runs these tests
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == targets()
    assert {"book", "test", "setup", "help", "published", "check", "pdf"} <= targets()


def test_torch_is_pinned_in_one_place():
    assert re.search(r"^torch==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    others = [ROOT / "Makefile", ROOT / "README.md", *WORKFLOWS, ROOT / "book/re-execute.md"]
    assert [p.name for p in others if re.search(r"torch==\d", p.read_text())] == []


def test_what_a_fresh_training_leaves_is_not_offered_to_git():
    places = [
        fresh.paths().runs.relative_to(fresh.paths().root) / "a",
        "runs/a",
        ".venv/bin/python",
        "_build/html/index.html",
    ]
    asked = ["git", "check-ignore", *map(str, places)]
    ignored = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert ignored == [str(place) for place in places]


def test_an_installation_shows_that_it_goes_on():
    recipe = (ROOT / "Makefile").read_text()
    assert "pip install" in recipe
    assert not re.search(r"pip install.*(--quiet|-q\b)", recipe)


def test_the_studies_that_the_makefile_trains_have_that_tier():
    asked = re.findall(r"\btrain ([a-z ]+?) --tier (\w+)", (ROOT / "Makefile").read_text())
    assert len(asked) > 3
    for name, tier in [(name, tier) for names, tier in asked for name in names.split()]:
        assert tier in yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text())["tiers"], name
