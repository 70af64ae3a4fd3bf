"""Variable projection for one exponent: for a fixed alpha the law is linear, so only alpha is searched.

The law is written with the Box-Cox basis z_alpha(x) = (1 - exp(-alpha x)) / alpha, x = ln N - mean(ln N):

    L = c0 + c1 z_alpha(x),    E = c0 + c1 / alpha,    A N^-alpha = -(c1 / alpha) exp(-alpha x).

It is smooth through alpha = 0, where it is the straight line in ln N (form S2), so the profile over alpha has no hole
there and a table that needs no curvature shows it as an interval that reaches zero. There are no start values and no
local minima: the whole profile is computed (Golub & Pereyra 1973; for scaling laws Czech et al. 2026, VPNLS).
"""

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import fdtrc, fdtri

#: Exponents outside these bounds are no estimate: the fit ran to the edge of what the sizes can tell apart.
BOUNDS = (0.01, 3.0)
#: Negative exponents (a loss that falls ever faster, or rises) are searched too: they must be seen to be refused.
ALPHAS = np.linspace(-1.5, 3.0, 2251)


def f_test(restricted: float, full: float, more: int, df: int) -> float:
    """p-value of ``more`` parameters that lower a sum of squares from ``restricted`` to ``full``, on ``df``."""
    return float(fdtrc(more, df, max(restricted - full, 0.0) / more / max(full / df, 1e-300)))


