"""What the documents say is true: commands exist, paths exist, links resolve, recipes run."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from seqmix import study
from seqmix_study.__main__ import main
from seqmix_study.chapters.parameters import Parameters

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


COMMANDS = sorted(main.commands)
LINE = re.compile(r"(?<![\w.-])seqmix ((?:" + "|".join(COMMANDS) + r")(?: [^`\n#|;()\"\\]*)?)")


def lines_of(text: str) -> list[list[str]]:
    """Return command and options of every command line in a text."""
    return [[m[1].split()[0], *re.findall(r"(?<= )--[a-z-]+", m[1])] for m in LINE.finditer(text)]


def options_of(command: str) -> dict[str, click.Option]:
    found = main.commands.get(command)
    return {name: each for each in found.params for name in each.opts + each.secondary_opts if name.startswith("-")}


def test_command_lines_in_documents_are_accepted():
    """Every line of book, README and chapters is taken by its command; parameters and studies are known ones."""
    parameters = set(Parameters.model_fields)
    chapters = {file.stem for file in (ROOT / "notebooks").glob("*.md")} | {"all", "CHAPTER", "NAME"}
    studies = {*study.names(), "all", "STUDY", "warmup"}
    checked = 0
    for document in [*DOCUMENTS, *sorted((ROOT / "notebooks").glob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for fence in [*blocks(text, "bash"), *re.findall(r"`([^`\n]+)`", text)]:
            for line in fence.splitlines():
                match = re.match(r"(?:\.venv/bin/)?seqmix ([a-z]+.*)", line.partition("#")[0].strip())
                if not match or "sead" in line:
                    continue
                words = shlex.split(match[1])
                assert words[0] in COMMANDS, f"{document.name}: {line}"
                command = main.commands.get(words[0])
                try:
                    context = command.make_context(words[0], list(words[1:]))
                except click.MissingParameter:
                    continue  # named in a sentence, without its arguments
                except click.BadParameter as refused:
                    if "does not exist" in str(refused):
                        continue
                    raise AssertionError(f"{document.name}: {line}") from refused
                checked += 1
                passed = context.params
                assert {name for name, _ in passed.get("pairs", ())} <= parameters, f"{document.name}: {line}"
                known = chapters if words[0] == "run" else studies
                assert (passed.get("chapter") or "all") in known, f"{document.name}: {line}"
    assert checked > 25


def test_command_lines_in_messages_exist():
    """Commands and options that messages and docstrings of the packages name."""
    checked = 0
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            if not all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
                continue
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in parts)
            for words in lines_of(" ".join(text.split())):
                checked += 1
                known = options_of(words[0]) | {"--help": None, "-h": None}
                assert [w for w in words if w.startswith("-") and w not in known] == [], f"{file.name}: {words}"
    assert checked > 40


@pytest.mark.parametrize("command", ["run", "book", "plan"])
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


def test_the_page_on_executing_says_which_study_a_chapter_uses_and_which_need_books():
    page, own = (ROOT / "book/re-execute.md").read_text(), study.names()
    said = [re.findall(r"`(\w+)`", line) for line in page.splitlines() if line.startswith(("| chapter", "| its study"))]
    heads = {f.stem: re.search(r"studies: \[(\w+)", f.read_text()) for f in (ROOT / "notebooks").glob("*.md")}
    uses = {
        name: head[1] for name, head in heads.items() if head and head[1] in own and not name.startswith("appendix")
    }
    assert dict(zip(*said, strict=True)) == uses
    groups = {name: study.load(name).tiers.get("laptop") for name in own}
    books = [
        n for n, t in groups.items() if t and any(g.base.get("data", {}).get("source") == "books" for g in t.groups)
    ]
    assert f"The studies {', '.join(f'`{n}`' for n in books[:-1])} and `{books[-1]}` read, beside other text" in page


def test_every_pinned_package_has_a_reason():
    text = (ROOT / "CONTRIBUTING.md").read_text().lower()
    names = [line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    covered = [n for n in names if n not in text and not n.startswith("sphinx")]
    assert covered == []
