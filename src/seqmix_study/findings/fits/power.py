"""Fit a ladder of sizes: L(N) = E + A N^-alpha, or say that the table does not carry one.

Variable projection on size means with k - 3 degrees of freedom, profile-likelihood intervals. The gates (``gates.py``)
decide between ``ok``, ``slope_only`` and ``refused``.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit
from scipy.stats import linregress

from seqmix_study.findings.fits.fit import Fit, data_hash, verdict_of
from seqmix_study.findings.fits.forms import predict
from seqmix_study.findings.fits.gates import Evidence, ladder_gates
from seqmix_study.findings.fits.ladder import Ladder
from seqmix_study.findings.fits.profile import BOUNDS, Profile, resample_alphas

__all__ = ["fit_power", "hold_out"]


def fit_power(
    n: Any,
    loss: Any,
    *,
    seeds: Any = None,
    level: float = 0.95,
    n_boot: int = 1000,
    rng: int = 0,
) -> Fit:
    """Fit one family's losses ``loss`` (nats per token, one a run) at sizes ``n`` (parameters).

    Rows at equal N are repeats. The form is P3; K where no constant can be told from zero, S2 where no curvature can.
    Raises ValueError for non-positive or non-numeric values; a bad design is no error but a verdict.
    """
    ladder = Ladder.from_rows(n, loss, seeds)
    fit = Fit("P3", "varpro", level=level, slope=_slope(ladder, level), hash=data_hash(n, loss))
    fit.points = {"N": ladder.n.tolist(), "loss": ladder.mean.tolist()}
    fit.points |= {"se": ladder.se.tolist(), "count": ladder.count.tolist()}
    evidence = Evidence(ladder)
    if ladder.k >= 4:
        _fit_curve(fit, evidence, ladder, n_boot, rng)
    fit.gates = list(ladder_gates(fit, evidence))
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


def _fit_curve(fit: Fit, evidence: Evidence, ladder: Ladder, n_boot: int, rng: int) -> None:
    """Fill the estimates, intervals and bootstrap of a curved form, and what its gates look at."""
    profile = Profile(ladder.log_n, ladder.mean)
    fit.df = profile.df
    fit.sigma = float(np.sqrt(profile.minimum / profile.df))
    fit.estimates = profile.estimates()
    fit.intervals = profile.joint_intervals(fit.level)
    fit.objective = profile.minimum
    evidence.profile, evidence.alpha = profile, profile.alpha
    _without_constant(fit, ladder, evidence)
    evidence.leave_out = resample_alphas(ladder.log_n, ladder.mean, 1.0 - np.eye(ladder.k))[0]
    if ladder.k >= 5:
        evidence.hold_out = hold_out(ladder)
    if n_boot and ladder.k >= 5:
        counts = np.random.default_rng(rng).multinomial(ladder.k, np.full(ladder.k, 1 / ladder.k), 4 * n_boot)
        counts = counts[(counts > 0).sum(1) >= 4][:n_boot]  # of five sizes, 42 % of resamples hold four
        alpha, e, log_a = resample_alphas(ladder.log_n, ladder.mean, counts)
        fit.bootstrap = {
            "resamples": n_boot,
            "unit": "sizes",
            "share_inside": float(((alpha > BOUNDS[0]) & (alpha < BOUNDS[1])).mean()),
            "draws": {"alpha": alpha, "E": e, "log_A": log_a},
        }


def _without_constant(fit: Fit, ladder: Ladder, evidence: Evidence) -> None:
    """Choose form K where the irreducible loss is not separable from zero *and* is known to be small.

    The interval of alpha stays the one of P3 widened to hold the estimate: that there is no constant was decided from
    the same data. A floor that may be zero or large leaves P3 with a stricter width gate (``evidence.loose_floor``).
    """
    low, high = fit.intervals["E"]
    smallest = float(ladder.mean.min())
    negligible = 1e-6 * smallest
    if not np.isfinite(high) or low > negligible:
        return
    evidence.negative_floor = bool(high < -negligible)
    evidence.loose_floor = bool(high > 0.25 * smallest)
    if evidence.negative_floor or evidence.loose_floor:
        return
    line, fit.df = linregress(ladder.log_n, np.log(ladder.mean)), ladder.k - 2
    sides = float(stdtrit(fit.df, 0.5 + fit.level / 2)) * np.array([-1.0, 1.0])
    own = {"alpha": sides * line.stderr - line.slope, "A": np.exp(line.intercept + sides * line.intercept_stderr)}
    fit.intervals = {
        name: tuple(float(end(fit.intervals[name][i], ends[i])) for i, end in enumerate((min, max)))
        for name, ends in own.items()
    }
    fit.intervals["E"] = (0.0, max(high, 0.0))
    evidence.alpha = -float(line.slope)
    fit.form, fit.estimates = "K", {"E": 0.0, "A": float(np.exp(line.intercept)), "alpha": evidence.alpha}
    fit.objective = float(np.square(ladder.mean - fit.predict(ladder.n)).sum())
    fit.sigma = float(np.sqrt(fit.objective / fit.df))
    fit.notes.append(
        f"no constant is needed: the irreducible loss is between 0 and {max(high, 0):.4g} nats; "
        "the interval of alpha allows for it"
    )


def hold_out(ladder: Ladder) -> dict[str, float]:
    """Predict the largest size from the others (P3), with the p-value of its error under a t prediction interval."""
    x, y = ladder.log_n, ladder.mean
    profile = Profile(x[:-1], y[:-1])
    estimate = profile.estimates()
    if estimate["A"] <= 0:
        return {"predicted": float("nan"), "observed": float(y[-1]), "t": float("inf"), "df": profile.df}
    shift = x - profile.centre
    amplitude = estimate["A"] * np.exp(-estimate["alpha"] * profile.centre)
    z = np.exp(-estimate["alpha"] * shift)
    jacobian = np.stack([np.ones_like(z), z, -amplitude * shift * z], 1)
    variance = profile.minimum / profile.df
    leverage = jacobian[-1] @ np.linalg.pinv(jacobian[:-1].T @ jacobian[:-1]) @ jacobian[-1]
    se = np.sqrt(variance * (1 + leverage))
    predicted = float(predict("P3", estimate, ladder.n[-1]))
    return {
        "predicted": predicted,
        "observed": float(y[-1]),
        "t": float(abs(y[-1] - predicted) / max(se, 1e-9 * abs(predicted))),
        "df": profile.df,
    }


def _slope(ladder: Ladder, level: float) -> dict[str, Any]:
    if ladder.k < 3:
        return {}
    found = linregress(ladder.log_n, ladder.mean)
    half = float(stdtrit(ladder.k - 2, 0.5 + level / 2) * found.stderr)
    slope, c0 = float(found.slope), float(found.intercept)
    sse = float(np.square(ladder.mean - c0 - slope * ladder.log_n).sum())
    return {"per_efold": slope, "interval": (slope - half, slope + half), "c0": c0, "sse": sse}
