"""Do two families scale differently? The difference of exponents, and the iso-loss parameter ratio.

The ratio N_a(L) / N_b(L) answers the practical question ("how much larger must the one be?") over the losses that both
have reached; "parameters to halve the loss" does not.
"""

from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import fdtrc

from seqmix_study.findings.bootstrap import expansion, percentile, satterthwaite, stretched
from seqmix_study.findings.fits.fit import Fit
from seqmix_study.findings.fits.profile import ALPHAS, Profile, f_quantile

__all__ = ["compare_exponents", "iso_loss_ratio"]

#: The joint profile of two curved fits rejects equal exponents a little too often (5 to 6.5 % at 5 % in simulation with
#: unequal ladders), so its interval is computed at this much above the level asked for.
GUARD = 0.01
MARGIN = 0.05  # exponents closer than this count as equal where the interval lies inside


def compare_exponents(a: Fit, b: Fit, margin: float = MARGIN, level: float = 0.95) -> dict[str, Any]:
    """Return alpha_a - alpha_b with its profile interval, the F-test of a shared exponent, and a conclusion.

    Ladders: joint least squares on the size means of both (own floor and amplitude each), F(1, k_a + k_b - 6).
    Surfaces: difference of draws, of alpha and of beta. ``conclusion``: "different", "equivalent" (interval
    inside the margin), "inconclusive", or "not comparable" where either fit was not ok.
    """
    words = [f"{name} fit is {fit.verdict}" for name, fit in (("first", a), ("second", b)) if fit.verdict != "ok"]
    if not words and ("beta" in a.estimates) != ("beta" in b.estimates):
        return {"conclusion": "not comparable", "reason": "one fit is a ladder, the other a surface"}
    out = _surfaces(a, b, level) if "beta" in a.estimates and "beta" in b.estimates else _ladders(a, b, level)
    if words:
        return out | {"conclusion": "not comparable", "reason": "; ".join(words)}
    low, high = out["interval"]
    if low > 0 or high < 0:
        out["conclusion"] = "different"
    elif low > -margin and high < margin:
        out["conclusion"] = "equivalent"
    else:
        out["conclusion"] = "inconclusive"
    return out | {"margin": margin}


def _ladders(a: Fit, b: Fit, level: float) -> dict[str, Any]:
    """Joint profile over the difference, each family with a variance of its own and Welch's degrees of freedom.

    A pooled variance calls equal exponents different in 20 % of tables where the family with more sizes is the
    quieter one.
    """
    if min(len(f.points.get("N", [])) for f in (a, b)) < 4 or "D" in a.points or "D" in b.points:
        return {"delta": None, "interval": (-np.inf, np.inf)}
    profiles = [Profile(np.log(f.points["N"]), np.asarray(f.points["loss"])) for f in (a, b)]
    test = _Joint(*profiles, _welch(profiles, level))
    statistic = test.statistic(0.0)
    return {
        "delta": test.delta,
        "interval": tuple(test.edge(side, level + GUARD) for side in (-1, 1)),
        "F": statistic,
        "df": (1, test.df),
        "p": float(fdtrc(1, test.df, statistic)),
        "method": "joint profile on size means, a variance for each family",
    }


def _welch(profiles: list[Profile], level: float) -> float:
    """Welch-Satterthwaite degrees of freedom of a difference of two exponents."""
    parts = []
    for profile in profiles:
        low, high = profile.interval(level)
        width = (high - low) / 2 if np.isfinite(high - low) else 10.0
        parts.append((max(width, 1e-12) ** 2 / f_quantile(level, 1, profile.df), profile.df))
    return satterthwaite(*parts)


