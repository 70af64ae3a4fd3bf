"""What a study file may say: groups of arms, sizes, grids and seeds, once per tier; and how it is read."""

import functools
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from seqmix.frozen import Frozen
from seqmix.paths import Paths

__all__ = ["TUNED", "Arm", "Group", "Library", "Rung", "Study", "StudyError", "Tune", "library", "load", "names"]

TUNED = "tuned"
"""The rate that a study asks for: found by sweeps before the runs that are published (see runs/tune.py)."""


class StudyError(ValueError):
    """A study file or a request to change it is wrong; the message names the file or the parameter."""


class Rung(Frozen):
    """One size: the reference Transformer whose non-embedding parameters all arms match."""

    layers: int = Field(ge=1)
    d_model: int = Field(ge=1)
    n_heads: int = Field(ge=1)


class Arm(Frozen):
    """One architecture. ``pattern`` is repeated until the rung's depth is reached; ``layers`` fixes the depth."""

    pattern: str
    layers: int = Field(0, ge=0, description="0: the rung's depth")
    place: str = Field("", description="where the attention layers stand, for stacks that are compared by place")
    control: str = Field("", description="what the arm is a control for, e.g. 'convolution'")
    model: dict[str, Any] = Field(default_factory=dict, description="further ModelConfig fields")


class Tune(Frozen):
    """How the learning rates of a group are found, where it asks for ``lr: tuned``."""

    margin: float = Field(0.02, gt=0, description="difference that the group wants to see, nats")
    span: int = Field(2, ge=2, multiple_of=2, description="octaves that the first trials of a sweep cover")
    law: tuple[tuple[str, int], ...] = Field((), description="swept cells (size, steps); a rate law serves the others")
    check: tuple[tuple[str, int], ...] = Field((), description="cells that check it; empty: the corners of the grid")
    twice: tuple[tuple[str, int], ...] = Field((), description="checks with a second seed around the best rate")
    follow: bool = Field(
        False, description="further cells of an arm start from its optimum before: three trials or more"
    )
    like: dict[str, str] = Field({}, description="arm -> the arm from whose optimum it starts, cell by cell, so too")

    @field_validator("like")
    @classmethod
    def _no_chain(cls, like: dict[str, str]) -> dict[str, str]:
        if chained := sorted({*like} & {*like.values()}):
            raise ValueError(f"others start like {', '.join(chained)}, which needs a search of its own then")
        return like


class Group(Frozen):
    """One part of a study: arms x sizes x grid x seeds."""

    name: str
    kind: Literal["train", "speed"] = "train"
    arms: tuple[str, ...]
    sizes: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    base: dict[str, dict[str, Any]] = Field(default_factory=dict, description="model, data, train or speed fields")
    per_arm: dict[str, dict[str, Any]] = Field(default_factory=dict, description="arm -> dotted field -> value")
    per_size: dict[str, dict[str, Any]] = Field(default_factory=dict, description="size -> dotted field -> value")
    grid: dict[str, list[Any]] = Field({}, description="dotted field (or several joined by +) -> values; a product")
    evaluate: tuple[str, ...] = ()
    role: Literal["evidence", "sweep", "check"] = "evidence"
    families: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="arm -> its members: the one that is best on 'valid' stands for it, cell by cell",
    )
    without: tuple[dict[str, Any], ...] = Field(
        (), description="cells left out: group, arm, size, seed or dotted field -> value or list"
    )
    tune: Tune = Tune()

    @property
    def members(self) -> list[tuple[str, str]]:
        """(arm, family) of every architecture that is trained; an arm without members is its own family."""
        return [(member, arm) for arm in self.arms for member in self.families.get(arm, (arm,))]


class Tier(Frozen):
    """What one tier of a study runs."""

    groups: tuple[Group, ...]


class Study(Frozen):
    """A study file."""

    title: str
    question: str
    tiers: dict[Literal["quick", "laptop", "gpu"], Tier]


class Library(Frozen):
    """``studies/arms.yaml``."""

    arms: dict[str, Arm]
    rungs: dict[str, Rung]

    def arm(self, name: str) -> Arm:
        """Return an arm; StudyError lists the known ones."""
        return _named(self.arms, name, "arm")

    def rung(self, name: str) -> Rung:
        """Return a size; StudyError lists the known ones."""
        return _named(self.rungs, name, "size")


def _named(known: dict[str, Any], name: str, what: str) -> Any:
    if name not in known:
        raise StudyError(f"no {what} named {name!r} in studies/arms.yaml; known: {', '.join(known)}")
    return known[name]


def names(paths: Paths | None = None) -> list[str]:
    """Return the names of all studies."""
    folder = (paths or Paths()).studies
    return sorted(file.stem for file in folder.glob("*.yaml") if file.stem != "arms")


def load(name: str, paths: Paths | None = None) -> Study:
    """Read and check one study file; raises StudyError naming the file and the first mistakes."""
    paths = paths or Paths()
    if name not in names(paths):
        chapter = paths.notebooks / f"{name}.md"
        uses = re.search(r"studies: \[(.+)\]", chapter.read_text("utf-8")) if chapter.is_file() else None
        hint = f" (the chapter of that name uses {uses[1]})" if uses else ""
        raise StudyError(f"no study named {name!r}{hint}; known: {', '.join(names(paths))}")
    return _read(paths.studies / f"{name}.yaml", Study)


@functools.lru_cache
def library(file: Path) -> Library:
    """Read ``arms.yaml``."""
    return _read(file, Library)


def _read(file: Path, kind: type[Frozen]):
    try:
        return kind.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise StudyError(f"{file}: {error}") from error
