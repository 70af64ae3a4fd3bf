"""From a study that asks for tuned rates to the runs that can be started now, stage by stage.

Stages: precision (is bfloat16 allowed for this kind of model?), sweeps (the rate of each cell, or of the cells that a
rate law is fitted to and checked at), choice (which member of a family is best on 'valid'), evidence (all seeds).
Nothing is stored but the records of runs: :func:`resolve` computes from them what is decided and what comes next, so a
search that was killed goes on, on any engine. A *cell* is everything of a run but its seed and its rate.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from seqmix import accounting, study
from seqmix.config import Rate, RunConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix_study.runs import rate_law
from seqmix_study.runs.bracket import START, Optimum, rate, search
from seqmix_study.runs.known import Known
from seqmix_study.runs.precision import allowed

__all__ = ["Resolved", "plan", "resolve"]

Config = RunConfig | SpeedConfig


@dataclass
class Resolved:
    """``runs``: all that is decided, most valuable first, done or not; ``waiting``: cell -> what it waits for."""

    runs: list[Config] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    sweeps: dict[str, Optimum] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every run of the study is known by its rate (not whether it is done)."""
        return not self.waiting


def plan(name: str, tier: str = "quick", paths: Paths | None = None, known: Known | None = None, **request) -> Resolved:
    """Plan a study (see ``study.plan``, which takes ``request``) and resolve its rates from what is known."""
    paths = paths or Paths()
    templates = study.plan(name, tier, paths=paths, **request)
    groups = {group.name: group for group in study.load(name, paths).tiers[tier].groups}
    if not any(unresolved(config) for config in templates):
        return Resolved(list(templates))
    return resolve(templates, groups, known or Known(tier, paths))


def unresolved(config: Config) -> bool:
    """Whether a run still lacks its rate or its precision."""
    return isinstance(config, RunConfig) and (not config.train.lr or config.train.precision == "checked")


def resolve(templates: list[Config], groups: dict[str, study.Group], known: Known) -> Resolved:
    """Return what of a plan can be run, given what is ``known``; a pure function of both."""
    out = Resolved()
    ranked: list[tuple[tuple, Config]] = []
    for rank, (name, members) in enumerate(groupby(templates_by_group(templates, groups), key=lambda c: c.group)):
        of_group = list(members)
        tuned = [config for config in of_group if unresolved(config)]
        ready = [config for config in of_group if not unresolved(config)]
        ready += _Group(groups[name], tuned, known, out).runs() if tuned else []
        for config in ready:
            tokens, seed = (config.tokens, config.seed) if isinstance(config, RunConfig) else (0, 0)
            ranked.append(((tokens, rank, seed), config))
    runs = [config for _, config in sorted(ranked, key=lambda pair: pair[0])]
    out.runs = _counted(_once(runs))
    return out


def templates_by_group(templates: Iterable[Config], groups: dict[str, study.Group]) -> list[Config]:
    """Return the templates in the order of the study's groups."""
    order = {name: rank for rank, name in enumerate(groups)}
    return sorted(templates, key=lambda config: order[config.group])


def _once(runs: list[Config]) -> list[Config]:
    """Keep one entry a run: as evidence, if it is that as well as a trial of a sweep."""
    worth = {"evidence": 0, "choice": 1, "check": 2, "": 3, "sweep": 4}
    best: dict[str, Config] = {}
    for config in runs:
        other = best.setdefault(config.run_id, config)
        if isinstance(config, RunConfig) and worth[config.role] < worth[other.role]:
            best[config.run_id] = config
    return list(best.values())


def _counted(runs: list[Config]) -> list[Config]:
    """Write the number and the FLOPs of an arm's trials into the rates of its runs."""
    trials: dict[str, list[float]] = {}
    for config in runs:
        if isinstance(config, RunConfig) and config.rate and config.rate.sweep and _is_trial(config):
            flops = accounting.train_flops_per_token(config.model, config.data.seq_len) * config.tokens
            trials.setdefault(config.arm, []).append(flops)
    done = []
    for config in runs:
        spent = trials.get(config.arm, []) if isinstance(config, RunConfig) and config.rate else []
        if spent:
            counted = config.rate.model_copy(update={"trials": len(spent), "trial_flops": sum(spent)})
            config = config.model_copy(update={"rate": counted})
        done.append(config)
    return done


def _is_trial(config: RunConfig) -> bool:
    return config.role == "sweep" or (config.rate.where in ("interior", "edge") and config.seed < 2)


