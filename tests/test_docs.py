"""What the documents say is true: commands exist, paths exist, links resolve, recipes run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqmix_study.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").glob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_recipes_run(tmp_path):
    """All Python of the page on extending, in order, in one process, in a project with the study that it adds."""
    text = (ROOT / "book/extend.md").read_text()
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    (tmp_path / "studies/warmup.yaml").write_text(blocks(text, "yaml")[0])
    code = "\n".join(blocks(text, "python"))
    assert code.count("assert") >= 6
    environment = os.environ | {"SEQMIX_ROOT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_make_targets_in_documents_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(d.name, t) for d in DOCUMENTS for t in re.findall(r"(?:`|^)make ([a-z]+)", d.read_text(), re.MULTILINE)}
    assert len(named) > 5
    assert [pair for pair in named if pair[1] not in targets] == []


def test_seqmix_commands_in_documents_exist():
    listed = CliRunner().invoke(main, ["--help"]).output
    known = set(re.findall(r"^  ([a-z]+)\s", listed.partition("Commands:")[2], re.MULTILINE))
    pattern = r"(?:^|`|/)seqmix ([a-z]+)\b"
    named = {(d.name, c) for d in DOCUMENTS for c in re.findall(pattern, d.read_text(), re.MULTILINE)}
    assert len(named) > 4
    assert [pair for pair in named if pair[1] not in known] == []


@pytest.mark.parametrize("command", ["run", "book", "check", "plan"])
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output) > 150


def test_the_tree_in_the_readme_exists():
    tree = next(b for b in blocks((ROOT / "README.md").read_text(), "text") if "src/seqmix/" in b)
    parent, found = ROOT, 0
    for line in tree.splitlines():
        name = line.split()[0]
        path = parent / name if line.startswith("  ") else ROOT / name
        parent = parent if line.startswith("  ") else path
        if name == "results/":  # there once a tier was published
            continue
        assert path.exists(), name
        found += 1
    assert parent.exists()
    assert found > 25


def test_packages_in_the_tree_are_all_named():
    tree = (ROOT / "README.md").read_text()
    packages = {p.parent.name for p in (ROOT / "src").glob("seqmix*/*/*.py")}
    assert [name for name in sorted(packages) if f"  {name}/" not in tree] == []


def test_local_links_resolve():
    count = 0
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            count += 1
            assert "://" in target or (document.parent / target).exists(), (document.name, target)
        for name in re.findall(r"`((?:book|tools|tests|src|studies|notebooks)/[\w./-]+\.\w+)`", document.read_text()):
            count += 1
            assert (ROOT / name).exists(), (document.name, name)
    assert count > 3


def test_every_pinned_package_has_a_reason():
    text = (ROOT / "CONTRIBUTING.md").read_text().lower()
    names = [line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    covered = [n for n in names if n not in text and not n.startswith("sphinx")]
    assert covered == []
