"""The stages of one group of a study: sweeps of its cells (or of those of a rate law), choice in families, evidence."""

import math
from dataclasses import dataclass, field

from seqmix import accounting, study
from seqmix.config import Rate, RunConfig
from seqmix_study.results.rows import Config
from seqmix_study.runs import rate_law
from seqmix_study.runs.bracket import START, Optimum, rate, search, step_of
from seqmix_study.runs.precision import allowed


@dataclass
class Resolved:
    """``runs``: all that is decided, most valuable first, done or not; ``waiting``: cell -> what it waits for.

    ``open``: the groups that such cells are of.
    """

    runs: list[Config] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    sweeps: dict[str, Optimum] = field(default_factory=dict)


def cell_of(config: RunConfig) -> str:
    """Return the name of a run's cell: arm, size, source, steps, and a hash of everything but seed and rate."""
    bare = with_rate(config, 0.0, seed=0)
    return f"{config.arm}-{config.size}-{config.data.source}-{config.train.steps}-{bare.sha256()[:8]}"


def with_rate(config: RunConfig, lr: float, seed: int, **labels) -> RunConfig:
    """Return the run at another rate and seed."""
    train = config.train.model_copy(update={"lr": lr})
    return config.model_copy(update={"train": train, "seed": seed, "data_seed": seed, **labels})


class Cell:
    """Runs that differ by their seed only; ``decided``: their rate and where that came from, once known.

    ``place``: what tells a cell from the other cells of its arm; ``size_and_steps``: by what a study names cells.
    """

    def __init__(self, name: str, first: RunConfig) -> None:
        self.name, self.first, self.seeds = name, first, []
        self.decided: tuple[float, Rate] | None = None
        self.parameters = non_embedding(first)
        self.size_and_steps = first.size, first.train.steps
        self.place = (*self.size_and_steps, first.data.sha256(), first.train.batch_size)

    def swept(self, found: Optimum) -> rate_law.Swept:
        return rate_law.Swept(self.parameters, self.first.tokens, found)

    def tuned(self, seeds: int | None = None) -> list[RunConfig]:
        """Return the first ``seeds`` runs (all of them) at the rate that was decided."""
        lr, about = self.decided
        return [with_rate(config, lr, config.seed, rate=about) for config in self.seeds[:seeds]]


