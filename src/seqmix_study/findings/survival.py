"""Steps until a task is learned, where some runs never learn it: medians, curves and the log-rank test.

A run that has not reached the threshold when its budget ends is censored at that step: it says "later than", it is
neither dropped nor counted as reached. A comparison of final losses at an arbitrary step is not needed then.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import chdtrc

__all__ = ["kaplan_meier", "log_rank", "median_steps", "steps_to"]


def steps_to(steps: Any, losses: Any, threshold: float, stay: int = 1) -> tuple[float, bool]:
    """First step with a loss of at most ``threshold`` for ``stay`` evaluations in a row, and whether it was reached.

    Not reached: (last step, False), a censored time.
    """
    steps, below = np.asarray(steps, float), np.asarray(losses, float) <= threshold
    for i in range(len(below) - stay + 1):
        if below[i : i + stay].all():
            return float(steps[i]), True
    return float(steps[-1]), False


def kaplan_meier(times: Any, reached: Any) -> tuple[np.ndarray, np.ndarray]:
    """Share of runs that have not yet reached the threshold after each event time."""
    times, reached = np.asarray(times, float), np.asarray(reached, bool)
    events = np.unique(times[reached])
    left = [1 - ((times == t) & reached).sum() / (times >= t).sum() for t in events]
    return events, np.cumprod(left)


def median_steps(times: Any, reached: Any, level: float = 0.95) -> dict[str, Any]:
    """Median steps with the order-statistic interval; infinite where half of the runs never reach the threshold.

    The interval inverts the sign test, exact for any distribution; censored runs count as later than everything.
    """
    times, reached = np.asarray(times, float), np.asarray(reached, bool)
    n = len(times)
    if not n:
        raise ValueError("no runs")
    events, share = kaplan_meier(times, reached)
    at = np.flatnonzero(share <= 0.5 + 1e-12)
    value = float(events[at[0]]) if len(at) else float("inf")
    from scipy.special import bdtr

    ordered = np.sort(np.where(reached, times, np.inf))
    below = [k for k in range(n // 2 + 1) if bdtr(k - 1, n, 0.5) <= (1 - level) / 2] if n else []
    k = max(below, default=0)
    low, high = (float(ordered[k - 1]), float(ordered[n - k])) if k else (0.0, float("inf"))
    return {"median": value, "low": low, "high": high, "runs": n, "reached": int(reached.sum())}


def log_rank(arms: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Log-rank test that all arms ({name: (times, reached)}) learn alike: chi-square on (arms - 1) degrees of freedom.

    ``expected`` holds how many successes each arm would have had by then if all were alike.
    """
    if len(arms) < 2:
        raise ValueError("a log-rank test needs two arms or more")
    data = {name: (np.asarray(t, float), np.asarray(r, bool)) for name, (t, r) in arms.items()}
    names = list(data)
    events = np.unique(np.concatenate([t[r] for t, r in data.values()]))
    observed, expected = np.zeros(len(names)), np.zeros(len(names))
    covariance = np.zeros((len(names), len(names)))
    for t in events:
        risk = np.array([(times >= t).sum() for times, _ in data.values()], float)
        happened = np.array([((times == t) & reached).sum() for times, reached in data.values()], float)
        n, d = risk.sum(), happened.sum()
        observed += happened
        expected += d * risk / n
        if n > 1:
            share = risk / n
            covariance += d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
    gap = (observed - expected)[:-1]
    part = covariance[:-1, :-1]
    chi2 = float(gap @ np.linalg.pinv(part) @ gap) if len(events) else 0.0
    p = float(chdtrc(len(names) - 1, chi2))
    return {
        "chi2": chi2,
        "df": len(names) - 1,
        "p": p,
        "observed": dict(zip(names, observed.tolist(), strict=True)),
        "expected": dict(zip(names, expected.tolist(), strict=True)),
    }