def cell_of(config: RunConfig) -> str:
    """Return the name of a run's cell: arm, size, source, steps, and a hash of everything but seed and rate."""
    bare = with_rate(config, 0.0, seed=0)
    return f"{config.arm}-{config.size}-{config.data.source}-{config.train.steps}-{bare.sha256()[:8]}"


def with_rate(config: RunConfig, lr: float, seed: int, **labels) -> RunConfig:
    """Return the run at another rate and seed."""
    train = config.train.model_copy(update={"lr": lr})
    return config.model_copy(update={"train": train, "seed": seed, "data_seed": seed, **labels})


@dataclass
class _Decided:
    """The rate of one cell."""

    lr: float
    rate: Rate


class _Group:
    """One group that asks for tuned rates."""

    def __init__(self, group: study.Group, templates: list[RunConfig], known: Known, out: Resolved) -> None:
        self.group, self.known, self.out = group, known, out
        self.trials: list[RunConfig] = []
        self.cells: dict[str, list[RunConfig]] = {}
        for config in templates:
            if config.train.precision == "checked":
                precision = allowed(config.model, known)
                if precision is None:
                    out.waiting[cell_of(config)] = "the precision check of its kind of model (study 'precision')"
                    continue
                config = config.model_copy(update={"train": config.train.model_copy(update={"precision": precision})})
            self.cells.setdefault(cell_of(config), []).append(config)

    def runs(self) -> list[RunConfig]:
        """Return trials, runs that decide within families, and evidence, as far as they are known."""
        decided: dict[str, _Decided] = {}
        by_arm: dict[str, list[str]] = {}
        for name, seeds in self.cells.items():
            by_arm.setdefault(seeds[0].arm, []).append(name)
        for names in by_arm.values():
            names.sort(key=lambda name: (self.cells[name][0].tokens, _size(self.cells[name][0])))
            self._law(names, decided) if self.group.tune.law else self._each(names, decided)
        for name in self.cells:
            if name not in decided:
                self.out.waiting.setdefault(name, "its learning-rate sweep")
        return self.trials + self._published(decided)

    def _search(self, name: str, start: int, fine: bool = True) -> Optimum | None:
        """Advance the sweep of a cell; return its optimum, or None with the trials it needs added to the plan."""
        template = self._swept(self.cells[name][0])
        sweep = cell_of(template)
        losses: dict[tuple[int, int], float] = {}
        while True:
            found = search(losses, self.group.tune.margin, start, fine)
            if isinstance(found, Optimum):
                self.out.sweeps[sweep] = found
                return found
            waiting = False
            for trial in found:
                label = Rate(sweep=sweep)
                config = with_rate(template, rate(trial[0]), trial[1], role="sweep", rate=label, evaluate=())
                self.trials.append(config)
                ended = self.known.of(config)
                if ended is None:
                    waiting = True
                else:
                    losses[trial] = ended.loss_valid
            if waiting:
                return None

    def _swept(self, config: RunConfig) -> RunConfig:
        """Return the run that a sweep varies: the cell's own, or with the fields that ``tune.fix`` changes."""
        fields = self.group.tune.fix
        if not fields:
            return config
        parts = {"train": {}, "data": {}}
        for dotted, value in fields.items():
            part, _, name = dotted.partition(".")
            parts[part][name] = value
        return config.model_copy(
            update={part: getattr(config, part).model_copy(update=values) for part, values in parts.items() if values}
        )

    def _each(self, names: list[str], decided: dict[str, _Decided]) -> None:
        """Sweep every cell of an arm, each from the optimum of the one before it."""
        start = START
        done: dict[str, Optimum] = {}
        for name in names:
            sweep = cell_of(self._swept(self.cells[name][0]))
            found = done.get(sweep) or self._search(name, start)
            if found is None:
                return
            done[sweep] = found
            start = round(found.vertex)
            decided[name] = _from_sweep(sweep, found)

    def _law(self, names: list[str], decided: dict[str, _Decided]) -> None:
        """Sweep the cells that the law is fitted to, then the corners of the grid that check it; predict the rest."""
        place = {name: (self.cells[name][0].size, self.cells[name][0].train.steps) for name in names}
        base = [name for name in names if place[name] in self.group.tune.law]
        start, cells = START, []
        for name in base:
            found = self._search(name, start)
            if found is None:
                return
            start = round(found.vertex)
            cells.append(self._cell(name, found))
            decided[name] = _from_sweep(cell_of(self.cells[name][0]), found)
        if not cells:
            for name in names:
                self.out.waiting[name] = f"cells of its rate law: none of {list(self.group.tune.law)} is in its grid"
            return
        first = rate_law.fit(cells)
        checks = []
        for name in _corners(names, self.cells):
            if name in base:
                continue
            config = self.cells[name][0]
            found = self._search(name, first.step(_size(config), config.tokens), fine=False)
            if found is not None:
                checks.append(self._cell(name, found))
                decided[name] = _from_sweep(cell_of(config), found)
            else:
                self.out.waiting[name] = "the check of its rate law"
        law = rate_law.fit(cells, checks, refit=self.group.tune.margin / 2)
        label = "law of " + ", ".join(cell_of(self.cells[name][0]) for name in base)
        curvature = max(cell.optimum.curvature for cell in cells)
        for name in names:
            config = self.cells[name][0]
            if name in decided or name in self.out.waiting:
                continue
            octaves = law.octaves(_size(config), config.tokens)
            step = law.step(_size(config), config.tokens)
            rounded = curvature * (step / 2 - octaves) ** 2  # to the grid of half octaves
            regret, high = (lost + rounded for lost in law.error(config.tokens))
            about = Rate(
                sweep=label,
                optimum=float(f"{2**octaves:.6g}"),
                where="law",
                curvature=_plain(curvature),
                regret=_plain(regret),
                regret_hi=_plain(high),
            )
            decided[name] = _Decided(rate(step), about)

    def _cell(self, name: str, found: Optimum) -> rate_law.Swept:
        config = self.cells[name][0]
        return rate_law.Swept(_size(config), config.tokens, found)

    def _published(self, decided: dict[str, _Decided]) -> list[RunConfig]:
        """Return the runs of decided cells; of a family first one seed a member, then all seeds of the best."""
        runs: list[RunConfig] = []
        families: dict[tuple, list[str]] = {}
        for name, seeds in self.cells.items():
            families.setdefault(_sibling(seeds[0]), []).append(name)
        for names in families.values():
            family = self.cells[names[0]][0].family
            members = [name for name in names if name in decided]
            first = {name: self._tuned(self.cells[name][0], decided[name]) for name in members}
            if family not in self.group.families:
                runs += [self._tuned(config, decided[name]) for name in members for config in self.cells[name]]
                continue
            runs += [config.model_copy(update={"role": "choice"}) for config in first.values()]
            ended = {name: self.known.of(config) for name, config in first.items()}
            if len(members) < len(names) or any(outcome is None for outcome in ended.values()):
                for name in names:
                    self.out.waiting.setdefault(name, "the choice within its family")
                continue
            best = min(members, key=lambda name: ended[name].loss_valid)
            runs += [self._tuned(config, decided[best]) for config in self.cells[best]]
        return runs

    def _tuned(self, config: RunConfig, decided: _Decided) -> RunConfig:
        return with_rate(config, decided.lr, config.seed, rate=decided.rate)


