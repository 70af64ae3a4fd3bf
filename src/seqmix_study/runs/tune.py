"""From a study that asks for tuned rates to the runs that can be started now, stage by stage.

Stages: precision (is bfloat16 allowed for this kind of model?), sweeps (the rate of each cell, or of the cells that a
rate law is fitted to and checked at), choice (which member of a family is best on 'valid'), evidence (all seeds).
Nothing is stored but the records of runs: :func:`resolve` computes from them what is decided and what comes next, so a
search that was killed goes on, on any engine. A *cell* is everything of a run but its seed and its rate.
"""

from collections.abc import Sequence

from seqmix import study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix_study.results.rows import Config
from seqmix_study.runs import precision
from seqmix_study.runs.known import Known
from seqmix_study.runs.stages import Resolved, Stages, flops


def plan(name: str, tier: str = "quick", paths: Paths | None = None, known: Known | None = None, **request) -> Resolved:
    """Plan a study (see ``study.plan``, which takes ``request``) and resolve its rates from what is known."""
    paths = paths or Paths()
    templates = study.plan(name, tier, paths=paths, **request)
    if not any(unresolved(config) for config in templates):
        return Resolved(templates)
    return resolve(templates, study.load(name, paths).tiers[tier].groups, known or Known(tier, paths))


def unresolved(config: Config) -> bool:
    """Whether a run still lacks its rate or its precision."""
    return config.kind == "train" and (not config.train.lr or config.train.precision == "checked")


def resolve(templates: list[Config], groups: Sequence[study.Group], known: Known) -> Resolved:
    """Return what of a plan can be run, given what is ``known``; a pure function of both."""
    out = Resolved()
    half = any(config.kind == "train" and config.train.precision == "checked" for config in templates)
    checks = shifts(known) if half else {}
    ranked: list[tuple[tuple, Config]] = []
    for rank, group in enumerate(groups):
        members = [config for config in templates if config.group == group.name]
        tuned = [config for config in members if unresolved(config)]
        ready = [config for config in members if not unresolved(config)]
        waited = len(out.waiting)
        ready += Stages(group, tuned, known, checks, out).runs() if tuned else []
        out.open |= {group.name} if len(out.waiting) > waited else set()
        if group.role == "check":
            ready = _looked(ready, known)
        ranked += [((getattr(c, "tokens", 0), rank, getattr(c, "seed", 0)), c) for c in ready]
    runs = [config for _, config in sorted(ranked, key=lambda pair: pair[0])]
    tried = {config.run_id for config in runs if config.kind == "train" and config.role == "sweep"}
    out.runs = _counted(_once(runs), tried)
    return out


def shifts(known: Known) -> dict[tuple[str, str], precision.Shift | None]:
    """Return (skeleton, letter) -> the shift that its check found, None while runs are missing.

    The rate of a check's pairs is that of their sweep in float32.
    """
    found = {}
    for kind, templates in precision.pairs(known.paths).items():
        runs = resolve(templates, study.load(precision.STUDY, known.paths).tiers["laptop"].groups, known).runs
        found[kind] = precision.last_look([run for run in runs if run.role == "check"], known)[1]
    return found


def _looked(runs: list[RunConfig], known: Known) -> list[RunConfig]:
    """Return the trials of a check, and of its pairs those that the next look at each kind of model needs."""
    by_arm: dict[str, list[RunConfig]] = {}
    for run in runs:
        by_arm.setdefault(run.arm if run.role == "check" else "", []).append(run)
    return by_arm.pop("", []) + [run for pairs in by_arm.values() for run in precision.wanted(pairs, known)]


def _once(runs: list[Config]) -> list[Config]:
    """Keep one entry a run: as evidence, if it is that as well as a trial of a sweep."""
    worth = {"evidence": 0, "choice": 1, "check": 2, "": 3, "sweep": 4}
    best: dict[str, Config] = {}
    for config in runs:
        other = best.setdefault(config.run_id, config)
        if config.kind == "train" and worth[config.role] < worth[other.role]:
            best[config.run_id] = config
    return list(best.values())


def _counted(runs: list[Config], tried: set[str]) -> list[Config]:
    """Write the number and the FLOPs of an arm's trials (the runs ``tried``) into the rates of its runs."""
    trials: dict[str, list[float]] = {}
    for config in runs:
        if config.run_id in tried:
            trials.setdefault(config.arm, []).append(flops(config))
    for k, config in enumerate(runs):
        if config.kind == "train" and config.rate and (spent := trials.get(config.arm)):
            counted = config.rate.model_copy(update={"trials": len(spent), "trial_flops": sum(spent)})
            runs[k] = config.model_copy(update={"rate": counted})
    return runs
