"""Estimators about shapes, places and ranks. The rules about shapes know their own error rates."""

import functools
import math

import numpy as np
import pandas as pd
from scipy import stats

from seqmix_study.findings import detect
from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.context import draws_of, loss_curve
from seqmix_study.findings.effects import Effect, estimator
from seqmix_study.findings.questions import Rules
from seqmix_study.findings.select import NotDecided, Sample, Tables, pick

DRAWS = 4000


def by_seed(side: pd.DataFrame, x: str, least: int = 2) -> pd.DataFrame:
    """Return the values [x, seed] of the seeds that every x has; raises NotDecided below ``least`` seeds."""
    table = side.pivot_table(index=x, columns="seed", values="value").dropna(axis=1)
    if table.shape[1] < least or len(table) < 2:
        raise NotDecided(f"{least} seeds that every {x} has are needed: {table.shape[1]} seeds, {len(table)} of {x}")
    return table


def _noise(y: np.ndarray) -> tuple[float, int]:
    """Return the pooled standard deviation within arms of ``y`` [arms, seeds] and its degrees of freedom."""
    df = y.shape[0] * (y.shape[1] - 1)
    sd = math.sqrt(float(((y - y.mean(1, keepdims=True)) ** 2).sum()) / df)
    if sd == 0:
        raise NotDecided("the values do not vary at all between seeds: are they copies of one run?")
    return sd, df


def _redrawn(y: np.ndarray, side: pd.DataFrame | None, x: str, draws: int = DRAWS) -> np.ndarray:
    """Return draws [draws, arms] of the arm means: Student noise of pooled residuals, less a part of the regret."""
    sd, df = _noise(y)
    generator = np.random.default_rng(0)
    means = y.mean(1) + generator.standard_t(df, (draws, len(y))) * sd / math.sqrt(y.shape[1])
    if side is not None and "regret" in side and side["regret"].notna().any():
        regret = side.groupby(x)["regret"].mean().fillna(0.0).clip(lower=0.0).to_numpy()
        means = means - generator.uniform(0, 1, means.shape) * regret
    return means


#: The interval of a statistic whose values are places, ranks or shares: its ends are draws.
_ends = functools.partial(percentile, method="closest_observation")


