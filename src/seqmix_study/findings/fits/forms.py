"""The functional forms and nothing else.

K   L(N)   = A N^-alpha                              Kaplan et al. 2020, (N_c/N)^alpha with A = N_c^alpha
P3  L(N)   = E + A N^-alpha                          a ladder at fixed D: E contains B D^-beta, it is not the entropy
S2  L(N)   = c0 + slope ln N                         the limit alpha -> 0 of P3: the fallback
C4  L(N,D) = A N^-alpha + B D^-beta                  C5 where the floor comes out as zero
C5  L(N,D) = E + A N^-alpha + B D^-beta              Hoffmann et al. 2022, equation 2
O2  N_opt(C) = k C^a                                 a table of compute-optimal sizes
C6  L(N,D) = E + (A N^-alpha + B D^-beta)^gamma      sensitivity check
"""

from typing import Any

import numpy as np

#: The parameters of a surface.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "C4": ("E", "A", "B", "alpha", "beta"),  # E is zero
    "C5": ("E", "A", "B", "alpha", "beta"),
    "C6": ("E", "A", "B", "alpha", "beta", "gamma"),
}

EQUATIONS: dict[str, str] = {
    "K": "L = A N^-alpha",
    "P3": "L = E + A N^-alpha",
    "S2": "L = c0 + slope ln N",
    "O2": "N_opt = k C^a",
    "C4": "L = A N^-alpha + B D^-beta",
    "C5": "L = E + A N^-alpha + B D^-beta",
    "C6": "L = E + (A N^-alpha + B D^-beta)^gamma",
}


def predict(form: str, estimates: dict[str, float], n: Any, d: Any = None) -> np.ndarray:
    """Return L at parameters ``n`` (and tokens ``d`` for the surfaces), nats per token."""
    n = np.asarray(n, float)
    if form == "S2":
        return estimates["c0"] + estimates["slope"] * np.log(n)
    # exp(ln A - alpha ln N): A itself may be as large as 1e300 where alpha is steep and N is large
    size = np.exp(np.log(estimates["A"]) - estimates["alpha"] * np.log(n))
    if form in ("K", "P3"):
        return estimates.get("E", 0.0) + size
    data = np.exp(np.log(estimates["B"]) - estimates["beta"] * np.log(np.asarray(d, float)))
    return estimates.get("E", 0.0) + (size + data) ** estimates.get("gamma", 1.0)