def basis(x: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """z_alpha(x) for x [k] and alphas [G] -> [G, k]."""
    a = np.asarray(alphas, float)[:, None]
    safe = np.where(a == 0, 1.0, a)
    return np.where(a == 0, x[None, :], -np.expm1(-a * x[None, :]) / safe)


class Profile:
    """The profile of the residual sum of squares over alpha, for size means ``y`` [k] at ``log_n`` [k].

    Form P3, three parameters; with a ``start`` [k], a term of this shape that is not below zero, four.
    """

    def __init__(self, log_n: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> None:
        self.centre = float(np.mean(log_n))
        self.x = np.asarray(log_n, float) - self.centre
        self.y = np.asarray(y, float)
        self.columns = np.stack([self.y] if start is None else [self.y, start])
        self.df = len(self.y) - 2 - len(self.columns)
        self.grid = self.sse(ALPHAS)
        best = int(np.argmin(self.grid))
        self.alpha = float(ALPHAS[best])
        if 0 < best < len(ALPHAS) - 1:
            around = ALPHAS[[best - 1, best + 1]]
            self.alpha = float(minimize_scalar(self._at, bounds=around, options={"xatol": 1e-12}).x)
        self.minimum = self._at(self.alpha)

    def solve(self, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Linear coefficients c0, c1 [G] and residuals [G, k] for every exponent."""
        z = basis(self.x, alphas)
        mean = z.mean(1, keepdims=True)
        zc = z - mean
        middle = self.columns.mean(1, keepdims=True)
        c1 = (self.columns - middle) @ zc.T / (zc * zc).sum(1)
        c0, left = middle - c1 * mean[:, 0], (self.columns - middle)[:, None] - c1[:, :, None] * zc
        if len(self.columns) == 1:
            return c0[0], c1[0], left[0]
        own = np.square(left[1]).sum(1)  # nothing where the law itself has the shape of the start
        size = np.where(own > 1e-12, np.maximum((left[0] * left[1]).sum(1), 0) / np.maximum(own, 1e-12), 0)
        return c0[0] - size * c0[1], c1[0] - size * c1[1], left[0] - size[:, None] * left[1]

    def sse(self, alphas: np.ndarray) -> np.ndarray:
        return np.square(self.solve(alphas)[2]).sum(1)

    def _at(self, alpha: float) -> float:
        return float(self.sse(np.array([alpha]))[0])

    def estimates(self) -> dict[str, float]:
        """E, A and alpha in the table's own unit of N (A may be negative where the loss rises)."""
        alpha = self.alpha or 1e-12
        c0, c1, _ = (v[0] for v in self.solve(np.array([alpha])))
        amplitude = -c1 / alpha
        return {"E": float(c0 + c1 / alpha), "A": float(amplitude * np.exp(alpha * self.centre)), "alpha": float(alpha)}

    def threshold(self, level: float) -> float:
        """The sum of squares below which a parameter value is inside the profile-likelihood interval."""
        return self.minimum * (1 + float(fdtri(1, self.df, level)) / self.df)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """{alpha : SSE(alpha) <= SSE_min (1 + F_{1,df}(level) / df)}; an end that is not reached is infinite."""
        limit = self.threshold(level)
        inside = np.append(ALPHAS[self.grid <= limit], self.alpha)
        ends = []
        for side, last in ((-1, inside.min()), (1, inside.max())):
            beyond = ALPHAS[side * ALPHAS > side * last]
            if len(beyond):
                outside = beyond[np.argmin(np.abs(beyond - last))]
                ends.append(brentq(lambda alpha: self._at(alpha) - limit, last, outside, xtol=1e-13))
            else:
                ends.append(side * np.inf)
        return ends[0], ends[1]

    def joint_intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Profile intervals of alpha, E and A together.

        For a fixed alpha the (E, A) with SSE below the threshold form an ellipse; the interval of E is the union of its
        extents over the alphas inside the region. Ends are infinite where the region reaches alpha <= 0.
        """
        low, high = self.interval(level)
        if not (np.isfinite(low) and np.isfinite(high)) or low <= 0:
            return {"E": (-np.inf, np.inf), "A": (0.0, np.inf), "alpha": (low, high)}
        alphas = np.unique(np.append(np.linspace(low, high, 401), self.alpha))
        c0, c1, residual = self.solve(alphas)
        room = np.sqrt(np.maximum(self.threshold(level) - (residual * residual).sum(1), 0))
        z = basis(self.x, alphas)
        mean, k = z.mean(1), len(self.y)
        spread = ((z - mean[:, None]) ** 2).sum(1)
        ends = {"alpha": (low, high)}
        # E = c0 + c1 / alpha and A = -c1 / alpha, with cov(c0, c1) = [[1/k + mean^2/S, -mean/S], [-mean/S, 1/S]]
        for name, one, more, scale in (("E", 1, 1 / alphas, 1.0), ("A", 0, -1 / alphas, np.exp(alphas * self.centre))):
            middle, width = one * c0 + more * c1, room * np.sqrt(one / k + (more - one * mean) ** 2 / spread)
            ends[name] = (float(((middle - width) * scale).min()), float(((middle + width) * scale).max()))
        return ends


def resample_alphas(log_n: np.ndarray, y: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Refit every bootstrap resample at once (form P3).

    ``counts`` [R, k] says how often each size was drawn. Returns alpha (on the grid), E and ln A, each [R];
    ln A is NaN where A is not positive.
    """
    centre = log_n.mean()
    total = counts.sum(1, keepdims=True)
    z = basis(log_n - centre, ALPHAS)
    offset = y - y.mean()  # centred first: what is subtracted below is then small
    mz, mzz = counts @ z.T / total, counts @ (z * z).T / total
    my, myy = counts @ offset / total[:, 0], counts @ (offset * offset) / total[:, 0]
    covariance = counts @ (z * offset).T / total - mz * my[:, None]
    spread = np.maximum(mzz - mz * mz, 1e-300)
    sse = (myy - my * my)[:, None] - covariance**2 / spread
    slopes = covariance / spread
    rows = np.arange(len(sse))
    best = sse.argmin(1)
    alpha = ALPHAS[best]
    c1 = slopes[rows, best]
    c0 = my + y.mean() - c1 * mz[rows, best]
    safe = np.where(np.abs(alpha) < 1e-9, 1e-9, alpha)
    amplitude = -c1 / safe
    log_a = np.where(amplitude > 0, np.log(np.maximum(amplitude, 1e-300)) + alpha * centre, np.nan)
    return alpha, c0 + c1 / safe, log_a