@estimator
def argmin(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """The ``x`` at which the mean is lowest (``better: higher``: highest), with the interval of redrawn means."""
    sign = 1.0 if sample.question.better == "lower" else -1.0
    table = by_seed(sample.first, sample.question.x)
    x, y = table.index.to_numpy(float), sign * table.to_numpy(float)
    places = x[_redrawn(y, sample.first, sample.question.x).argmin(1)]
    return Effect(float(x[y.mean(1).argmin()]), *_ends(places, rules.level), y.size, "redrawn means", power=1.0)


@estimator
def rank(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Rank (1: best) of the contestant ``options.of`` among the values of ``x`` (default: arms), with its interval."""
    q = sample.question
    x, sign = q.x or "arm", 1.0 if q.better == "lower" else -1.0
    table = by_seed(sample.first, x)
    if q.options["of"] not in table.index:
        raise NotDecided(f"no finished rows of {q.options['of']}")
    at, y = table.index.get_loc(q.options["of"]), sign * table.to_numpy(float)

    def interval(values: np.ndarray, side: pd.DataFrame | None, draws: int) -> tuple[float, float]:
        means = _redrawn(values, side, x, draws)
        return _ends((means < means[:, at, None]).sum(1) + 1.0, rules.level)

    sd, _ = _noise(y)
    better = np.zeros(len(y))
    better[at] = (-1.0 if q.around < len(y) / 2 else 1.0) * float(q.options.get("gap", 0.02))

    def decides(trial: np.ndarray) -> bool:
        lo, hi = interval(trial, None, 200)
        return hi < q.around if better[at] < 0 else lo > q.around

    power = detect.rate(decides, better, sd, y.shape[1], 100)
    wrong = detect.rate(decides, np.zeros(len(y)), sd, y.shape[1], 100)
    estimate = float((y.mean(1) < y.mean(1)[at]).sum() + 1)
    ends = interval(y, sample.first, DRAWS)
    return Effect(estimate, *ends, y.size, "redrawn means", power=power, false_positive=wrong)


def two_line_fall_and_rise(x: np.ndarray, y: np.ndarray, level: float = 0.95) -> list[tuple[float, float, float]]:
    """Return (estimate, lo, hi) of the fall before the lowest mean and of the rise after it; ``y`` [arms, seeds].

    The arm of the lowest mean belongs to neither line (it was chosen for being low). A side needs three arms; of the
    error within arms and the misfit of the line the larger counts, and each line is fitted again without its outermost
    arm: one bad arm at an end makes no rise. Of the two fits the weaker is returned. A side of fewer arms
    has no lower end.
    """
    means, seeds = y.mean(1), y.shape[1]
    sd, df = _noise(y)
    low = int(means.argmin())
    out = []
    for part, sign, drop in ((np.arange(low), -1.0, slice(1, None)), (np.arange(low + 1, len(x)), 1.0, slice(-1))):
        if len(part) < 3:
            rest = float(means[part].mean() - means[low]) if len(part) else 0.0
            half = float(stats.t.ppf(0.5 + level / 2, df)) * sd * math.sqrt((1 + 1 / max(len(part), 1)) / seeds)
            out.append((rest, -math.inf, rest + half))
            continue
        fits, reach = [], float(np.ptp(x[part]))
        for at in (part, part[drop]) if len(part) > 3 else (part,):
            centred, free = x[at] - x[at].mean(), len(at) - 2
            square = float(centred @ centred)
            b = float(centred @ means[at]) / square
            misfit = means[at] - means[at].mean() - b * centred
            error, used = max((sd**2 / seeds, df), (float(misfit @ misfit) / free, free))
            fall, half = sign * b * reach, float(stats.t.ppf(0.5 + level / 2, used)) * math.sqrt(error / square) * reach
            fits.append((fall, fall - half, fall + half))
        out.append(min(fits, key=lambda fit: fit[1]))
    return out


@estimator
def two_lines(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Smaller of the fall before and the rise after the lowest mean: above the margin, the curve is a U.

    Power: a V as deep as ``detect`` on both sides. False positives: the worst of several worlds without a U.
    """
    q = sample.question
    table = by_seed(sample.first, q.x)
    x, y = table.index.to_numpy(float), table.to_numpy(float)
    if len(x) < 7:
        raise NotDecided(f"a U needs seven values of {q.x} or more, there are {len(x)}")
    sides = two_line_fall_and_rise(x, y, rules.level)
    effect, lo, hi = (min(side[i] for side in sides) for i in range(3))
    sd, _ = _noise(y)

    def decides(trial: np.ndarray) -> bool:
        return min(side[1] for side in two_line_fall_and_rise(x, trial, rules.level)) > q.around + q.margin

    wrong = max(detect.rate(decides, shape, sd, y.shape[1]) for shape in detect.null_shapes(y.mean(1)))
    middle = (x[0] + x[-1]) / 2
    vee = np.abs(x - middle) / (x[-1] - middle) * 2 * (q.margin + (q.detect or q.margin))
    power = detect.rate(decides, vee, sd, y.shape[1])
    return Effect(effect, lo, hi, y.size, f"two lines about {q.x} = {x[y.mean(1).argmin()]:g}", power=power,
                  false_positive=wrong)  # fmt: skip


@estimator
def plateau(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Index after which every bin of the loss stays within the option ``tolerance`` of the last octave.

    ``lo``: end of the last bin that is surely above it, ``hi``: start of the first bin from which all surely are not
    (simultaneous bounds over seeds and evaluation blocks); infinity where none is.
    """
    q = sample.question
    rows = tables.frames[q.value.table]
    try:
        bins, *sums = loss_curve(pick(rows[rows["run"].isin(sample.first["run"])], q.value.where))
    except (KeyError, ValueError) as error:
        raise NotDecided(str(error)) from error
    lo, hi = bins.T
    start, tolerance = float(q.options.get("start", 8)), float(q.options.get("tolerance", 0.02))
    tail = lo >= int(hi[-1] - 1) / 2 - 1e-9  # the last octave of the index, (T/2, T]
    early = np.flatnonzero((lo >= start) & ~tail)
    if not len(early):
        raise NotDecided(f"no bins between {start:g} and the last octave")
    estimate, draws = draws_of(*sums, np.vstack([np.eye(len(lo))[early], tail]))
    gap, drawn = estimate[:-1] - estimate[-1], draws[:, :-1] - draws[:, -1:]
    sd = drawn.std(0) + 1e-12
    critical = float(np.quantile(np.abs((drawn - gap) / sd).max(1), rules.level))

    def flat_from(values: np.ndarray, otherwise: float) -> float:
        bad = np.flatnonzero(~(values < tolerance))
        at = bad[-1] + 1 if len(bad) else 0
        return float(lo[early][at]) if at < len(early) else otherwise

    end = float(hi[early][-1])
    return Effect(flat_from(gap, end), flat_from(gap - critical * sd, end), flat_from(gap + critical * sd, math.inf),
                  len(sums[0]), "simultaneous bounds over bins", power=1.0)  # fmt: skip


@estimator
def agreement(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Kendall's tau between the rankings of the arms at the smallest and at the largest value of ``x``."""
    q = sample.question
    rows = sample.first
    ends = sorted(rows[q.x].unique())
    if len(ends) < 2:
        raise NotDecided(f"one value of {q.x} only")
    short, long = (by_seed(rows[rows[q.x] == end], "arm") for end in (ends[0], ends[-1]))
    arms = short.index.intersection(long.index)
    if len(arms) < 4:
        raise NotDecided(f"four arms at both ends of {q.x} are needed, there are {len(arms)}")
    tables_ = [table.loc[arms].to_numpy(float) for table in (short, long)]
    tau = lambda a, b: float(stats.kendalltau(a, b).statistic)  # noqa: E731
    drawn = [tau(a, b) for a, b in zip(*(_redrawn(y, None, "arm", 1000) for y in tables_), strict=True)]
    lo, hi = _ends(np.array(drawn), rules.level)
    ceiling = np.mean([tau(tables_[0].mean(1), b) for b in _redrawn(tables_[0], None, "arm", 300)])
    power = 0.0 if ceiling < q.around + q.margin else 1.0
    return Effect(tau(*(y.mean(1) for y in tables_)), max(lo, -1.0), min(hi, 1.0), sum(y.size for y in tables_),
                  f"redrawn means; a ranking agrees with itself at {ceiling:.2f}", power=power)  # fmt: skip


@estimator
def variance(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """Variance between the levels of ``options.one`` minus that of ``options.other``, as a share of all variance.

    Components per level, corrected for noise: a factor with more levels gets no advantage.
    """
    one, other = sample.question.options["one"], sample.question.options["other"]
    table = sample.first.pivot_table(index=[other, "seed"], columns=one, values="value").dropna()
    counts = table.groupby(level=other).size()
    levels = counts[counts >= 2].index
    if len(levels) < 2 or table.shape[1] < 2:
        raise NotDecided(f"two values of {other} that have every {one}, with two seeds each, are needed")
    table = table[table.index.get_level_values(other).isin(levels)]
    means = table.groupby(level=other).mean().to_numpy()
    residual = (table - table.groupby(level=other).transform("mean")).to_numpy()
    seeds = float(counts[levels].mean())
    noise = float((residual**2).sum()) / (residual.size - means.size)
    drawn = means + np.random.default_rng(0).standard_normal((DRAWS, *means.shape)) * math.sqrt(noise / seeds)
    lo, hi = _ends(_components(drawn, 2 * noise / seeds, noise), rules.level)
    value = float(_components(means[None], noise / seeds, noise)[0])
    return Effect(value, max(lo, -1.0), min(hi, 1.0), table.size, "variance components", (hi - lo) / 4)


def _components(means: np.ndarray, error: float, noise: float) -> np.ndarray:
    """Return (component of columns - component of rows) / (both + noise) for ``means`` [draws, rows, columns]."""
    rows, columns = means.shape[1:]
    by_row = np.maximum(means.mean(2).var(1, ddof=1) - error / columns, 0.0)
    by_column = np.maximum(means.mean(1).var(1, ddof=1) - error / rows, 0.0)
    return (by_column - by_row) / (by_column + by_row + noise)
