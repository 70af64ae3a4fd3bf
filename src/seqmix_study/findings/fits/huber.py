"""Fits with positive terms in log coordinates: log-Huber (Hoffmann et al. 2022, approach 3) and least squares.

    ln L = logsumexp(e, gamma * logsumexp(a - alpha x, b - beta y)),   x = ln N - mean, y = ln D - mean

with e = ln E, a = ln A, b = ln B at the centre. The log-Huber objective is the *sum* (not the mean: that made
Hoffmann's optimiser stop early, Besiroglu et al. 2024) of Huber_delta(ln L_i - model), multiplied by 1e4 for the
optimiser only. Logarithms are centred, so the unit of N or D changes nothing but ln A and ln B.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from seqmix_study.findings.fits.minimise import minimise_many

__all__ = ["SCALE", "Problem"]

SCALE = 1e4
#: Order of the internal parameters of each form; a, b and e are logarithms at the centre, g is ln gamma.
ORDER = {
    "P3": "a e alpha",
    "K": "a alpha",
    "C4": "a b alpha beta",
    "C5": "a b e alpha beta",
    "C6": "a b e alpha beta g",
}


@dataclass
class Problem:
    """One table and one loss function; ``evaluate`` is vectorised over parameter sets and over weights.

    ``x`` and ``y`` are centred ln N and ln D [n] (y is None for a ladder), ``loss`` [n] in nats,
    ``kind`` is "huber" (of ln L, width ``delta``) or "squares" (of L).
    """

    form: str
    x: np.ndarray
    y: np.ndarray | None
    loss: np.ndarray
    kind: str = "huber"
    delta: float = 1e-3

    @property
    def names(self) -> list[str]:
        return ORDER[self.form].split()

    def evaluate(self, p: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Objective [R] (unscaled) and gradient [R, p] at ``p`` [R, p]; ``weights`` [R, n] counts or None."""
        column = {name: p[:, i, None] for i, name in enumerate(self.names)}
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            size = column["a"] - column["alpha"] * self.x
            if self.y is not None:
                data = column["b"] - column["beta"] * self.y
                top = np.maximum(size, data)
                share, rest = np.exp(size - top), np.exp(data - top)
                power = top + np.log(share + rest)
                share = share / (share + rest)
            else:
                power, share = size, 1.0
            gamma = np.exp(column["g"]) if "g" in column else 1.0
            scaled = gamma * power
            if "e" in column:
                top = np.maximum(scaled, column["e"])
                model = top + np.log(np.exp(scaled - top) + np.exp(column["e"] - top))
                reducible, floor = np.exp(scaled - model), np.exp(column["e"] - model)
            else:
                model, reducible, floor = scaled, np.ones_like(scaled), 0.0
            value, pull = self._penalty(model)  # pull = d value / d model
            if weights is not None:
                value, pull = value * weights, pull * weights
            through = pull * reducible * gamma
            gradient = {"a": through * share, "alpha": -through * share * self.x}
            if self.y is not None:
                other = through * (1 - share)
                gradient |= {"b": other, "beta": -other * self.y}
            if "e" in column:
                gradient["e"] = pull * floor
            if "g" in column:
                gradient["g"] = through * power
            return value.sum(1), np.stack([gradient[name].sum(1) for name in self.names], 1)

    def _penalty(self, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.kind == "squares":
            fitted = np.exp(np.minimum(model, 50.0))
            residual = self.loss - fitted
            return 0.5 * residual**2, -residual * fitted
        residual = np.log(self.loss) - model
        size = np.abs(residual)
        inside = size <= self.delta
        value = np.where(inside, 0.5 * residual**2, self.delta * (size - 0.5 * self.delta))
        return value, -np.where(inside, residual, self.delta * np.sign(residual))

    def log_model(self, p: np.ndarray) -> np.ndarray:
        """ln L [n] at one parameter set."""
        at = dict(zip(self.names, p, strict=True))
        power = at["a"] - at["alpha"] * self.x
        if self.y is not None:
            power = np.logaddexp(power, at["b"] - at["beta"] * self.y)
        power = power * np.exp(at.get("g", 0.0))
        return np.logaddexp(power, at["e"]) if "e" in at else power

    def starts(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Random starts on the scale of the data: a floor below the lowest loss, the rest shared by the terms."""
        floor = self.loss.min() * rng.uniform(0.05, 0.97, count)
        reducible = np.maximum(self.loss.mean() - floor, 1e-3 * self.loss.mean())
        share = rng.uniform(0.1, 0.9, count) if self.y is not None else np.ones(count)
        values = {
            "a": np.log(reducible * share),
            "b": np.log(np.maximum(reducible * (1 - share), 1e-12)),
            "e": np.log(floor),
            "alpha": rng.uniform(0.02, 1.5, count),
            "beta": rng.uniform(0.02, 1.5, count),
            "g": rng.uniform(-0.7, 0.7, count),
        }
        return np.stack([values[name] for name in self.names], 1)

    def solve(self, starts: np.ndarray, polish: int = 3) -> tuple[np.ndarray, float, float]:
        """Minimise from every start, then polish the best few with scipy's BFGS until nothing is gained.

        Returns the parameters, the objective, and the share of starts that ended within 1e-4 of it.
        """
        many, values = minimise_many(self._scaled(None), starts, gtol=1e-5)
        order = np.argsort(values)
        best, lowest = many[order[0]], values[order[0]]
        for start in many[order[:polish]]:
            x, f = self._polish(start)
            if f < lowest:
                best, lowest = x, f
        reached = float(np.mean(values <= lowest * (1 + 1e-4) + 1e-12))
        return best, float(lowest / SCALE), reached

    def solve_weighted(self, weights: np.ndarray, starts: list[np.ndarray], chunk: int = 0) -> tuple[np.ndarray, int]:
        """Refit under each row of ``weights`` [R, n] from each start; the better end wins.

        Returns the parameters [R, p] and in how many rows a later start found a lower objective than the first.
        """
        chunk = chunk or max(20, int(2.4e5 / len(self.x)))  # about 2 MB an array: stays in cache
        out, wins = [], 0
        for first in range(0, len(weights), chunk):
            part = weights[first : first + chunk]
            best = value = None
            for start in starts:
                x, f = minimise_many(
                    self._scaled(part), np.tile(start, (len(part), 1)), max_iter=150, gtol=1e-3, ftol=1e-9
                )
                if best is None:
                    best, value = x, f
                else:
                    wins += int((f < value * (1 - 1e-6)).sum())
                    best = np.where((f < value)[:, None], x, best)
                    value = np.minimum(f, value)
            out.append(best)
        return np.concatenate(out), wins

    def _scaled(self, weights: np.ndarray | None):
        def fun(p: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            value, gradient = self.evaluate(p, None if weights is None else weights[rows])
            return value * SCALE, gradient * SCALE

        return fun

    def _polish(self, start: np.ndarray) -> tuple[np.ndarray, float]:
        def single(p: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.evaluate(p[None])
            return float(value[0] * SCALE), gradient[0] * SCALE

        x, f = start, np.inf
        for _ in range(6):  # each call starts with a fresh Hessian: the kinks of the Huber loss spoil it
            result = minimize(single, x, jac=True, method="BFGS", options={"maxiter": 400, "gtol": 1e-9})
            gain = f - result.fun
            if result.fun < f:
                x, f = result.x, float(result.fun)
            if not gain > 1e-12 * abs(f):
                break
        return x, f
