"""Fits with positive terms in log coordinates: log-Huber (Hoffmann et al. 2022, approach 3) and least squares.

    ln L = logsumexp(e, gamma * logsumexp(a - alpha x, b - beta y)),   x = ln N - mean, y = ln D - mean

with e = ln E, a = ln A, b = ln B at the centre. The objective is the *sum* (not the mean: that made Hoffmann's
optimiser stop early, Besiroglu et al. 2024) of Huber_delta(ln L_i - model). Logarithms are centred, so the unit of N or
D changes nothing but ln A and ln B. Every step reweights the squares (Huber weights) and damps them (Levenberg-
Marquardt); many starts, resamples and refits without single rows share each numpy call.
"""

from dataclasses import dataclass

import numpy as np

#: A width of the Huber loss that no residual in ln L reaches: least squares.
SQUARES = 100.0
#: Order of the internal parameters of each form; a, b and e are logarithms at the centre, g is ln gamma.
ORDER = {"C4": ("a", "b", "alpha", "beta"), "C5": ("a", "b", "e", "alpha", "beta")}
ORDER["C6"] = (*ORDER["C5"], "g")
#: Numbers in one array of a batch (8 bytes each, up to six such arrays a parameter): larger batches are cut.
BATCH = 400_000


@dataclass
class Problem:
    """One table and one loss function, vectorised over parameter sets, responses and weights.

    ``x`` and ``y`` are centred ln N and ln D [n], ``log_loss`` is ln L [n];
    ``delta`` is the width of the Huber loss (``SQUARES``: least squares of ln L).
    """

    form: str
    x: np.ndarray
    y: np.ndarray
    log_loss: np.ndarray
    delta: float = 1e-3

    def model(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """ln L [R, n] and its derivatives [R, n, p] at the parameter sets ``p`` [R, p]."""
        at = {name: p[:, i, None] for i, name in enumerate(ORDER[self.form])}
        terms = {"a": at["a"] - at["alpha"] * self.x, "b": at["b"] - at["beta"] * self.y}
        power = np.logaddexp.reduce(list(terms.values()))
        gamma = np.exp(at["g"]) if "g" in at else 1.0
        model = gamma * power
        reducible = np.ones_like(model)
        if "e" in at:
            model = np.logaddexp(model, at["e"])
            reducible = np.exp(gamma * power - model)
        through = reducible * gamma
        columns = {name: through * np.exp(term - power) for name, term in terms.items()}
        columns |= {"alpha": -columns["a"] * self.x, "beta": -columns["b"] * self.y}
        columns |= {"e": 1 - reducible, "g": through * power}
        return model, np.stack([columns[name] for name in ORDER[self.form]], 2)

    def value(self, residual: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
        """The objective [R] of residuals [R, n]."""
        size = np.abs(residual)
        inside = size <= self.delta
        return (weights * np.where(inside, 0.5 * residual**2, self.delta * (size - 0.5 * self.delta))).sum(1)

    def starts(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Random starts on the scale of the data: a floor below the lowest loss, the rest shared by the terms."""
        loss = np.exp(self.log_loss)
        floor = loss.min() * rng.uniform(0.05, 0.97, count)
        reducible = np.maximum(loss.mean() - floor, 1e-3 * loss.mean())
        share = rng.uniform(0.1, 0.9, count)
        values = {
            "a": np.log(reducible * share),
            "b": np.log(np.maximum(reducible * (1 - share), 1e-12)),
            "e": np.log(floor),
            "alpha": rng.uniform(0.02, 1.5, count),
            "beta": rng.uniform(0.02, 1.5, count),
            "g": rng.uniform(-0.7, 0.7, count),
        }
        return np.stack([values[name] for name in ORDER[self.form]], 1)

    def minimise(
        self,
        starts: np.ndarray,
        weights: np.ndarray | None = None,
        responses: np.ndarray | None = None,
        max_iter: int = 60,
        tol: float = 1e-6,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Minimise from ``starts`` [R, p]; return parameters [R, p] and objectives [R].

        ``weights`` [R, n] and ``responses`` [R, n] (ln L) make each row a problem of its own. A row stops when two
        steps in a row gain less than ``tol`` of its value.
        """
        size = max(1, BATCH // len(self.x))
        parts = []
        for first in range(0, len(starts), size):
            cut = slice(first, first + size)
            own = self.log_loss if responses is None else responses[cut]
            count = None if weights is None else weights[cut]
            parts.append(self._batch(starts[cut], count, own, max_iter, tol))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _batch(
        self, starts: np.ndarray, weights: np.ndarray | None, responses: np.ndarray, max_iter: int, tol: float
    ) -> tuple[np.ndarray, np.ndarray]:
        p = np.array(starts, float)
        count, k = p.shape
        responses = np.broadcast_to(responses, (count, len(self.x)))
        w = np.ones((count, 1)) if weights is None else weights
        damping, stale = np.full(count, 1e-3), np.zeros(count, int)
        active = np.arange(count)
        with np.errstate(all="ignore"):
            model, slope = self.model(p)
            residual = responses - model
            value = self.value(residual, w)
            for _ in range(max_iter):
                if not len(active):
                    break
                r, j = residual[active], slope[active]
                pull = w[active] / np.maximum(np.abs(r) / self.delta, 1)
                weighted = j * pull[:, :, None]
                normal = np.swapaxes(weighted, 1, 2) @ j
                diagonal = np.einsum("rii->ri", normal)
                floor = 1e-8 * diagonal.max(1, keepdims=True) + 1e-300
                normal = normal + (damping[active, None] * np.maximum(diagonal, floor))[:, :, None] * np.eye(k)
                step = _solve(normal, (weighted * r[:, :, None]).sum(1))
                # no parameter (logarithms and exponents) moves by more than 2 in one step
                step *= np.minimum(1, 2 / np.maximum(np.abs(step).max(1), 1e-300))[:, None]
                trial = p[active] + step
                model, j = self.model(trial)
                r = responses[active] - model
                reached = self.value(r, w[active])
                good = reached < value[active]
                at = active[good]
                small = np.where(good, value[active] - reached < tol * value[active], damping[active] > 1e4)
                p[at], residual[at], slope[at], value[at] = trial[good], r[good], j[good], reached[good]
                damping[active] *= np.where(good, 0.2, 6.0)
                damping = np.maximum(damping, 1e-7)
                stale[active] = np.where(small, stale[active] + 1, np.where(good, 0, stale[active]))
                active = active[stale[active] < 2]
        return p, np.where(np.isfinite(value), value, np.inf)

    def solve(self, starts: np.ndarray, polish: int = 2) -> tuple[np.ndarray, float, float]:
        """Minimise from every start, then go on from the best ``polish`` ones until nothing is gained.

        Returns the parameters, the objective, and the share of starts that ended within 1e-4 of it.
        """
        many, values = self.minimise(starts, max_iter=100)
        order = np.argsort(values)
        polished, reached = self.minimise(many[order[:polish]], max_iter=2000, tol=1e-15)
        best, lowest = polished[np.argmin(reached)], float(reached.min())
        return best, lowest, float(np.mean(values <= lowest * (1 + 1e-4) + 1e-16))


def _solve(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve small systems [R, k, k]; where one is singular or not finite the step is zero."""
    bad = ~np.isfinite(normal).all((1, 2)) | ~np.isfinite(right).all(1)
    normal[bad], right[bad] = np.eye(normal.shape[1]), 0.0
    try:
        return np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return (np.linalg.pinv(normal) @ right[:, :, None])[:, :, 0]
