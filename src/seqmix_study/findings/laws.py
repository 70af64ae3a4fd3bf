"""Estimators of laws along an axis: where two curves cross, exponents, and how much more one side needs."""

import math

import numpy as np
from scipy import stats

from seqmix_study.findings.crossover import crossover
from seqmix_study.findings.effects import Effect, estimator
from seqmix_study.findings.fits.exponents import compare_exponents
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.growth import exponent as growth_exponent
from seqmix_study.findings.questions import Rules
from seqmix_study.findings.select import NotDecided, Sample, Tables
from seqmix_study.findings.shapes import by_seed

__all__: list[str] = []


@estimator
def crossing(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """The ``x`` from which ``first`` is lower than ``second``; an end outside the range says on which side it lies."""
    q = sample.question
    tables_ = [by_seed(side, q.x) for side in sample.sides]
    x = tables_[0].index.intersection(tables_[1].index)
    a, b = (table.loc[x].to_numpy(float) for table in tables_)
    log_ratio = bool(q.options.get("ratio", False))
    found = crossover(x.to_numpy(float), a, b, paired=bool(q.options.get("paired", False)), log_ratio=log_ratio,
                      level=rules.level)  # fmt: skip
    if found.status == "crosses" and found.direction == "first overtakes":
        value, lo, hi = found.value, found.low, found.high
    elif found.status == "none in range":
        below = found.ends[0][2] < 0
        value, lo, hi = math.nan, *((0.0, float(x[0])) if below else (float(x[-1]), math.inf))
    elif found.status == "not resolved" and found.ends[0][1] > 0:
        value, lo, hi = math.nan, found.low, math.inf
    else:
        raise NotDecided(found.text)
    asked = 1.0 if not q.around or x[0] <= q.around <= x[-1] else 0.0
    return Effect(value, lo, hi, a.size + b.size, found.text, log=True, power=asked)


@estimator
def exponent(sample: Sample, rules: Rules, tables: Tables) -> Effect:
    """``law: growth``: slope of ln value over ln x at its last doublings. ``law: power``: alpha of E + A x^-alpha.

    With two sides, the difference of two exponents. A fit that its gates refuse is no evidence.
    """
    q = sample.question
    if q.options.get("law", "power") == "growth":
        side = sample.first.assign(seed=sample.first["round"] if "round" in sample.first else sample.first["seed"])
        table = by_seed(side, q.x, 6)
        found = growth_exponent(table.index.to_numpy(float), table.to_numpy(float), q.options.get("doublings", 4))
        lo, hi = found["low"], found["high"]
        return Effect(found["exponent"], lo, hi, table.size, "log-log slope, bootstrap of rounds", (hi - lo) / 4)
    fits = []
    for side in sample.sides:
        tokens = side.get("tokens")
        edge = side["optimum"].eq("edge") if "optimum" in side else None
        fit = fit_power(side[q.x], side["value"], seeds=side["seed"], tokens=tokens, lr_at_edge=edge)
        if fit.verdict != "ok":
            raise NotDecided(f"the fit is {fit.verdict.replace('_', ' ')}: {'; '.join(fit.reasons)}")
        fits.append(fit)
    n = sum(map(len, sample.sides))
    if len(fits) == 1:
        lo, hi = fits[0].intervals["alpha"]
        return Effect(fits[0].estimates["alpha"], lo, hi, n, "power law past its gates", (hi - lo) / 4)
    found = compare_exponents(*fits)
    lo, hi = found["interval"]
    return Effect(found["delta"], lo, hi, n, "joint profile of two power laws", (hi - lo) / 4)


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
    se, df = float(gaps.std(ddof=1)) / math.sqrt(len(gaps)), len(gaps) - 1
    half = float(stats.t.ppf(0.5 + rules.level / 2, df)) * se
    values = (math.exp(float(gaps.mean()) + step * half) for step in (0, -1, 1))
    return Effect(*values, len(gaps), f"interpolated between {q.x}, Student over seeds", se, df, log=True)