def _from_sweep(sweep: str, found: Optimum) -> _Decided:
    about = Rate(
        sweep=sweep,
        optimum=float(f"{2 ** (found.vertex / 2):.6g}"),
        where=found.where,
        curvature=_plain(found.curvature),
        regret=_plain(found.regret),
        regret_hi=_plain(found.regret_hi),
    )
    return _Decided(found.rate, about)


def _plain(value: float) -> float:
    """Return a number that a configuration may hold: six digits, a large one for infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else 1e9


def _size(config: RunConfig) -> int:
    return accounting.parameters(config.model)["non_embedding"]


def _sibling(config: RunConfig) -> tuple:
    """Return what members of one family share in one cell."""
    return config.family, config.size, config.data.sha256(), config.train.steps, config.train.batch_size


def _corners(names: list[str], cells: dict[str, list[RunConfig]]) -> list[str]:
    """Return the smallest and the largest cell of the shortest and of the longest training."""
    tokens = [cells[name][0].tokens for name in names]
    found = []
    for length in dict.fromkeys((min(tokens), max(tokens))):
        of_length = [name for name in names if cells[name][0].tokens == length]
        found += [min(of_length, key=lambda n: _size(cells[n][0])), max(of_length, key=lambda n: _size(cells[n][0]))]
    return list(dict.fromkeys(found))
