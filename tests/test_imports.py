"""The import order of the design: what reads tables and builds the book never imports torch, and imports go one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqmix

PACKAGE = Path(seqmix.__file__).parent

# Modules that may import torch: models and whatever trains, measures or stores tensors.
TORCH = {
    "accelerate",
    "checkpoint",
    "distributed",
    "evaluate",
    "export",
    "inside",
    "traces",
    "restore",
    "measure",
    "demos",
    "step",
    "tasks",
    "train",
    "models",
    "bench",
    "ensemble",
    "replicas",
    "downstream",
    "utilisation",
}

# Layers from the bottom up; a module may import only from its own layer and those below.
LAYERS = [
    {"paths", "files", "config"},
    {"accounting", "data", "record", "provenance"},
    {"study", "checkpoint"},
    {"models"},
    {"step", "tasks"},
    {"accelerate", "evaluate", "inside", "traces", "demos", "distributed", "export"},
    {"restore"},
    {"train"},
    {"measure"},
]


def imports(file: Path, top_level_only: bool) -> set[str]:
    """Return the dotted names that a file imports (at the top level, or anywhere)."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


def unit(file: Path) -> str:
    """Name of the module or subpackage a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_scanner_finds_files():
    assert len(FILES) > 20


def free_of_torch(file: Path) -> bool:
    """Whether a file must not import torch; checks of exercises are loaded one by one, inside a student's kernel."""
    return unit(file) not in TORCH and "classroom/checks/" not in file.as_posix()


@pytest.mark.parametrize(
    "file", [f for f in FILES if free_of_torch(f)], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_only_training_modules_import_torch_at_the_top(file):
    assert not {name for name in imports(file, True) if name.split(".")[0] == "torch"}


def layer_of(file: Path) -> int | None:
    """Index of the layer a file belongs to; None above the layers."""
    return next((n for n, layer in enumerate(LAYERS) if unit(file) in layer), None)


LAYERED = [file for file in FILES if layer_of(file) is not None]


@pytest.mark.parametrize("file", LAYERED, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_layers_import_downwards_only(file):
    level = layer_of(file)
    allowed = set().union(*LAYERS[: level + 1])
    own = {name.split(".")[1] for name in imports(file, True) if name.startswith("seqmix.")}
    assert own <= allowed, f"{unit(file)} reaches upwards: {sorted(own - allowed)}"


@pytest.mark.parametrize("module", ["study", "collect", "data", "accounting", "record"])
def test_reading_and_planning_need_no_torch(module):
    code = f"import sys, seqmix.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
