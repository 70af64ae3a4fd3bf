"""Loss against size and training length together: the surface L(N, D), and the law of it where its checks allow one.

Only runs that end with their own learning-rate decay are points: a loss from the middle of a longer run is no
measurement of a shorter one (Hoffmann et al. 2022).
"""

import functools

import matplotlib
import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, over_seeds
from seqmix_study.chapters.marks import end_texts, label, log_axis, nothing, panels, trend
from seqmix_study.chapters.style import order
from seqmix_study.findings.fits.fit import Fit
from seqmix_study.findings.fits.surface import fit_surface

__all__ = ["fits", "grid", "surface"]

FEWEST_LENGTHS = 2
RESAMPLES = 500


def grid(tables: Tables) -> pd.DataFrame:
    """Return the compared runs of every corpus and architecture that was trained at several lengths."""
    runs = tables.main.drop_duplicates("run_id") if len(tables.main) else tables.main
    if not len(runs):
        return runs
    lengths = runs.groupby(["source", "arm"])["tokens"].transform("nunique")
    return runs[lengths >= FEWEST_LENGTHS]


def fits(tables: Tables) -> dict[tuple[str, str], Fit]:
    """Return the gated fit of L(N, D) of every corpus and architecture of the grid."""
    runs = grid(tables)
    found = {}
    for key, cell in runs.groupby(["source", "arm"]) if len(runs) else ():
        rows = cell.sort_values("run_id")
        found[key] = _fit(*(tuple(rows[name]) for name in ("params_non_embedding", "tokens", "loss", "seed")))
    return found


@functools.lru_cache(maxsize=64)
def _fit(sizes: tuple, tokens: tuple, losses: tuple, seeds: tuple) -> Fit:
    return fit_surface(sizes, tokens, losses, seeds=seeds, n_boot=RESAMPLES, cross_check=False)


def surface(tables: Tables) -> Drawn:
    """Final loss against training tokens, a line a size, a panel an architecture; dotted: the fitted surface."""
    name, runs = "fig-scaling-surface", grid(tables)
    if not len(runs):
        return nothing(name, "no architecture was trained at several lengths")
    keys = ["source", "arm", "params_non_embedding", "tokens"]
    data = over_seeds(runs, keys, "loss").rename(columns={"params_non_embedding": "parameters"})
    cells = [(source, arm) for source in sorted(data["source"].unique()) for arm in order(data["arm"])]
    cells = [cell for cell in cells if len(data[(data["source"] == cell[0]) & (data["arm"] == cell[1])])]
    laws, words = fits(tables), []
    figure, axes = panels(len(cells))
    for axis, (source, arm) in zip(axes, cells, strict=True):
        here, law = data[(data["source"] == source) & (data["arm"] == arm)], laws[source, arm]
        sizes, ends, said = sorted(here["parameters"].unique()), [], []
        for colour, size in zip(matplotlib.colormaps["viridis"](np.linspace(0, 0.75, len(sizes))), sizes, strict=True):
            points = here[here["parameters"] == size].sort_values("tokens")
            axis.plot(points["tokens"], points["mean"], "o-", color=colour, lw=1.4)
            if law.status == "ok":
                at = np.geomspace(points["tokens"].min(), points["tokens"].max(), 40)
                axis.plot(at, law.predict(np.full(40, size), at), ":", color=colour, lw=1.4)
            ends.append((points["tokens"].iloc[-1], points["mean"].iloc[-1], human(size), colour))
            said.append(trend(points, "tokens", arm).replace(label(arm), f"{human(size)} parameters"))
        log_axis(axis, "x", "training tokens of a whole run", here["tokens"].unique())
        axis.set_title(f"{label(arm)}, {source}")
        end_texts(axis, ends)
        words.append(f"{label(arm)} on {source}: " + "; ".join(said) + ".")
    for axis in axes[::2]:
        axis.set_ylabel("held-out loss (nats a token)")
    alt = (
        "Held-out loss at the end of training against training tokens, a panel an architecture, a line a size, dotted "
        "curves where a surface passed its checks. " + " ".join(words)
    )
    return Drawn(name, figure, data, alt)
