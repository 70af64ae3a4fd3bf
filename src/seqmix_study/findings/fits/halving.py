"""What "parameters needed to halve the loss" can mean: three numbers, because 2^(1/alpha) halves nothing that is seen.

It halves the *reducible* part of the loss. The total loss can be halved only where half of it lies above the floor,
and a negative exponent turns the formula into "shrink the model".
"""

import numpy as np

from seqmix_study.findings.bootstrap import percentile
from seqmix_study.findings.fits.fit import Fit

__all__ = ["halving"]


def halving(fit: Fit, n0: float, gain: float = 0.1, at: str = "") -> dict[str, tuple[float, float, float, str]]:
    """Return factors of N from size ``n0``, each as (value, low, high, text); infinite where it cannot be reached.

    ``reducible``: half of A N^-alpha, 2^(1/alpha). ``per_0p1_nat``: a loss lower by ``gain`` nats. ``total``: half of
    the whole loss at ``n0``. ``at`` is added to the texts ("at 2.1 M tokens"): a ladder's floor contains the data
    term.
    """
    where = f" {at}" if at else ""
    names = ("reducible", "per_0p1_nat", "total")
    if fit.verdict != "ok" or "alpha" not in fit.estimates or "beta" in fit.estimates:
        text = f"not defined: the fit is {fit.verdict}" if fit.verdict != "ok" else "not defined for a surface"
        return {name: (float("nan"), float("nan"), float("nan"), text) for name in names}
    alpha, (low, high) = fit.estimates["alpha"], fit.intervals["alpha"]
    floor, log_a = fit.estimates.get("E", 0.0), np.log(fit.estimates["A"])
    factor, least, most = _power(alpha), _power(high), _power(low) if low > 0 else float("inf")
    out = {
        "reducible": (
            factor,
            least,
            most,
            f"{factor:.3g} times the parameters ({least:.3g} to {most:.3g}) halve the reducible loss{where}; "
            "the floor stays",
        )
    }
    draws = fit.bootstrap.get("draws", {})
    for name, target in (("per_0p1_nat", gain), ("total", None)):
        value = _reach(floor, log_a, alpha, n0, target)
        ends = (float("nan"), float("nan"))
        if draws and fit.form in ("P3", "P2"):
            keep = np.isfinite(draws["log_A"]) & (draws["alpha"] > 0)
            values = np.array(
                [
                    _reach(e, a, al, n0, target)
                    for e, a, al in zip(draws["E"][keep], draws["log_A"][keep], draws["alpha"][keep], strict=True)
                ]
            )
            logs = np.log(np.where(np.isfinite(values), values, 1e300))
            ends = tuple(float(np.exp(v)) if v < 600 else float("inf") for v in percentile(logs, fit.level))
        goal = f"{gain:g} nats less" if target is not None else "half of the total loss"
        if np.isfinite(value):
            text = f"{value:.3g} times the parameters ({ends[0]:.3g} to {ends[1]:.3g}) for {goal}{where}"
        else:
            left = float(np.exp(log_a - alpha * np.log(n0)))
            text = f"{goal} is not reachable at any size{where}: {left:.3g} nats are left above the floor"
        out[name] = (value, *ends, text)
    return out


def _power(alpha: float) -> float:
    return float(np.exp(min(np.log(2) / alpha, 700.0))) if alpha > 0 else float("inf")


def _reach(floor: float, log_a: float, alpha: float, n0: float, gain: float | None) -> float:
    """Factor of N that lowers the loss at n0 by ``gain`` nats (None: by half of the total), infinite if it cannot."""
    reducible = np.exp(log_a - alpha * np.log(n0))
    wanted = gain if gain is not None else 0.5 * (floor + reducible)
    if wanted >= reducible:
        return float("inf")
    return float(np.exp(min(-np.log1p(-wanted / reducible) / alpha, 700.0)))
