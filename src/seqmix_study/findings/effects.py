"""The estimators: each turns the two sides of a sample into an effect with its interval, units and method.

``ESTIMATORS`` maps the name used in a questions file to a function (sample, rules, tables) -> Effect. Those about
shapes and ranks stand in ``shapes``, those about laws and crossings in ``laws``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special, stats

from seqmix_study.findings.bootstrap import satterthwaite
from seqmix_study.findings.linear import Contrast, contrast
from seqmix_study.findings.questions import Measure, Rules
from seqmix_study.findings.select import NotDecided, Sample, Tables


@dataclass(frozen=True)
class Effect:
    """An effect with its interval, before any reading. ``log``: lo, hi and margin are compared as ratios."""

    estimate: float
    lo: float
    hi: float
    n: int
    method: str
    se: float = math.nan
    df: float = math.inf
    regret: tuple[float, float] = (0.0, 0.0)
    log: bool = False
    power: float = math.nan
    false_positive: float = math.nan


Estimator = Callable[[Sample, Rules, Tables], Effect]

ESTIMATORS: dict[str, Estimator] = {}


def estimator(function: Estimator) -> Estimator:
    """Register an estimator under its name."""
    ESTIMATORS[function.__name__] = function
    return function


def student(found: Contrast, level: float, bounds: tuple[float, float] | None = None, log: bool = False) -> Effect:
    """Return a contrast as an effect: interval widened by the regret, kept inside its possible range."""
    lo, hi = found.interval(level)
    lo, hi = lo - found.regret[0], hi + found.regret[1]
    if bounds:
        lo, hi = max(lo, bounds[0]), min(hi, bounds[1])
    values = [math.exp(v) for v in (found.estimate, lo, hi)] if log else [found.estimate, lo, hi]
    return Effect(*values, found.n, found.method, found.se, found.df, found.regret, log)


def _fitted(sample: Sample, tables: Tables, x: str = "") -> Contrast:
    """Return the contrast of the sides with the sample of text in its error, where the losses of blocks are known.

    Blocks are the same text for every run, so that what is hard for both sides cancels.
    """
    q = sample.question
    lower, widen = q.better == "lower", q.unit.startswith("nats")
    found = contrast(sample.first, sample.second, sample.match, x, q.log, lower, widen)
    if q.value != "loss" or "blocks" not in tables.frames or not found.weights:
        return found
    losses = tables.block_losses.reindex(sorted(found.weights)).dropna(how="all").dropna(axis=1)
    if losses.shape[1] < 2 or len(losses) < len(found.weights):
        return found
    per_block = np.array([found.weights[run] for run in losses.index]) @ losses.to_numpy(float)
    text = float(per_block.var(ddof=1)) / len(per_block)
    df = satterthwaite((found.se**2, found.df), (text, len(per_block) - 1))
    method = f"{found.method}; {len(per_block)} blocks of text"
    return replace(found, se=math.sqrt(found.se**2 + text), df=df, method=method)


@estimator
def difference(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """``first`` minus ``second`` over the shared cells; the level of ``first`` where there is no second."""
    q = sample.question
    if isinstance(q.value, Measure) and q.value.keep:
        return _over_blocks(sample, q.value.keep, rules.level)
    if q.bounds and (not sample.match or sample.first.groupby(sample.match).ngroups == 1):
        return _bounded(sample, rules.level)
    reach = q.bounds
    if reach and sample.second is not None:
        reach = (reach[0] - reach[1], reach[1] - reach[0])
    return student(_fitted(sample, tables), rules.level, reach)


@estimator
def slope(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Change of the value (or of the gap first - second) per decade of ``x`` (per unit with ``log: false``)."""
    return student(_fitted(sample, tables, sample.question.x), rules.level)


