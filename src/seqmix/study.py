"""Studies: a YAML grid, once per tier -> the list of runs, in the order in which they are worth doing.

A study file (``studies/<name>.yaml``) is data, no code. ``studies/arms.yaml`` names the architectures (arms) and the
sizes (rungs) that all studies share. Every arm of a rung is matched to the rung's Transformer in non-embedding
parameters (within 3 %, or planning fails).
"""

import functools
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seqmix import accounting, data, provenance
from seqmix.config import ModelConfig, RunConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix.study_file import TUNED, Group, Library, Study, StudyError, library, load, names

__all__ = [
    "Group",
    "Study",
    "StudyError",
    "check_names",
    "known_names",
    "load",
    "model_of",
    "names",
    "plan",
]

TEXT_SOURCES = {"stdlib", "python", "books", "folder", "prose", "wikitext-103", "pg19", "tinystories", "fineweb-edu"}
"""Sources that ``source=`` and ``path=`` replace; synthetic sources and tasks stay what the study says."""


def plan(
    name: str,
    tier: str = "quick",
    seeds: int = 0,
    source: str = "",
    path: str = "",
    overrides: dict[str, Any] | None = None,
    paths: Paths | None = None,
) -> list[RunConfig | SpeedConfig]:
    """Return the runs of a study at a tier, seed-major: seed 0 of every cell first, then seed 1, ...

    ``seeds`` > 0 replaces the number of seeds; ``source``/``path`` replace the corpus of the groups that use real
    text (``path`` alone means a folder of text). ``overrides`` maps ``arms``, ``sizes`` or ``groups`` to a list of
    names to keep, and dotted fields such as ``train.steps`` to a value for every run. Runs that several groups ask for
    (the same science) appear once a group. Raises StudyError for anything unknown or inconsistent.
    """
    paths = paths or Paths()
    study, arms = load(name, paths), library(paths.studies / "arms.yaml")
    if tier not in study.tiers:
        raise StudyError(f"study {name!r} has no tier {tier!r}; it has: {', '.join(study.tiers)}")
    request = dict(overrides or {})
    keep = {part: request.pop(part, None) for part in ("groups", "arms", "sizes")}
    check_names(name, tier, keep["arms"] or (), keep["sizes"] or (), paths)
    groups = [_narrow(group, keep, name) for group in study.tiers[tier].groups]
    groups = [group for group in groups if _filled(group) and _wanted(group.name, keep["groups"])]
    if not groups:
        raise StudyError(
            f"nothing of study {name!r} is left after {keep}; groups: "
            + ", ".join(group.name for group in study.tiers[tier].groups)
        )
    order: list[tuple[int, int, RunConfig | SpeedConfig]] = []
    for rank, group in enumerate(groups):
        labels = {"study": name, "tier": tier, "group": group.name}
        if group.kind == "speed":
            order += [(0, rank, config) for config in _speed_runs(group, arms, labels, request)]
            continue
        chosen = tuple(range(seeds)) if seeds and len(group.seeds) > 0 else group.seeds
        corpus = _corpus(group, source, path)
        for seed in chosen:
            cells = _train_runs(group, arms, labels, request, corpus, seed)
            order += [(seed, rank, config.model_copy(update={"seed": seed, "data_seed": seed})) for config in cells]
    return [config for _, _, config in sorted(order, key=lambda item: item[:2])]


def check_names(
    name: str, tier: str, arms: Iterable[str] = (), sizes: Iterable[str] = (), paths: Paths | None = None
) -> None:
    """Raise StudyError for an arm or a size that no group of the study's tier has; it lists those that are known.

    A tier that the study does not have knows no names, and is not refused here.
    """
    known = known_names(name, tier, paths)
    for part, asked in (("arms", arms), ("sizes", sizes)):
        if known[part] and (unknown := [each for each in asked if each not in known[part]]):
            raise StudyError(
                f"study {name!r} has no {part.removesuffix('s')} named {', '.join(map(repr, unknown))} at tier {tier}; "
                f"known: {', '.join(known[part])}"
            )


def known_names(name: str, tier: str, paths: Paths | None = None) -> dict[str, list[str]]:
    """Return the ``arms`` and ``sizes`` of all groups of a study's tier, in order; empty for a tier it lacks."""
    tiers = load(name, paths).tiers
    groups = tiers[tier].groups if tier in tiers else ()
    return {
        "arms": list(dict.fromkeys(arm for group in groups for arm in group.arms)),
        "sizes": list(dict.fromkeys(size for group in groups for size in group.sizes)),
    }


def _wanted(name: str, chosen: list[str] | None) -> bool:
    return not chosen or name in chosen


def _filled(group: Group) -> bool:
    return bool(group.sizes) and (
        bool(group.arms) or group.base.get("speed", {}).get("mode", "").startswith("document")
    )


def _narrow(group: Group, keep: dict[str, list[str] | None], study: str) -> Group:
    arms = tuple(arm for arm in group.arms if _wanted(arm, keep["arms"]))
    sizes = tuple(size for size in group.sizes if _wanted(size, keep["sizes"]))
    return group.model_copy(update={"arms": arms, "sizes": sizes})


def _corpus(group: Group, source: str, path: str) -> dict[str, Any]:
    wanted = source or ("folder" if path else "")
    if not wanted or group.base.get("data", {}).get("source", "stdlib") not in TEXT_SOURCES:
        return {}
    return {"data.source": wanted, "data.path": str(Path(path).expanduser().absolute()) if path else ""}


