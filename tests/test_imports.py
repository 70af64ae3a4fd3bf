"""The import order of the design: what reads tables and builds the book never imports torch, and imports go one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import seqmix
import seqmix_study

PACKAGE = Path(seqmix.__file__).parent
STUDY = Path(seqmix_study.__file__).parent

# Modules that may import torch: models and whatever trains, measures or stores tensors.
TORCH = {
    "accelerate",
    "checkpoint",
    "distributed",
    "evaluate",
    "interpret",
    "traces",
    "restore",
    "timing",
    "demos",
    "step",
    "train",
    "models",
}
RUNS = {"bench", "downstream", "ensemble", "export", "page_export", "replicas", "utilisation"}
"""The same of ``seqmix_study.runs``."""

# Layers from the bottom up; a module may import only from its own layer and those below.
LAYERS = [
    {"paths", "files", "config"},
    {"accounting", "data", "record", "provenance"},
    {"study", "checkpoint"},
    {"models"},
    {"step"},
    {"accelerate", "evaluate", "interpret", "traces", "demos", "distributed"},
    {"restore"},
    {"train"},
    {"timing"},
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


FILES = sorted([*PACKAGE.rglob("*.py"), *STUDY.rglob("*.py")])


def unit(file: Path) -> str:
    """Name of the module or subpackage a file belongs to."""
    parts = file.relative_to(PACKAGE.parent).parts
    return parts[1].removesuffix(".py") if parts[0] == "seqmix" else "study"


def test_scanner_finds_files():
    assert len(FILES) > 20


def free_of_torch(file: Path) -> bool:
    """Whether a file must not import torch at its top."""
    return unit(file) not in TORCH and not (file.parent.name == "runs" and file.stem in RUNS)


@pytest.mark.parametrize(
    "file", [f for f in FILES if free_of_torch(f)], ids=lambda file: str(file.relative_to(PACKAGE.parent))
)
def test_only_training_modules_import_torch_at_the_top(file):
    assert not {name for name in imports(file, True) if name.split(".")[0] == "torch"}


def layer_of(file: Path) -> int | None:
    """Index of the layer a file belongs to; None above the layers."""
    if not file.is_relative_to(PACKAGE):
        return None
    return next((n for n, layer in enumerate(LAYERS) if unit(file) in layer), None)


LAYERED = [file for file in FILES if layer_of(file) is not None]


@pytest.mark.parametrize("file", LAYERED, ids=lambda file: str(file.relative_to(PACKAGE.parent)))
def test_layers_import_downwards_only(file):
    level = layer_of(file)
    allowed = set().union(*LAYERS[: level + 1])
    own = {name.split(".")[1] for name in imports(file, True) if name.startswith("seqmix.")}
    assert own <= allowed, f"{unit(file)} reaches upwards: {sorted(own - allowed)}"


@pytest.mark.parametrize("module", ["study", "data", "accounting", "record"])
def test_reading_and_planning_need_no_torch(module):
    code = f"import sys, seqmix.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