class _Joint:
    """The statistic of alpha_a - alpha_b = delta: how much the two weighted sums of squares must rise for it."""

    def __init__(self, pa: Profile, pb: Profile, df: float) -> None:
        self.pa, self.pb, self.df, self.delta = pa, pb, df, pa.alpha - pb.alpha
        self.wa, self.wb = (p.df / max(p.minimum, 1e-24 * float(p.y @ p.y)) for p in (pa, pb))
        self.least = self.wa * pa.minimum + self.wb * pb.minimum

    def total(self, alphas: np.ndarray, delta: float) -> np.ndarray:
        """The weighted sum of squares where the second exponent is each of ``alphas`` [G]; [G]."""
        return self.wb * self.pb.sse(alphas) + self.wa * self.pa.sse(alphas + delta)

    def statistic(self, delta: float) -> float:
        best = int(np.argmin(self.total(ALPHAS, delta)))
        around = ALPHAS[max(best - 1, 0)], ALPHAS[min(best + 1, len(ALPHAS) - 1)]
        found = minimize_scalar(lambda alpha: self.total(np.array([alpha]), delta)[0], bounds=around)
        return float(max(found.fun - self.least, 0.0))

    def edge(self, side: int, level: float) -> float:
        """Where the statistic crosses its F quantile; infinite where it does not."""
        limit, step = f_quantile(level, 1, self.df), 0.01
        while self.statistic(self.delta + side * step) <= limit:
            step *= 2
            if step > 6:
                return side * np.inf
        return brentq(lambda at: self.statistic(at) - limit, self.delta, self.delta + side * step, xtol=1e-7)


def _surfaces(a: Fit, b: Fit, level: float) -> dict[str, Any]:
    """Independent bootstraps: the differences of the draws, stretched as the single intervals are."""
    out: dict[str, Any] = {"method": "difference of bootstrap draws"}
    for name, key in (("alpha", ""), ("beta", "_beta")):
        delta = a.estimates[name] - b.estimates[name]
        draws = []
        for fit in (a, b):
            rows = fit.bootstrap.get("draws")
            if not rows:
                return {"delta": delta, "interval": (-np.inf, np.inf), "method": "no bootstrap"}
            values = rows[name] - fit.estimates[name]
            raw = np.diff(percentile(values, level))[0]
            stretch = np.diff(fit.intervals[name])[0] / raw if raw > 0 else 1.0
            draws.append(values * stretch)
        count = min(len(draws[0]), len(draws[1]))
        low, high = percentile(draws[0][:count] - draws[1][:count], level)
        out[f"delta{key}"], out[f"interval{key}"] = float(delta), (float(delta + low), float(delta + high))
    return out


def iso_loss_ratio(a: Fit, b: Fit, level: float = 0.95) -> dict[str, Any]:
    """N_a(L) / N_b(L) at five losses that both families have reached, by their laws, with bootstrap intervals.

    Returns {"losses", "ratio", "low", "high", "text"}, or as text why there is none: a refused law must not be drawn.
    """
    if "D" in a.points or "D" in b.points:
        return {"text": "not defined on a surface: fix the tokens and fit ladders"}
    if any(fit.verdict != "ok" or not fit.bootstrap for fit in (a, b)):
        return {"text": "no ratio: both families need a law that is ok"}
    ranges = [(min(f.points["loss"]), max(f.points["loss"])) for f in (a, b)]
    low, high = max(r[0] for r in ranges), min(r[1] for r in ranges)
    if not low < high:
        return {"text": "no common range of losses: the families do not overlap"}
    # the ends of the common range sit on single points: keep 5 % away from them
    losses = np.linspace(high - 0.05 * (high - low), low + 0.05 * (high - low), 5)
    logs, draws = (first - second for first, second in zip(_log_size(a, losses), _log_size(b, losses), strict=True))
    factor = expansion(level, min(len(f.points["N"]) for f in (a, b)), 3)
    ends = [stretched(*column, level, factor) for column in zip(draws.T, logs, strict=True)]
    with np.errstate(over="ignore"):
        ratio, lows, highs = (np.exp(v).tolist() for v in (logs, *zip(*ends, strict=True)))
    text = f"{ratio[2]:.3g} times the parameters at loss {losses[2]:.4g} ({lows[2]:.3g} to {highs[2]:.3g})"
    return {"losses": losses.tolist(), "ratio": ratio, "low": lows, "high": highs, "text": text}


def _log_size(fit: Fit, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln N at which a family reaches the losses, and draws of it [R, losses]; NaN below the floor."""

    def sizes(e: Any, log_a: Any, alpha: Any) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((alpha > 0) & (losses > e), (log_a - np.log(losses - e)) / alpha, np.nan)

    drawn = (fit.bootstrap["draws"][name][:, None] for name in ("E", "log_A", "alpha"))
    return sizes(fit.estimates["E"], np.log(fit.estimates["A"]), fit.estimates["alpha"]), sizes(*drawn)
