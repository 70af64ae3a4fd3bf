"""Figures of the scaling chapter: loss against parameters, compute and tokens; the gap; learning rates.

Every loss is held-out, in nats a token. One panel a corpus: losses of different corpora never share an axis.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters import laws
from seqmix_study.chapters.common import Drawn, Tables, human, over_seeds
from seqmix_study.chapters.context import rung
from seqmix_study.chapters.marks import label, lines_by_source, nothing
from seqmix_study.chapters.style import look

__all__ = ["ladder", "learning_rates", "loss_against_size"]

COUNTS = {
    "non_embedding": ("params_non_embedding", "parameters without embeddings"),
    "total": ("params_total", "all parameters, embeddings included"),
}

NO_PAIR = "no seed has two sizes that {reference} and another architecture share"
"""Why nothing is said about a gap and its change with size."""

LOSS = "held-out loss (nats a token)"

COST = {"tokens": "training tokens", "seconds": "seconds of training", "flops": "training FLOPs"}


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


def gaps(tables: Tables, reference: str = "transformer", at: str = "params_non_embedding") -> pd.DataFrame:
    """Return loss of every arm minus the reference's at the same size, paired by seed (interpolated in ln N).

    ``at="train_flops"`` compares at equal training FLOPs instead; column ``parameters`` (or ``flops``) says where.
    """
    rows, where = [], "flops" if at == "train_flops" else "parameters"
    for (source, seed), cell in ladder(tables).groupby(["source", "seed"]):
        base = cell[cell["arm"] == reference].groupby(at)["loss"].mean()
        if len(base) < 2:
            continue
        known = np.log(base.index.to_numpy(float))
        for run in cell[cell["arm"] != reference].to_dict("records"):
            x = np.log(run[at])
            if known[0] - 0.05 <= x <= known[-1] + 0.05:
                gap = run["loss"] - float(np.interp(x, known, base.to_numpy()))
                spot = run[at] if at == "train_flops" else int(base.index[np.argmin(np.abs(known - x))])
                rows.append({"source": source, "arm": run["arm"], "seed": seed, where: spot, "gap": gap})
    return pd.DataFrame(rows, columns=["source", "arm", "seed", where, "gap"])


def largest(tables: Tables) -> pd.DataFrame:
    """Return the ladder's runs at one size a corpus (within 5 %): the least of the architectures' largest sizes.

    Where a request leaves architectures without a size in common, not all of them are there.
    """
    runs = ladder(tables)
    kept = []
    for _, cell in runs.groupby("source"):
        top = cell.groupby("arm")["params_non_embedding"].max().min()
        kept.append(cell[np.abs(np.log(cell["params_non_embedding"] / top)) < 0.05])
    return pd.concat(kept) if kept else runs


def crossings(tables: Tables) -> pd.DataFrame:
    """Return, for every run at the size of ``largest``, what it cost to reach the loss that all these runs reach.

    The target is the worst final loss of a corpus (so that nothing is censored); the cost is interpolated in the
    logarithm between two evaluations. Columns: source, arm, seed, target, tokens, seconds, flops, and ``first``: was
    it reached at the first evaluation already, so that the cost is an upper bound?
    """
    runs, rows, columns = largest(tables), [], ["source", "arm", "seed", "target", *COST, "first"]
    if not len(runs):
        return pd.DataFrame(columns=columns)
    curves = tables.joined("curves", ["source", "arm", "seed"], runs)
    for source, cell in curves.groupby("source"):
        target = cell.sort_values("tokens").groupby("run_id")["loss"].last().max()
        for (arm, seed, _), curve in cell.groupby(["arm", "seed", "run_id"]):
            curve = curve.sort_values("tokens")
            below = np.flatnonzero(curve["loss"].to_numpy() <= target)
            last = below[0] if len(below) else len(curve) - 1
            pair = curve.iloc[max(0, last - 1) : last + 1]
            costs = {}
            for cost in COST:
                x = np.log(np.maximum(pair[cost].to_numpy(float), 1e-9))
                y = pair["loss"].to_numpy(float)
                costs[cost] = float(np.exp(np.interp(-target, -y, x))) if len(pair) > 1 else float(np.exp(x[0]))
            row = {"source": source, "arm": arm, "seed": seed, "target": target, **costs}
            rows.append(row | {"first": len(pair) < 2})
    return pd.DataFrame(rows, columns=columns)


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
