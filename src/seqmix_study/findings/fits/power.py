"""Fit a ladder of sizes: L(N) = E + A N^-alpha, or say that the table does not carry one.

Variable projection on size means with k - 3 degrees of freedom, profile-likelihood intervals. The gates (``gates.py``)
decide between ``ok``, ``slope_only`` and ``refused``.
"""

from typing import Any

import numpy as np
from scipy.special import fdtrc, stdtrit
from scipy.stats import linregress

from seqmix_study.findings.fits.fit import Fit, Gate, at_most, data_hash, verdict_of
from seqmix_study.findings.fits.gates import floors, ladder_gates
from seqmix_study.findings.fits.ladder import Ladder
from seqmix_study.findings.fits.optima import CLOSE
from seqmix_study.findings.fits.profile import BOUNDS, Profile, resample_alphas

#: p-value of the scatter of size means, given that of their seeds, below which intervals allow for a start of its own:
#: it costs exact laws little, and 0.2 let 12 of 80 laws pass that fail at their small end, 0.5 lets 6.
MISFIT = 0.5


def fit_power(n: Any, loss: Any, *, seeds: Any = None, level: float = 0.95, n_boot: int = 1000, rng: int = 0) -> Fit:
    """Fit one family's losses ``loss`` (nats per token, one a run) at sizes ``n`` (parameters).

    Rows at equal N are repeats. The form is P3; K where no constant can be told from zero, S2 where no curvature can.
    Raises ValueError for non-positive or non-numeric values; a bad design is no error but a verdict.
    """
    ladder = Ladder.from_rows(n, loss, seeds)
    fit = Fit("P3", "varpro", level=level, slope=_slope(ladder, level), hash=data_hash(n, loss))
    fit.points = {"N": ladder.n.tolist(), "loss": ladder.mean.tolist()}
    fit.points |= {"se": ladder.se.tolist(), "count": ladder.count.tolist()}
    profile = Profile(ladder.log_n, ladder.mean) if ladder.k >= 4 else None
    if profile:
        _fit_curve(fit, ladder, profile, n_boot, rng)
    fit.gates = list(ladder_gates(fit, ladder, profile))
    if profile:
        _small_end(fit, ladder)
    fit.verdict = verdict_of(fit.gates, bool(fit.slope) and fit.slope["interval"][1] < 0)
    if ladder.copies:
        what = "are exact copies of others" if seeds is None else "repeat a size and seed of others"
        fit.notes.append(f"{ladder.copies} rows {what} and count as one run")
    if fit.verdict == "slope_only":  # the straight line in ln N, and of the exponent an interval without estimate
        fit.form, fit.objective = "S2", fit.slope["sse"]
        fit.estimates = {"c0": fit.slope["c0"], "slope": fit.slope["per_efold"]}
        fit.intervals = {"slope": fit.slope["interval"], "alpha": fit.intervals["alpha"]}
    if fit.estimates:
        rises = fit.estimates.get("A", 1.0) <= 0  # no law to draw
        fit.points["fitted"] = [float("nan")] * ladder.k if rises else fit.predict(ladder.n).tolist()
    return fit


def _fit_curve(fit: Fit, ladder: Ladder, profile: Profile, n_boot: int, rng: int) -> None:
    """Fill the estimates, intervals and bootstrap of a curved form."""
    fit.df = profile.df
    fit.sigma = float(np.sqrt(profile.minimum / profile.df))
    fit.estimates = profile.estimates()
    fit.intervals = profile.joint_intervals(fit.level)
    fit.objective = profile.minimum
    _without_constant(fit, ladder)
    if n_boot and ladder.k >= 5:
        counts = np.random.default_rng(rng).multinomial(ladder.k, np.full(ladder.k, 1 / ladder.k), 4 * n_boot)
        counts = counts[(counts > 0).sum(1) >= 4][:n_boot]  # of five sizes, 42 % of resamples hold four
        alpha, e, log_a = resample_alphas(ladder.log_n, ladder.mean, counts)
        inside = float(((alpha > BOUNDS[0]) & (alpha < BOUNDS[1])).mean())
        draws = {"alpha": alpha, "E": e, "log_A": log_a}
        fit.bootstrap = {"resamples": n_boot, "unit": "sizes", "share_inside": inside, "draws": draws}


