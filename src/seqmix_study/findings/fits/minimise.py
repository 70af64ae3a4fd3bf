"""BFGS on many small problems at once: sixty starts of one fit, or a thousand bootstrap resamples.

A call of scipy's BFGS costs mostly Python; here all problems share each numpy call. The step is a backtracking line
search (Armijo) and the inverse Hessian is only updated where the curvature condition holds.
"""

from collections.abc import Callable

import numpy as np

__all__ = ["minimise_many"]

#: fun(parameters [R, p], rows [R]) -> values [R], gradients [R, p]; ``rows`` says which problems these are.
Objective = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def minimise_many(
    fun: Objective, starts: np.ndarray, max_iter: int = 400, gtol: float = 1e-6, ftol: float = 1e-12
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise R problems of p parameters from ``starts`` [R, p]; return parameters [R, p] and values [R].

    A problem stops when its gradient's largest entry is below ``gtol`` or five steps in a row gain less than
    ``ftol`` of its value. Problems that break down keep their best point: the caller compares values.
    """
    x = np.array(starts, float)
    count, p = x.shape
    rows = np.arange(count)
    f, g = fun(x, rows)
    f = np.where(np.isfinite(f), f, np.inf)
    h = np.tile(np.eye(p), (count, 1, 1)) / np.maximum(np.abs(g).max(1), 1e-12)[:, None, None]
    stale = np.zeros(count, int)
    active = np.isfinite(f) & (np.abs(g).max(1) > gtol)
    for iteration in range(max_iter):
        at = rows[active]
        if not len(at):
            break
        step = -np.einsum("rij,rj->ri", h[at], g[at])
        slope = (step * g[at]).sum(1)
        uphill = ~(slope < 0)
        if uphill.any():  # a spoilt inverse Hessian: start again from the steepest descent
            bad = at[uphill]
            h[bad] = np.eye(p) / np.maximum(np.abs(g[bad]).max(1), 1e-12)[:, None, None]
            step[uphill] = -np.einsum("rij,rj->ri", h[bad], g[bad])
            slope[uphill] = (step[uphill] * g[bad]).sum(1)
        # no parameter (logarithms and exponents) moves by more than 3 in one step
        size = np.minimum(1.0, 3.0 / np.maximum(np.abs(step).max(1), 1e-300))
        new_x, new_f, new_g = x[at].copy(), f[at].copy(), g[at].copy()
        todo = np.arange(len(at))
        for _ in range(30):
            trial = x[at[todo]] + size[todo, None] * step[todo]
            value, gradient = fun(trial, at[todo])
            good = np.isfinite(value) & (value <= f[at[todo]] + 1e-4 * size[todo] * slope[todo])
            done = todo[good]
            new_x[done], new_f[done], new_g[done] = trial[good], value[good], gradient[good]
            todo = todo[~good]
            if not len(todo):
                break
            size[todo] *= 0.5
        s, y = new_x - x[at], new_g - g[at]
        sy = (s * y).sum(1)
        update = sy > 1e-12 * np.sqrt((s * s).sum(1) * (y * y).sum(1))
        if iteration == 0 and update.any():  # scale the first inverse Hessian to the curvature just seen
            first = at[update]
            scale = sy[update] / np.maximum((y[update] ** 2).sum(1), 1e-300)
            h[first] = np.eye(p) * scale[:, None, None]
        if update.any():
            _update(h, at[update], s[update], y[update], sy[update])
        gain = f[at] - new_f
        stale[at] = np.where(gain <= ftol * np.abs(new_f), stale[at] + 1, 0)
        failed = np.zeros(len(at), bool)
        failed[todo] = True  # no step helps: reset once, give up the second time
        h[at[failed]] = np.eye(p) / np.maximum(np.abs(g[at[failed]]).max(1), 1e-12)[:, None, None]
        stale[at[failed]] += 2
        x[at], f[at], g[at] = new_x, new_f, new_g
        active[at] = (np.abs(new_g).max(1) > gtol) & (stale[at] < 5)
    return x, f


def _update(h: np.ndarray, at: np.ndarray, s: np.ndarray, y: np.ndarray, sy: np.ndarray) -> None:
    """The BFGS update of the inverse Hessians ``h[at]`` in place."""
    old = h[at]
    hy = np.einsum("rij,rj->ri", old, y)
    yhy = (hy * y).sum(1)
    outer = hy[:, :, None] * s[:, None, :]
    h[at] = (
        old
        + ((sy + yhy) / sy**2)[:, None, None] * (s[:, :, None] * s[:, None, :])
        - (outer + outer.transpose(0, 2, 1)) / sy[:, None, None]
    )