@estimator
def ratio(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """``first`` over ``second``: paired in rounds where both were timed in one process, else in cells and seeds."""
    sides = [side.assign(value=np.log(side["value"].where(side["value"] > 0))).dropna(subset=["value"])
             for side in sample.sides]  # fmt: skip
    if len(sides) < 2 or any(not len(side) for side in sides):
        raise NotDecided("a ratio needs two sides with positive values")
    if "round" in sides[0] and "process" in sides[0]:
        return _rounds(sides, sample, rules.level)
    if any(np.isinf(side["value"]).any() for side in sides):
        raise NotDecided("some runs never got there: a question about time_to_solve, not about a ratio")
    return student(contrast(*sides, sample.match, widen=False), rules.level, log=True)


def _rounds(sides: list[pd.DataFrame], sample: Sample, level: float) -> Effect:
    """Median of the log ratio over interleaved rounds, with the distribution-free interval of the sign test."""
    keys = [c for c in ("process", "round", *sample.match) if c in sides[0]]
    pairs = (sides[0].groupby(keys)["value"].median() - sides[1].groupby(keys)["value"].median()).dropna().to_numpy()
    if len(pairs) < 6:
        raise NotDecided(f"{len(pairs)} rounds in one process: six are needed for an interval of a median")
    ends = _median(pairs, level)
    se = (ends[2] - ends[1]) / 2 / float(stats.t.ppf(0.5 + level / 2, len(pairs) - 1))
    return Effect(*map(math.exp, ends), len(pairs), "median over interleaved rounds", se, len(pairs) - 1, log=True)


def _median(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """Return the median with the distribution-free interval of the sign test."""
    found = stats.quantile_test(values, p=0.5).confidence_interval(confidence_level=level)
    return float(np.median(values)), float(found.low), float(found.high)


def _over_blocks(sample: Sample, block: str, level: float) -> Effect:
    """Seeds and evaluation blocks are both random: variance of each side's seeds (Welch) plus variance of blocks.

    Blocks are the same windows for every run of a length, so that a difference is taken within blocks.
    """
    keys = list(dict.fromkeys((*sample.match, "seed", "arm")))
    tables = [side.pivot_table(index=keys, columns=block, values="value").dropna() for side in sample.sides]
    if any(len(table) < 2 or table.shape[1] < 2 for table in tables):
        raise NotDecided("two seeds and two evaluation blocks with every bin are needed")
    common = tables[0].columns.intersection(tables[-1].columns)
    runs = [table[common] for table in tables]
    means = [run.mean(axis=1) for run in runs]
    cells = [mean.groupby(level=sample.match) if sample.match else mean.groupby(lambda _: 0) for mean in means]
    free = [len(mean) - cell.ngroups for mean, cell in zip(means, cells, strict=True)]
    if min(free) < 1:
        raise NotDecided("two seeds a cell are needed")
    residuals = [mean - cell.transform("mean") for mean, cell in zip(means, cells, strict=True)]
    parts = [(float((each**2).sum()) / len(each) / df, df) for each, df in zip(residuals, free, strict=True)]
    by_block = sum(sign * run.mean() for sign, run in zip((1.0, -1.0), runs, strict=False))
    parts.append((float(by_block.var(ddof=1)) / len(common), len(common) - 1))
    se, df = math.sqrt(sum(variance for variance, _ in parts)), satterthwaite(*parts)
    return student(Contrast(float(by_block.mean()), se, df, sum(map(len, runs)), "seeds and evaluation blocks"), level)


def _bounded(sample: Sample, level: float) -> Effect:
    """Level or difference of a quantity with a possible range: intervals on the logit scale, joined by squares.

    The interval of the difference is that of Newcombe (1998): it stays inside its range.
    """
    low, high = sample.question.bounds
    queries = float(sample.question.options.get("queries", 100))
    parts = [_logit_interval((side["value"].to_numpy(float) - low) / (high - low), queries, level)
             for side in sample.sides]  # fmt: skip
    n = sum(len(side) for side in sample.sides)
    method = "Student on the logit scale"
    if len(parts) == 1:
        value, lo, hi = (low + v * (high - low) for v in parts[0])
        return Effect(value, lo, hi, n, method, (hi - lo) / 4, n - 1)
    return _newcombe(*parts, n, f"{method}, joined by squares", high - low)


def _logit_interval(values: np.ndarray, queries: float, level: float) -> tuple[float, float, float]:
    """Return mean and interval of values in [0, 1]; a value on the edge is half a query away from it."""
    if len(values) < 2:
        raise NotDecided(f"two seeds are needed, there are {len(values)}")
    inside = np.clip(values, 0.5 / queries, 1 - 0.5 / queries)
    logits, mean = special.logit(inside), float(inside.mean())
    floor = 1 / math.sqrt(len(values) * queries * mean * (1 - mean))
    se = max(float(logits.std(ddof=1)) / math.sqrt(len(values)), floor)
    return _from_logit(float(values.mean()), float(logits.mean()), se, len(values) - 1, level)


def _from_logit(value: float, centre: float, se: float, df: int, level: float) -> tuple[float, float, float]:
    """Return ``value`` and the Student interval about the logit ``centre``, widened to hold the value."""
    half = float(stats.t.ppf(0.5 + level / 2, df)) * se
    return value, min(float(special.expit(centre - half)), value), max(float(special.expit(centre + half)), value)


def _newcombe(a: tuple, b: tuple, n: int, method: str, scale: float = 1.0) -> Effect:
    gap = a[0] - b[0]
    lo = gap - math.hypot(a[0] - a[1], b[2] - b[0])
    hi = gap + math.hypot(a[2] - a[0], b[0] - b[1])
    return Effect(gap * scale, lo * scale, hi * scale, n, method, (hi - lo) / 4 * scale, max(n - 2, 1))


@estimator
def share(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Share of runs whose value is ``options.at_least`` or more; Wilson, differences after Newcombe."""
    parts, counts = [], []
    for side in sample.sides:
        values = side["value"]
        good = int((values >= sample.question.options["at_least"]).sum())
        found = stats.binomtest(good, len(values)).proportion_ci(rules.level, method="wilson")
        parts.append((good / len(values), float(found.low), float(found.high)))
        counts.append(len(values))
    if len(parts) == 2:
        return _newcombe(*parts, sum(counts), "Wilson, difference after Newcombe")
    n, q = counts[0], sample.question
    return Effect(*parts[0], n, "Wilson", (parts[0][2] - parts[0][1]) / 4, n - 1,
                  power=_share_power(n, q.around, q.margin, q.detect or q.margin, q.says, rules.level))  # fmt: skip


def _share_power(n: int, around: float, margin: float, detect: float, says: str, level: float) -> float:
    """Return the exact probability that the interval decides if the share lay ``detect`` beyond the threshold."""
    successes = np.arange(n + 1)
    ends = [stats.binomtest(int(k), n).proportion_ci(level, method="wilson") for k in successes]
    up = says in ("above", "not_above")
    threshold = around + margin if up else around - margin
    yes = np.array([end.low > threshold if up else end.high < threshold for end in ends])
    truth = np.clip(threshold + (detect if up else -detect), 0.0, 1.0)
    return float(stats.binom.pmf(successes, n, truth) @ yes)


@estimator
def time_to_solve(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Median of a time that some runs never reach; with two sides, the chance that ``first`` gets there earlier.

    Runs that never get there are later than all others. The interval of the median inverts the sign test; the chance
    (ties count half) has the interval of DeLong (1988) on the logit scale.
    """
    times = [side["value"].dropna().to_numpy(float) for side in sample.sides]
    if len(times) == 2:
        return _earlier(*times, rules.level)
    n = len(times[0])
    if n < 6:
        raise NotDecided(f"an interval of a median needs 6 runs, there are {n}")
    reached = int(np.isfinite(times[0]).sum())
    method = "median, sign test" + (f"; {reached} of {n} get there" if reached < n else "")
    return Effect(*_median(times[0], rules.level), n, method, power=1.0)


def _earlier(a: np.ndarray, b: np.ndarray, level: float) -> Effect:
    if min(len(a), len(b)) < 2:
        raise NotDecided("two runs a side are needed")
    wins = (a[:, None] < b[None]) + 0.5 * (a[:, None] == b[None])
    p = float(wins.mean())
    variance = wins.mean(1).var(ddof=1) / len(a) + wins.mean(0).var(ddof=1) / len(b)
    edge = 0.5 / (len(a) * len(b))
    inside = min(max(p, edge), 1 - edge)
    se = max(math.sqrt(variance), 1 / math.sqrt(12 * min(len(a), len(b)) ** 2)) / (inside * (1 - inside))
    n = len(a) + len(b)
    ends = _from_logit(p, float(special.logit(inside)), se, n - 2, level)
    return Effect(*ends, n, "chance of being earlier", (ends[2] - ends[1]) / 4, n - 2)