def _without_constant(fit: Fit, ladder: Ladder) -> None:
    """Choose form K where the irreducible loss is not separable from zero *and* is known to be small.

    The interval of alpha stays the one of P3 widened to hold the estimate: that there is no constant was decided from
    the same data. A floor that may be zero or large leaves P3 with a stricter width gate.
    """
    low, high = fit.intervals["E"]
    if high == np.inf or low > 1e-6 * ladder.mean.min() or any(floors(fit, ladder)):
        return
    line, fit.df = linregress(ladder.log_n, np.log(ladder.mean)), ladder.k - 2
    sides = float(stdtrit(fit.df, 0.5 + fit.level / 2)) * np.array([-1.0, 1.0])
    own = {"alpha": sides * line.stderr - line.slope, "A": np.exp(line.intercept + sides * line.intercept_stderr)}
    fit.intervals = {
        name: tuple(float(end(fit.intervals[name][i], ends[i])) for i, end in enumerate((min, max)))
        for name, ends in own.items()
    }
    fit.intervals["E"] = (0.0, max(high, 0.0))
    fit.form, fit.estimates = "K", {"E": 0.0, "A": float(np.exp(line.intercept)), "alpha": -float(line.slope)}
    fit.objective = float(np.square(ladder.mean - fit.predict(ladder.n)).sum())
    fit.sigma = float(np.sqrt(fit.objective / fit.df))
    said = f"no constant is needed: the irreducible loss is between 0 and {max(high, 0):.4g} nats"
    fit.notes.append(f"{said}; the interval of alpha allows for it")


def _small_end(fit: Fit, ladder: Ladder) -> None:
    """May the smallest sizes (or the fewest tokens) lie above the law? Alpha and E take up most of that.

    Unless size means scatter about the law by no more than their seeds, intervals hold, as wide, what it says with a
    start of its own: badly tuned sizes and a law that fails at its small end look alike. What seeds may hide is named.
    """
    free = int((ladder.count - 1).sum())
    if ladder.k < 5 or not free:
        return
    noise = max(float(np.square(ladder.se).mean()), float(1e-9 * ladder.mean.mean()) ** 2)
    p = float(fdtrc(fit.df, free, fit.objective / fit.df / noise))
    times, own = ladder.n / ladder.n[0], fit.estimates
    started = [Profile(ladder.log_n, ladder.mean, s).estimates() for s in (1 / times, np.exp((1 - times) / 2))]
    alphas = sorted([own["alpha"], *(other["alpha"] for other in started)])
    said = f"with a start of its own alpha is {alphas[0]:.3g} to {alphas[-1]:.3g}"
    if p >= MISFIT:
        reason = f"the seeds would hide a law that fails at its small end: {said}"
        fit.gates.append(at_most("G9 small end", alphas[-1] - alphas[0], CLOSE, reason, "flag"))
        return
    for name, ends in fit.intervals.items():
        for new in started:
            low, high = (end * new[name] / own[name] if name == "A" else end + new[name] - own[name] for end in ends)
            fit.intervals[name] = (min(low, fit.intervals[name][0]), max(high, fit.intervals[name][1]))
    low, high = fit.intervals["alpha"]
    reason = f"the law may fail at its small end, or sizes be badly tuned (p = {p:.2g} that seeds scatter them so): "
    fit.gates.append(Gate("G9 small end", False, p, MISFIT, f"{reason}{said}, and intervals hold that", "flag"))
    reason = f"only an interval of alpha may be quoted, {low:.3g} to {high:.3g}: half of it is more than half of alpha"
    fit.gates.append(at_most("G9 width", (high - low) / 2 / abs(own["alpha"]), 0.5, reason, "interval"))


def _slope(ladder: Ladder, level: float) -> dict[str, Any]:
    if ladder.k < 3:
        return {}
    found = linregress(ladder.log_n, ladder.mean)
    half = float(stdtrit(ladder.k - 2, 0.5 + level / 2) * found.stderr)
    slope, c0 = float(found.slope), float(found.intercept)
    sse = float(np.square(ladder.mean - c0 - slope * ladder.log_n).sum())
    return {"per_efold": slope, "interval": (slope - half, slope + half), "c0": c0, "sse": sse}