def _train_runs(
    group: Group, library: Library, labels: dict, request: dict, corpus: dict, seed: int
) -> list[RunConfig]:
    runs = []
    for size, (arm, family), values in itertools.product(group.sizes, group.members, _product(group.grid)):
        here = {"arm": arm, "size": size, "seed": seed, **values}
        if any(
            all(here.get(key) in (v if isinstance(v, list) else [v]) for key, v in gone.items())
            for gone in group.without
        ):
            continue
        fields = {"data": dict(group.base.get("data", {})), "train": dict(group.base.get("train", {}))}
        extra = dict(group.base.get("model", {}))
        merged = group.per_size.get(size, {}) | group.per_arm.get(arm, {}) | values | corpus | request
        for dotted, value in merged.items():
            part, _, field = dotted.partition(".")
            if part not in ("model", "data", "train") or not field:
                raise StudyError(
                    f"{dotted!r} is not a field of a run: use model.<field>, data.<field> or train.<field>"
                )
            (extra if part == "model" else fields[part])[field] = value
        if fields["train"].get("lr") == TUNED:
            fields["train"]["lr"] = 0.0
        if arm not in library.arms:
            raise StudyError(f"no arm named {arm!r} in studies/arms.yaml; known: {', '.join(library.arms)}")
        spec = library.arms[arm]
        about = {"arm": arm, "family": family, "size": size, "place": spec.place, "control": spec.control}
        try:
            run = RunConfig.model_validate(
                {
                    **(labels | about | {"role": group.role, "evaluate": group.evaluate}),
                    **fields,
                    "model": {"pattern": "A"},
                }
            )
            corpus_config = _fingerprinted(run.data)
            model = _model(library, arm, size, extra, _vocabulary(corpus_config), run.data.seq_len)
        except (ValidationError, ValueError) as error:
            raise StudyError(f"study {labels['study']}, group {group.name}, arm {arm}, size {size}: {error}") from error
        runs.append(run.model_copy(update={"model": model, "data": corpus_config}))
    return runs


def _speed_runs(group: Group, library: Library, labels: dict, request: dict) -> list[SpeedConfig]:
    runs = []
    unknown = [key for key in request if not key.startswith(("speed.", "train.", "data.", "model."))]
    if unknown:
        raise StudyError(f"{unknown[0]!r} is not a field of a speed measurement: use speed.<field>")
    wanted = {key.removeprefix("speed."): value for key, value in request.items() if key.startswith("speed.")}
    for size, values in itertools.product(group.sizes, _product(group.grid)):
        fields = dict(group.base.get("speed", {})) | values | wanted
        longest = max(fields.get("lengths", (128,)))
        extra = dict(group.base.get("model", {}))
        try:
            models = {arm: _model(library, arm, size, extra, 256, longest) for arm in group.arms}
            runs.append(
                SpeedConfig.model_validate({**labels, "models": models, "machine": provenance.machine(), **fields})
            )
        except (ValidationError, ValueError) as error:
            raise StudyError(f"study {labels['study']}, group {group.name}, size {size}: {error}") from error
    return runs


def model_of(arm: str, size: str, vocab_size: int, length: int, paths: Paths | None = None) -> ModelConfig:
    """Return the model of an arm at a size, matched as in every study; StudyError for an unknown name."""
    arms = library((paths or Paths()).studies / "arms.yaml")
    try:
        return _model(arms, arm, size, {}, vocab_size, length)
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(f"arm {arm}, size {size}: {error}") from error


def _product(grid: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return all combinations; ``a+b: [[1, 2], [3, 4]]`` varies two fields together."""
    axes = [[(name.split("+"), value if "+" in name else [value]) for value in grid[name]] for name in grid]
    return [
        {name: value for names, values in chosen for name, value in zip(names, values, strict=True)}
        for chosen in itertools.product(*axes)
    ]


def _model(library: Library, arm: str, size: str, extra: dict, vocab_size: int, length: int) -> ModelConfig:
    for name, known, what in ((arm, library.arms, "arm"), (size, library.rungs, "size")):
        if name not in known:
            raise StudyError(f"no {what} named {name!r} in studies/arms.yaml; known: {', '.join(known)}")
    rung, spec = library.rungs[size], library.arms[arm]
    shared = {
        "vocab_size": vocab_size,
        "max_length": length,
        "d_model": rung.d_model,
        "n_heads": rung.n_heads,
    }
    reference = ModelConfig(pattern="A" * rung.layers, **shared)
    depth = spec.layers or rung.layers
    pattern = (spec.pattern * depth)[:depth] if len(spec.pattern) < depth else spec.pattern
    config = ModelConfig(**(shared | {"pattern": pattern} | spec.model | extra))
    target = accounting.parameters(reference)["non_embedding"]
    return accounting.match(config, non_embedding=target)


@functools.lru_cache
def _fingerprinted(config):
    return config if config.fingerprint else config.model_copy(update={"fingerprint": data.fingerprint(config)})


@functools.lru_cache
def _vocabulary(config) -> int:
    if config.tokenizer != "bytes":
        return int(config.tokenizer.removeprefix("bpe-"))  # trained to that size, or the corpus is refused
    return 256 if config.source in TEXT_SOURCES else data.open_source(config).vocab_size
