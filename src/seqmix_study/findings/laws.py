"""Estimators of laws along an axis: where two curves cross, exponents, and how much more one side needs."""

import numpy as np
import pandas as pd
from scipy import stats

from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.crossover import crossover
from seqmix_study.findings.effects import Effect, estimator, student
from seqmix_study.findings.fits.exponents import compare_exponents
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.linear import Contrast
from seqmix_study.findings.questions import Rules
from seqmix_study.findings.select import NotDecided, Sample, Tables
from seqmix_study.findings.shapes import by_seed


@estimator
def crossing(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """The ``x`` from which ``first`` is lower than ``second``; an end outside the range says on which side it lies."""
    q = sample.question
    sides = [by_seed(side, q.x) for side in sample.sides]
    shared = sides[0].index.intersection(sides[1].index)
    x, first, second = (part.to_numpy(float) for part in (shared, *(side.loc[shared] for side in sides)))
    *ends, text = crossover(x, first, second, bool(q.options.get("ratio")), rules.level)
    asked = 1.0 if not q.around or x[0] <= q.around <= x[-1] else 0.0
    return Effect(*ends, first.size + second.size, text, log=True, power=asked)


@estimator
def exponent(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """``law: growth``: slope of ln value over ln x at its last doublings. ``law: power``: alpha of E + A x^-alpha.

    With two sides, the difference of two exponents. A fit that its gates refuse is no evidence.
    """
    q = sample.question
    if q.options.get("law", "power") == "growth":
        return _growth(sample.first, q.x, q.options.get("doublings", 4), rules.level)
    fits = []
    for side in sample.sides:
        fit = fit_power(side[q.x], side["value"], seeds=side["seed"])
        if fit.verdict != "ok":
            raise NotDecided(f"the fit is {fit.verdict.replace('_', ' ')}: {'; '.join(fit.reasons)}")
        fits.append(fit)
    value, (lo, hi), method = fits[0].estimates["alpha"], fits[0].intervals["alpha"], "power law past its gates"
    if len(fits) == 2:
        found, method = compare_exponents(*fits), "difference of two power laws, each with its own interval"
        value, (lo, hi) = found["delta"], found["interval"]
    return Effect(value, lo, hi, sum(map(len, sample.sides)), method, (hi - lo) / 4)


def _growth(side: pd.DataFrame, name: str, doublings: float, level: float) -> Effect:
    """Slope of ln value over ln x within the last ``doublings`` of x, resampled in rounds.

    Rounds are interleaved: a slow moment of the machine hits one of every x. Over few doublings attention's slope of
    time over length is below two, because projections (linear in length) dominate there.
    """
    table = by_seed(side.assign(seed=side["round"]) if "round" in side else side, name, 6)
    used = table[table.index >= table.index.max() / 2**doublings * (1 - 1e-9)]
    if len(used) < 3:
        raise NotDecided(f"{len(used)} of {name} within the last {doublings:g} doublings: three are needed")
    values, logs = used.to_numpy(float), np.log(used.index.to_numpy(float))
    x = logs - logs.mean()
    picks = np.random.default_rng(0).integers(0, values.shape[1], (2000, values.shape[1]))
    lo, hi = percentile(np.log(np.median(values[:, picks], 2).T) @ x / (x @ x), level)
    estimate = float(np.log(np.median(values, 1)) @ x / (x @ x))
    return Effect(estimate, lo, hi, table.size, "log-log slope, bootstrap of rounds", (hi - lo) / 4)


@estimator
def reach_ratio(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """How many times the ``x`` of ``second`` does ``first`` need for the same value, over the values both reach?"""
    q = sample.question
    sides = [by_seed(side, q.x) for side in sample.sides]
    x = sides[0].index.intersection(sides[1].index)
    seeds = sides[0].columns.intersection(sides[1].columns)
    if len(x) < 4 or len(seeds) < 2:
        raise NotDecided(f"four values of {q.x} and two seeds that both have are needed")
    curves = [np.minimum.accumulate(side.loc[x, seeds].to_numpy(float), axis=0) for side in sides]
    top, bottom = (pick_([c.mean(1)[at] for c in curves]) for pick_, at in ((min, 0), (max, -1)))
    if bottom >= top:
        raise NotDecided("no value is reached by both")
    targets = np.linspace(top, bottom, 9)[1:-1]
    at = [np.array([np.interp(-targets, -c, np.log(x.to_numpy(float)), np.nan, np.nan) for c in curve.T])
          for curve in curves]  # fmt: skip
    gaps = np.nanmean(at[0] - at[1], axis=1)
    gaps = gaps[np.isfinite(gaps)]
    if len(gaps) < 2 or not gaps.std():
        raise NotDecided("fewer than two seeds share values")
    method = f"interpolated between {q.x}, Student over seeds"
    found = Contrast(float(gaps.mean()), float(stats.sem(gaps)), len(gaps) - 1, len(gaps), method)
    return student(found, rules.level, log=True)
