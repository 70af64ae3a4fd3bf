"""Deciders that need a fitted law or an interpolated curve: exponents, iso-loss sizes, crossings."""

import math

import numpy as np
import pandas as pd

from seqmix_study.findings import crossover as crossings
from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_scaling import ladder, per_corpus
from seqmix_study.findings.decide_tables import Evidence, common_cells, scope, short
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds

__all__ = ["crossover", "exponent_difference", "iso_loss_ratio", "own_exponent"]


def _fit(rows: pd.DataFrame, arm: str):
    """Return the fit of one arm's ladder; raises NotTested with the gates' reasons unless it is "ok"."""
    from seqmix_study.findings.fits.power import fit_power

    rows = rows[rows["arm"] == arm]
    fit = fit_power(rows["size"], rows["loss"], seeds=rows["seed"], tokens=rows["tokens"], cross_check=False)
    if fit.verdict != "ok":
        raise NotTested(f"the fit of {arm} is {fit.verdict.replace('_', ' ')}: {'; '.join(fit.reasons)}")
    return fit


def own_exponent(evidence: Evidence, arm: str) -> Decision:
    """Report our own exponent of one arm, if the fit passes every gate: supported means that a law can be quoted."""

    def ask(source: str) -> Decision:
        rows = ladder(evidence, "scaling", [arm], source)
        fit = _fit(rows, arm)
        alpha, (lo, hi) = fit.estimates["alpha"], fit.intervals["alpha"]
        text = f"Exponent of {arm}: {d.interval(alpha, lo, hi)}, from {len(fit.points['N'])} sizes."
        return Decision(d.directional(lo, hi, 0.0), text, alpha, lo, hi, "exponent", tuple(rows["run_id"]),
                        int(rows["seed"].nunique()), scope(rows))  # fmt: skip

    return per_corpus(evidence, "scaling", [arm], ask)


def exponent_difference(evidence: Evidence, steeper: str, flatter: str, margin: float = 0.02) -> Decision:
    """Is the exponent of ``steeper`` larger? Interval from the joint profile of both ladders."""

    def ask(source: str) -> Decision:
        from seqmix_study.findings.fits.exponents import compare_exponents

        rows = ladder(evidence, "scaling", [steeper, flatter], source)
        found = compare_exponents(_fit(rows, steeper), _fit(rows, flatter))
        delta, (lo, hi) = found["delta"], found["interval"]
        text = f"Exponent of {steeper} minus exponent of {flatter}: {d.interval(delta, lo, hi)}."
        return Decision(d.directional(lo, hi, margin), text, delta, lo, hi, "exponent", tuple(rows["run_id"]),
                        int(rows["seed"].nunique()), scope(rows))  # fmt: skip

    return per_corpus(evidence, "scaling", [steeper, flatter], ask)


def size_for_loss(log_n: np.ndarray, loss: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return ln N at which a ladder reaches each target, by linear interpolation; NaN outside its range.

    The ladder is made monotone first (running minimum): noise must not give one loss two sizes.
    """
    falling = np.minimum.accumulate(loss)
    keep = np.concatenate([[True], np.diff(falling) < 0])
    return np.interp(-targets, -falling[keep], log_n[keep], left=np.nan, right=np.nan)


def iso_loss_ratio(
    evidence: Evidence, leaner: str, other: str, margin: float = 1.1, seeds: int = 3, min_sizes: int = 4
) -> Decision:
    """How many times the parameters of ``leaner`` does ``other`` need for the same loss, over the losses both reach?"""

    def ask(source: str) -> Decision:
        rows = ladder(evidence, "scaling", [leaner, other], source)
        cells = common_cells(rows, [leaner, other], ["size"], seeds)
        wide = {arm: cells[arm].unstack("size").dropna() for arm in (leaner, other)}
        if wide[leaner].shape[1] < min_sizes:
            raise NotTested(f"{min_sizes} matched sizes are needed, the tables have {wide[leaner].shape[1]}")
        sizes = np.log(wide[leaner].columns.to_numpy(float))
        # fixed for all seeds: the losses that the mean curves share
        means = {arm: np.minimum.accumulate(frame.mean().to_numpy()) for arm, frame in wide.items()}
        top, bottom = min(m[0] for m in means.values()), max(m[-1] for m in means.values())
        if bottom >= top:
            raise NotTested(f"no loss is reached by both {leaner} and {other} within the sizes measured")
        targets = np.linspace(top, bottom, 9)[1:-1]
        per_seed = []
        for a, b in zip(wide[leaner].to_numpy(), wide[other].to_numpy(), strict=True):
            gap = size_for_loss(sizes, b, targets) - size_for_loss(sizes, a, targets)
            if np.isfinite(gap).any():
                per_seed.append(np.nanmean(gap))
        effect = of_seeds(np.array(per_seed))
        ratio, lo, hi = (math.exp(v) for v in (effect.estimate, effect.lo, effect.hi))
        text = (
            f"For the same loss ({bottom:.2f} to {top:.2f} nats) {other} needs "
            f"{d.interval(ratio, lo, hi, 'times', 2)} the parameters of {leaner}."
        )
        return Decision(d.directional(lo, hi, margin), text, ratio, lo, hi, "ratio of parameters",
                        tuple(rows["run_id"]), effect.seeds, scope(rows))  # fmt: skip

    return per_corpus(evidence, "scaling", [leaner, other], ask)


def crossover(
    evidence: Evidence, below: str, above: str, claimed: float, factor: float = 2.0, seeds: int = 3
) -> Decision:
    """Does ``below`` pass under ``above`` at ``claimed`` parameters? Untested if that size was not measured."""

    def ask(source: str) -> Decision:
        rows = ladder(evidence, "scaling", [below, above], source)
        cells = common_cells(rows, [below, above], ["size"], seeds)
        wide = (cells[above] - cells[below]).unstack("size").dropna()
        sizes = wide.columns.to_numpy(float)
        pair = (cells[arm].unstack("size").dropna().to_numpy().T for arm in (below, above))
        found = crossings.crossover(sizes, *pair, unit=" parameters", names=(below, above))
        crosses = found.status == "crosses" and found.direction == "first overtakes"
        where = [found.value, found.low, found.high] if crosses else [math.nan] * 3
        own = found.text
        if not sizes[0] <= claimed <= sizes[-1]:
            verdict = d.UNTESTED
            own = (
                f"{short(claimed)} parameters lie outside the sizes measured ({short(sizes[0])} to "
                f"{short(sizes[-1])}); {own}"
            )
        elif not math.isfinite(where[0]):
            verdict = d.CLOSE if found.status == "not resolved" else d.REFUTED
        else:
            inside = claimed / factor < where[1] and where[2] < claimed * factor
            outside = where[2] < claimed / factor or where[1] > claimed * factor
            verdict = d.SUPPORTED if inside else d.REFUTED if outside else d.CLOSE
        return Decision(verdict, own + ".", *where, "parameters", tuple(rows["run_id"]), len(wide), scope(rows))

    return per_corpus(evidence, "scaling", [below, above], ask)
