"""The stages of one group of a study: sweeps of its cells (or of those of a rate law), choice in families, evidence."""

import math
from dataclasses import dataclass, field

from seqmix import accounting, study
from seqmix.config import Rate, RunConfig, SpeedConfig
from seqmix_study.runs import rate_law
from seqmix_study.runs.bracket import START, Optimum, rate, search, step_of
from seqmix_study.runs.precision import allowed

__all__ = ["Resolved", "Stages", "cell_of", "non_embedding", "with_rate"]


@dataclass
class Resolved:
    """``runs``: all that is decided, most valuable first, done or not; ``waiting``: cell -> what it waits for."""

    runs: list[RunConfig | SpeedConfig] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    sweeps: dict[str, Optimum] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every run of the study is known by its rate (not whether it is done)."""
        return not self.waiting


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


class Stages:
    """One group that asks for tuned rates."""

    def __init__(self, group: study.Group, templates: list[RunConfig], known, checks: dict, out: Resolved) -> None:
        """``templates``: runs whose rate or precision is not decided; ``known``: see known.py.

        ``checks``: precision.shifts; ``out`` is added to.
        """
        self.group, self.known, self.out = group, known, out
        self.trials: list[RunConfig] = []
        self.cells: dict[str, list[RunConfig]] = {}
        for config in templates:
            if config.train.precision == "checked":
                precision = allowed(config.model, checks)
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
        for arm in sorted(by_arm, key=lambda arm: arm in self.group.tune.like):
            names = by_arm[arm]
            names.sort(key=lambda name: (self.cells[name][0].tokens, non_embedding(self.cells[name][0])))
            if other := by_arm.get(self.group.tune.like.get(arm)):
                self._like(names, other, decided)
            else:
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
            found = search(losses, self.group.tune.margin, start, fine, self.group.tune.span)
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
                    losses[trial] = ended.score(config.train.steps)
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
            found = done.get(sweep) or self._search(name, start, fine=not (self.group.tune.follow and done))
            if found is None:
                return
            done[sweep] = found
            start = round(found.vertex)
            decided[name] = _from_sweep(sweep, found)

    def _like(self, names: list[str], others: list[str], decided: dict[str, _Decided]) -> None:
        """Check in every cell of an arm the rate that another arm's search found there."""
        there = {_place(self.cells[other][0]): other for other in others}
        for name in names:
            other = decided.get(there.get(_place(self.cells[name][0])))
            found = self._search(name, step_of(other.rate.optimum), fine=False) if other else None
            if found is not None:
                decided[name] = _from_sweep(cell_of(self._swept(self.cells[name][0])), found)

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
        for name in self.checked(names):
            config = self.cells[name][0]
            found = self._search(name, first.step(non_embedding(config), config.tokens), fine=False)
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
            octaves = law.octaves(non_embedding(config), config.tokens)
            step = law.step(non_embedding(config), config.tokens)
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

    def checked(self, names: list[str]) -> list[str]:
        """Return the cells of an arm that the law is checked at: those that the study names, else the corners."""
        place = {name: (self.cells[name][0].size, self.cells[name][0].train.steps) for name in names}
        wanted = [name for name in names if place[name] in self.group.tune.check]
        corners = wanted if self.group.tune.check else _corners(names, self.cells)
        return [name for name in corners if place[name] not in self.group.tune.law]

    def _cell(self, name: str, found: Optimum) -> rate_law.Swept:
        config = self.cells[name][0]
        return rate_law.Swept(non_embedding(config), config.tokens, found)

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
            best = min(members, key=lambda name: ended[name].score(self.cells[name][0].train.steps))
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


def non_embedding(config: RunConfig) -> int:
    """Return the size of a run's model."""
    return accounting.parameters(config.model)["non_embedding"]


def _sibling(config: RunConfig) -> tuple:
    """Return what members of one family share in one cell."""
    return config.family, *_place(config)


def _place(config: RunConfig) -> tuple:
    """Return what tells a cell from the other cells of its arm."""
    return config.size, config.data.sha256(), config.train.steps, config.train.batch_size


def _corners(names: list[str], cells: dict[str, list[RunConfig]]) -> list[str]:
    """Return the smallest and the largest cell of the shortest and of the longest training."""
    tokens = [cells[name][0].tokens for name in names]
    found = []
    for length in dict.fromkeys((min(tokens), max(tokens))):
        of_length = [name for name in names if cells[name][0].tokens == length]
        found += [
            min(of_length, key=lambda n: non_embedding(cells[n][0])),
            max(of_length, key=lambda n: non_embedding(cells[n][0])),
        ]
    return list(dict.fromkeys(found))