class Stages:
    """One group that asks for tuned rates."""

    def __init__(self, group: study.Group, templates: list[RunConfig], known, checks: dict, out: Resolved) -> None:
        """``templates``: runs whose rate or precision is not decided; ``known``: see known.py.

        ``checks``: tune.shifts; ``out`` is added to.
        """
        self.tune, self.families, self.known, self.out = group.tune, group.families, known, out
        self.check = group.role == "check"
        self.trials: list[RunConfig] = []
        self.cells: dict[str, Cell] = {}
        for config in templates:
            if config.train.precision == "checked":
                precision = allowed(config.model, checks)
                if precision is None:
                    out.waiting[cell_of(config)] = "the precision check of its kind of model (study 'precision')"
                    continue
                config = config.model_copy(update={"train": config.train.model_copy(update={"precision": precision})})
            if (name := cell_of(config)) not in self.cells:
                self.cells[name] = Cell(name, config)
            self.cells[name].seeds.append(config)

    def runs(self) -> list[RunConfig]:
        """Return trials, runs that decide within families, and evidence, as far as they are known."""
        by_arm: dict[str, list[Cell]] = {}
        for cell in self.cells.values():
            by_arm.setdefault(cell.first.arm, []).append(cell)
        for arm in sorted(by_arm, key=lambda arm: arm in self.tune.like):
            cells = sorted(by_arm[arm], key=lambda cell: (cell.first.tokens, cell.parameters))
            if other := by_arm.get(self.tune.like.get(arm)):
                self._like(cells, other)
            else:
                self._law(cells) if self.tune.law else self._each(cells)
        for cell in self.cells.values():
            if not cell.decided:
                self.out.waiting.setdefault(cell.name, "its learning-rate sweep")
        return self.trials + self._published()

    def _search(self, cell: Cell, start: int, fine: bool = True, twice: bool = False) -> Optimum | None:
        """Advance the sweep of a cell; decide and return its optimum, or None with the trials it needs planned."""
        template, losses = self._template(cell), {}
        sweep = cell_of(template)
        while True:
            found = search(losses, self.tune.margin, start, fine, self.tune.span, twice)
            if isinstance(found, Optimum):
                self.out.sweeps[sweep] = found
                cell.decided = _from_sweep(sweep, found)
                return found
            for step, seed in found:
                config = with_rate(template, rate(step), seed, role="sweep", rate=Rate(sweep=sweep), evaluate=())
                self.trials.append(config)
                if (ended := self.known.of(config)) is not None:
                    losses[step, seed] = ended.score(config.train.steps)
            if not losses.keys() >= set(found):
                return None

    def _template(self, cell: Cell) -> RunConfig:
        """Return the run that a sweep varies: the cell's own, in float32 where both precisions are to share a rate."""
        how = {"precision": "float32"} if self.check else {}
        return cell.first.model_copy(update={"train": cell.first.train.model_copy(update=how)})

    def _each(self, cells: list[Cell]) -> None:
        """Sweep every cell of an arm, each from the optimum of the one before it; two that share a sweep once."""
        start, done = START, {}
        for cell in cells:
            sweep = cell_of(self._template(cell))
            if sweep not in done:
                done[sweep] = self._search(cell, start, fine=not (self.tune.follow and done))
            if done[sweep] is None:
                return
            cell.decided = _from_sweep(sweep, done[sweep])
            start = round(done[sweep].vertex)

    def _like(self, cells: list[Cell], others: list[Cell]) -> None:
        """Check in every cell of an arm the rate that another arm's search found there."""
        there = {other.place: other.decided for other in others if other.decided}
        for cell in cells:
            if cell.place in there:
                self._search(cell, step_of(there[cell.place][1].optimum), fine=False)

    def _law(self, cells: list[Cell]) -> None:
        """Sweep the cells that the law is fitted to, then the corners of the grid that check it; predict the rest."""
        base, start, fitted, checks = [c for c in cells if c.size_and_steps in self.tune.law], START, [], []
        for cell in base:
            if (found := self._search(cell, start)) is None:
                return
            start = round(found.vertex)
            fitted.append(cell.swept(found))
        if not base:
            why = f"cells of its rate law: none of {list(self.tune.law)} is in its grid"
            self.out.waiting |= {cell.name: why for cell in cells}
            return
        first = rate_law.fit(fitted)
        for cell in (checked := self._checked(cells)):
            step, twice = first.step(cell.parameters, cell.first.tokens), cell.size_and_steps in self.tune.twice
            if found := self._search(cell, step, fine=False, twice=twice):
                checks.append(cell.swept(found))
        if len(checks) < len(checked):  # a check that is still missing would move the rates of all when it comes
            self.out.waiting |= {cell.name: "the check of its rate law" for cell in cells if not cell.decided}
            return
        law = rate_law.fit(fitted, checks, refit=self.tune.margin / 2)
        label, curvature = f"law of {', '.join(c.name for c in base)}", max(c.optimum.curvature for c in fitted)
        for cell in (cell for cell in cells if not cell.decided):
            size = cell.parameters, cell.first.tokens
            rounded = curvature * (law.step(*size) / 2 - law.octaves(*size)) ** 2  # to the grid of half octaves
            regret, high = (lost + rounded for lost in law.error(cell.first.tokens))
            about = _about(label, law.octaves(*size), "law", curvature, regret, high)
            cell.decided = rate(law.step(*size)), about

    def _checked(self, cells: list[Cell]) -> list[Cell]:
        """Return the cells of an arm that the law is checked at: those that the study names, else the corners."""
        named = [cell for cell in cells if cell.size_and_steps in self.tune.check]
        corners = named if self.tune.check else _corners(cells)
        return [cell for cell in corners if cell.size_and_steps not in self.tune.law]

    def _published(self) -> list[RunConfig]:
        """Return the runs of decided cells; of a family first one seed a member, then all seeds of the best."""
        runs: list[RunConfig] = []
        families: dict[tuple, list[Cell]] = {}
        for cell in self.cells.values():
            families.setdefault((cell.first.family, *cell.place), []).append(cell)
        for (family, *_), cells in families.items():
            members = [cell for cell in cells if cell.decided]
            if family not in self.families:
                runs += [config for cell in members for config in cell.tuned()]
                continue
            first = [config for cell in members for config in cell.tuned(1)]
            runs += [config.model_copy(update={"role": "choice"}) for config in first]
            ended = [self.known.of(config) for config in first]
            if len(members) < len(cells) or None in ended:
                for cell in cells:
                    self.out.waiting.setdefault(cell.name, "the choice within its family")
                continue
            scores = [outcome.score(config.train.steps) for outcome, config in zip(ended, first, strict=True)]
            runs += members[scores.index(min(scores))].tuned()
        return runs


def _from_sweep(sweep: str, found: Optimum) -> tuple[float, Rate]:
    return found.rate, _about(sweep, found.vertex / 2, found.where, found.curvature, found.regret, found.regret_hi)


def _about(sweep: str, octaves: float, where: str, *numbers: float) -> Rate:
    """Return where a rate came from; ``numbers``: curvature, regret and its bound.

    A configuration holds six digits of each, and a large number for infinity.
    """
    plain = [float(f"{number:.6g}") if math.isfinite(number) else 1e9 for number in (2**octaves, *numbers)]
    named = dict(zip(("optimum", "curvature", "regret", "regret_hi"), plain, strict=True))
    return Rate(sweep=sweep, where=where, **named)


def non_embedding(config: RunConfig) -> int:
    """Return the size of a run's model."""
    return accounting.parameters(config.model)["non_embedding"]


def flops(config: Config) -> float:
    """Return the training FLOPs of a run; those of a measurement of speed count as none."""
    if config.kind == "speed":
        return 0.0
    return accounting.train_flops_per_token(config.model, config.data.seq_len) * config.tokens


def _corners(cells: list[Cell]) -> list[Cell]:
    """Return the smallest and the largest cell of the shortest and of the longest training."""
    tokens = [cell.first.tokens for cell in cells]
    found = []
    for length in dict.fromkeys((min(tokens), max(tokens))):
        of_length = [cell for cell in cells if cell.first.tokens == length]
        found += [end(of_length, key=lambda cell: cell.parameters) for end in (min, max)]
    return list(dict.fromkeys(found))
