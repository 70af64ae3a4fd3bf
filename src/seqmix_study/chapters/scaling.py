"""Loss against size with the fits that pass their gates, and learning rates, of runs of one execution.

Every loss is held-out, in nats a token. One panel a corpus: losses of different corpora never share an axis.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters import laws
from seqmix_study.chapters.common import Drawn, Tables, human, over_seeds
from seqmix_study.chapters.context import rung
from seqmix_study.chapters.marks import label, lines_by_source, nothing
from seqmix_study.chapters.style import look

__all__ = ["edges", "ladder", "learning_rates", "loss_against_size", "regrets", "trials"]

COUNTS = {
    "non_embedding": ("params_non_embedding", "parameters without embeddings"),
    "total": ("params_total", "all parameters, embeddings included"),
}

LOSS = "held-out loss (nats a token)"


def ladder(tables: Tables) -> pd.DataFrame:
    """Return the runs that compare sizes: a corpus' most frequent number of tokens, no learning-rate sweep."""
    main = tables.main
    if not len(main):
        return main
    usual = main.groupby("source")["tokens"].agg(lambda tokens: tokens.mode().iloc[0])
    return main[main["tokens"] == main["source"].map(usual)].drop_duplicates(["run_id"])


def loss_against_size(tables: Tables, count: str = "non_embedding") -> Drawn:
    """Loss against parameters (``count``: non_embedding or total) with the fits that their gates allow."""
    name, runs = f"fig-scaling-size-{count.replace('_', '-')}", ladder(tables)
    if not len(runs):
        return nothing(name, "no finished run that compares sizes")
    column, text = COUNTS[count]
    data = over_seeds(runs, ["source", "arm", column], "loss")
    figure, axes, words = lines_by_source(data, column, text, LOSS, runs)
    for (source, arm), each in runs.groupby(["source", "arm"]):
        colour, sizes = look(arm).colour, each[column]
        axes[source].scatter(sizes, each["loss"], s=9, color=colour, alpha=0.45, lw=0, zorder=3)
        fit = laws.of(each, column, edges(tables))
        if fit is not None and fit.status == "ok":
            grid = np.geomspace(sizes.min() / 1.3, sizes.max() * 1.3, 60)
            axes[source].plot(grid, fit.predict(grid), color=colour, ls=":", lw=1.2)
    alt = (
        f"Held-out loss against {text}, logarithmic, one panel a corpus, one line an architecture, dots for single "
        f"seeds, dotted curves where a power law passed its checks. {words}"
    )
    return Drawn(name, figure, data.rename(columns={column: "parameters"}), alt)


def trials(tables: Tables) -> pd.DataFrame:
    """Return the learning-rate trials that count: an architecture's longest on a corpus; ``panel``: corpus and size."""
    sweep = tables.sweep
    if not len(sweep):
        return sweep.assign(panel=[])
    sweep = sweep[sweep["tokens"] == sweep.groupby(["source", "arm"])["tokens"].transform("max")]
    sizes = rung(sweep["params_non_embedding"]).map(human)
    return sweep.assign(panel=sweep["source"] + ", " + sizes + " parameters, " + sweep["tokens"].map(human) + " tokens")


def edges(tables: Tables) -> set[tuple[str, str]]:
    """Return (source, arm) whose best learning rate stands at the edge of a grid: tuned too little."""
    found = set()
    for (source, arm, _), runs in trials(tables).groupby(["source", "arm", "panel"]):
        means = runs.groupby("lr")["loss"].mean()
        if len(means) > 1 and means.idxmin() in (means.index.min(), means.index.max()):
            found.add((source, arm))
    return found


def regrets(tables: Tables) -> pd.DataFrame:
    """Return what the rate of the compared runs costs against the best trial, a row a corpus, architecture and size.

    ``regret``: loss of the trials at the used rate (interpolated in its logarithm) minus the lowest, nats; trials are
    shorter than the compared runs and mostly single, so this says where tuning is coarse and corrects nothing.
    """
    swept, runs, rows = trials(tables), tables.main, []
    for (source, arm, panel), cell in swept.groupby(["source", "arm", "panel"]):
        used = runs[(runs["source"] == source) & (runs["arm"] == arm)]["lr"] if len(runs) else ()
        means = cell.groupby("lr")["loss"].mean()
        if len(used) and means.index.min() <= used.iloc[0] <= means.index.max():
            at = float(np.interp(np.log(used.iloc[0]), np.log(means.index.to_numpy()), means.to_numpy()))
            row = {"source": source, "arm": arm, "panel": panel, "size": int(cell["params_non_embedding"].median())}
            rows.append(row | {"best": means.idxmin(), "used": used.iloc[0], "regret": at - means.min()})
    return pd.DataFrame(rows, columns=["source", "arm", "panel", "size", "best", "used", "regret"])


def learning_rates(tables: Tables) -> Drawn:
    """Final loss against learning rate for every architecture that was swept; a best value at the edge is flagged."""
    name, sweep = f"fig-{tables.study}-rates", trials(tables).sort_values(["source", "params_non_embedding"])
    if not len(sweep):
        return nothing(name, "no learning rate is swept: those of the study file are used")
    data = over_seeds(sweep, ["source", "panel", "arm", "lr"], "loss")
    data["panel"] = pd.Categorical(data["panel"], sweep["panel"].unique())
    data = data.sort_values(["panel", "arm", "lr"]).astype({"panel": str})
    text = "peak learning rate at the reference width"
    figure, axes, _ = lines_by_source(data, "lr", text, LOSS, ticks=data["lr"].unique(), panel="panel")
    words = []
    for (panel, arm), points in data.groupby(["panel", "arm"], sort=False):
        best = points.loc[points["mean"].idxmin()]
        edge = len(points) > 1 and best["lr"] in (points["lr"].min(), points["lr"].max())
        alone = ", the only one tried" if len(points) == 1 else ""
        axes[panel].plot(best["lr"], best["mean"], "o", ms=11, mfc="none", mec="red" if edge else "0.2")
        words.append(f"{label(arm)} on {panel}: {best['lr']:.2g}" + (", the edge of its grid" if edge else alone))
    alt = "Held-out loss against learning rate, best value circled. Best: " + "; ".join(words) + "."
    return Drawn(name, figure, data, alt)
