"""Imports go one way (the contracts in pyproject.toml), and what reads tables never loads torch."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

WALK = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(getattr(package, "__path__", []), package.__name__ + "."):
    importlib.import_module(module.name)
    assert "torch" not in sys.modules, f"{module.name} loads torch"
assert "torch" not in sys.modules
"""


def test_imports_keep_the_contracts():
    code = "from importlinter.cli import lint_imports_command as check; check()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["findings", "chapters", "results", "book", "commands"])
def test_what_reads_tables_loads_no_torch(package):
    loads_no_torch(f"seqmix_study.{package}")


@pytest.mark.parametrize("module", ["accounting", "data", "record", "study"])
def test_planning_loads_no_torch(module):
    loads_no_torch(f"seqmix.{module}")


def loads_no_torch(name: str) -> None:
    """Import a module, or every module of a package, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", WALK, name], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
