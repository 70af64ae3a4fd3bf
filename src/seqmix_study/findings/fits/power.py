"""Fit a ladder of sizes: L(N) = E + A N^-alpha, or say that the table does not carry one.

Default engine: variable projection on size means with k - 3 degrees of freedom, profile-likelihood intervals.
The gates (``gates.py``) decide between ``ok``, ``slope_only`` and
``refused``.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from seqmix_study.findings.bootstrap import cluster_counts
from seqmix_study.findings.fits import gate_verdict as gating
from seqmix_study.findings.fits.fit import Fit, data_hash
from seqmix_study.findings.fits.forms import information, predict
from seqmix_study.findings.fits.ladder import Ladder
from seqmix_study.findings.fits.profile import BOUNDS, Profile, line, resample_alphas

__all__ = ["fit_power"]


def fit_power(
    n: Any,
    loss: Any,
    *,
    seeds: Any = None,
    E: float | None = None,
    form: str = "P3",
    level: float = 0.95,
    n_boot: int = 1000,
    rng: int = 0,
    lr_at_edge: Any = None,
    tokens: Any = None,
) -> Fit:
    """Fit one family's losses ``loss`` (nats per token, one a run) at sizes ``n`` (parameters).

    Rows at equal N are repeats. ``E`` given fixes the irreducible loss (form P2). ``form``: "P3" (falls back to K where
    no constant can be told from zero, to S2 where no curvature can), "P2", "K" or "S2". ``lr_at_edge`` [runs] says
    whether the learning rate of a run stood on the edge of its grid, ``tokens`` [runs] what each was trained on:
    both feed gates. Raises ValueError for non-positive or non-numeric values; a bad design is no error but a verdict.
    """
    if form not in ("P3", "P2", "K", "S2"):
        raise ValueError(f"unknown form {form!r} for a ladder; known: P3, P2, K, S2")
    ladder = Ladder.from_rows(n, loss, seeds)
    constant = E if E is not None else (0.0 if form == "K" else None)
    if form == "P2" and E is None:
        raise ValueError("form P2 needs the irreducible loss E")
    slope = _slope(ladder, level)
    fit = Fit(
        form="P2" if E is not None else form,
        method="varpro",
        estimates={},
        intervals={},
        objective=float("nan"),
        status="refused",
        gates=[],
        level=level,
        points=_points(ladder),
        slope=slope,
        hash=data_hash(n, loss),
    )
    evidence = gating.Evidence(ladder, slope, lr_at_edge=_any(lr_at_edge, n), tokens=_per_size(tokens, n))
    if ladder.k >= 4 and form != "S2":
        _fit_curve(fit, evidence, ladder, constant, n_boot, rng)
    fit.gates = gating.ladder_gates(fit, evidence)
    fit.status = gating.status(fit.gates, slope)
    if ladder.copies:
        what = "are exact copies of others" if seeds is None else "repeat a size and seed of others"
        fit.notes.append(f"{ladder.copies} rows {what} and count as one run")
    if fit.status == "slope_only" or (form == "S2" and ladder.k >= 3):
        _fall_back(fit, slope)
    fit.flags = [gate.reason for gate in fit.gates if not gate.passed and gate.severity == "flag"]
    if fit.estimates:
        fit.points["fitted"] = _fitted(fit, ladder)
    return fit


def _fit_curve(
    fit: Fit,
    evidence: "gating.Evidence",
    ladder: Ladder,
    constant: float | None,
    n_boot: int,
    rng: int,
) -> None:
    """Fill the estimates, intervals, bootstrap and cross-check of a curved form."""
    profile = Profile(ladder.log_n, ladder.mean, constant)
    fit.df = profile.df
    fit.sigma = float(np.sqrt(profile.minimum / profile.df))
    fit.estimates = profile.estimates()
    fit.intervals = profile.joint_intervals(fit.level)
    fit.objective = profile.minimum
    evidence.profile = profile
    evidence.alpha_interval = fit.intervals["alpha"]
    evidence.alpha = profile.alpha
    fit.candidates = _candidates(ladder, profile)
    kept = _without_constant(fit, ladder, profile, evidence) if constant is None else fit.form
    fit.form = kept
    evidence.shallow_matters = kept == "P3"
    evidence.leave_out = resample_alphas(ladder.log_n, ladder.mean, 1.0 - np.eye(ladder.k), constant)[0]
    if n_boot and ladder.k >= 5:
        counts = cluster_counts(ladder.k, n_boot, np.random.default_rng(rng), distinct=4)
        alpha, e, log_a = resample_alphas(ladder.log_n, ladder.mean, counts, constant)
        inside = (alpha > BOUNDS[0]) & (alpha < BOUNDS[1])
        ends = [50 * (1 - fit.level), 50 * (1 + fit.level)]
        fit.bootstrap = {
            "resamples": n_boot,
            "unit": "sizes",
            "intervals": {
                "alpha": np.percentile(alpha, ends),
                "E": np.percentile(e, ends),
                "A": np.exp(np.percentile(log_a[np.isfinite(log_a)], ends)) if np.isfinite(log_a).any() else [],
            },
            "share_inside": float(inside.mean()),
            "draws": {"alpha": alpha, "E": e, "log_A": log_a},
        }
    if ladder.k >= 5 and constant is None:
        evidence.hold_out = hold_out(ladder)


def _without_constant(fit: Fit, ladder: Ladder, profile: Profile, evidence: "gating.Evidence") -> str:
    """Choose form K where the irreducible loss is not separable from zero *and* is known to be small.

    The interval of alpha stays the one of P3 widened to hold the estimate: that there is no constant was decided from
    the same data. A floor that may be zero or large leaves P3 with a stricter width gate (``evidence.loose_floor``).
    """
    low, high = fit.intervals["E"]
    smallest = float(ladder.mean.min())
    negligible = 1e-6 * smallest
    if not np.isfinite(high) or low > negligible:
        return "P3"
    if high < -negligible:
        evidence.negative_floor = True
        return "P3"
    if high > 0.25 * smallest:
        evidence.loose_floor = True
        return "P3"
    pure = Profile(ladder.log_n, ladder.mean, 0.0)
    own = pure.joint_intervals(fit.level)
    wide = fit.intervals["alpha"]
    fit.estimates = pure.estimates()
    fit.intervals = {
        "alpha": (min(wide[0], own["alpha"][0]), max(wide[1], own["alpha"][1])),
        "A": (min(fit.intervals["A"][0], own["A"][0]), max(fit.intervals["A"][1], own["A"][1])),
        "E": (0.0, max(high, 0.0)),
    }
    fit.objective, fit.df = pure.minimum, pure.df
    fit.sigma = float(np.sqrt(pure.minimum / pure.df))
    evidence.alpha, evidence.alpha_interval = pure.alpha, fit.intervals["alpha"]
    fit.notes.append(
        f"no constant is needed: the irreducible loss is between 0 and {max(high, 0):.4g} nats; "
        "the interval of alpha allows for it"
    )
    return "K"


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
        "half_width": float(stdtrit(profile.df, 0.975) * se),
        "t": float(abs(y[-1] - predicted) / max(se, 1e-9 * abs(predicted))),
        "df": profile.df,
    }


def _candidates(ladder: Ladder, profile: Profile) -> list[dict[str, Any]]:
    """P3, K and S2 on the same points, with AIC: the comparison that the curvature gate summarises."""
    straight = line(ladder.log_n, ladder.mean)
    rows = [{"form": "S2", "estimates": {"c0": straight.c0, "slope": straight.slope}, "sse": straight.sse, "p": 2}]
    for form, constant, p in (("K", 0.0, 2), ("P3", None, 3)):
        one = Profile(ladder.log_n, ladder.mean, constant)
        values = {k: v for k, v in one.estimates().items() if form != "K" or k != "E"}
        rows.append({"form": form, "estimates": values, "sse": one.minimum, "p": p})
    if profile.constant:
        rows.append({"form": "P2", "estimates": profile.estimates(), "sse": profile.minimum, "p": 2})
    return [row | information(row["sse"], ladder.k, row["p"]) for row in rows]


def _slope(ladder: Ladder, level: float) -> dict[str, Any]:
    if ladder.k < 3:
        return {}
    straight = line(ladder.log_n, ladder.mean)
    half = stdtrit(ladder.k - 2, 0.5 + level / 2) * straight.slope_se
    return {
        "per_efold": straight.slope,
        "interval": (straight.slope - half, straight.slope + half),
        "c0": straight.c0,
        "sse": straight.sse,
    }


def _fall_back(fit: Fit, slope: dict[str, Any]) -> None:
    """Report the straight line in ln N and what is left of the exponent: an interval, no estimate."""
    alpha = fit.intervals.get("alpha")
    fit.form = "S2"
    fit.estimates = {"c0": slope["c0"], "slope": slope["per_efold"]}
    fit.intervals = {"slope": slope["interval"]} | ({"alpha": alpha} if alpha else {})
    fit.objective = slope["sse"]


def _points(ladder: Ladder) -> dict[str, list[float]]:
    return {
        "N": ladder.n.tolist(),
        "loss": ladder.mean.tolist(),
        "se": ladder.se.tolist(),
        "count": ladder.count.tolist(),
    }


def _fitted(fit: Fit, ladder: Ladder) -> list[float]:
    if fit.estimates.get("A", 1.0) <= 0:  # rising losses: no law to draw
        return [float("nan")] * ladder.k
    return fit.predict(ladder.n).tolist()


def _any(flags: Any, n: Any) -> list[float]:
    """Sizes at which any run's flag is set."""
    if flags is None:
        return []
    flags, n = np.asarray(flags, bool).ravel(), np.asarray(n, float).ravel()
    return np.unique(n[flags]).tolist()


def _per_size(values: Any, n: Any) -> list[tuple[float, float]]:
    """(N, smallest value) a size."""
    if values is None:
        return []
    values, n = np.asarray(values, float).ravel(), np.asarray(n, float).ravel()
    return [(float(size), float(values[n == size].min())) for size in np.unique(n)]
