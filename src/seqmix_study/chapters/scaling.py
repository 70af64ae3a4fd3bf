"""Figures of the scaling chapter: loss against parameters, compute and tokens; the gap; learning rates.

Every loss is held-out, in nats a token. One panel a corpus: losses of different corpora never share an axis.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters import laws
from seqmix_study.chapters.common import Drawn, Tables, human, over_seeds, seconds
from seqmix_study.chapters.context import rung
from seqmix_study.chapters.marks import FEWEST_SEEDS, label, labels, lines_by_source, log_axis, nothing, panels
from seqmix_study.chapters.style import look

__all__ = ["gap_against_size", "held_out_size", "ladder", "learning_rates", "loss_against_compute",
           "loss_against_size", "loss_against_tokens", "to_target"]  # fmt: skip

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


def loss_against_compute(tables: Tables) -> Drawn:
    """Loss against the training FLOPs actually counted for each architecture."""
    name, runs = "fig-scaling-compute", ladder(tables)
    if not len(runs):
        return nothing(name, "no finished run that compares sizes")
    data = over_seeds(runs, ["source", "arm", "train_flops"], "loss")
    figure, _, words = lines_by_source(data, "train_flops", "training FLOPs", LOSS, runs)
    return Drawn(name, figure, data, f"Held-out loss against training FLOPs as counted, a line a model. {words}")


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


def gap_against_size(tables: Tables, reference: str = "transformer") -> Drawn:
    """Loss of each architecture minus the Transformer's at matched parameters: does the gap widen?"""
    name, data = "fig-scaling-gap", gaps(tables, reference)
    if not len(data):
        return nothing(name, NO_PAIR.format(reference=label(reference)))
    summary = over_seeds(data, ["source", "arm", "parameters"], "gap")
    ylabel = f"loss minus {label(reference)}'s (nats)"
    text = COUNTS["non_embedding"][1]
    figure, axes, words = lines_by_source(summary, "parameters", text, ylabel, digits=3)
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
    alt = f"Held-out loss minus that of {label(reference)} at matched parameters; above zero is worse. {words}"
    return Drawn(name, figure, summary, alt)


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


def loss_against_tokens(tables: Tables) -> Drawn:
    """Loss during training against tokens, at the size of ``largest``."""
    name, runs = "fig-scaling-tokens", largest(tables)
    curves = tables.joined("curves", ["source", "arm", "seed"], runs)
    if not len(curves):
        return nothing(name, "no loss curve of runs that compare sizes was recorded")
    data = over_seeds(curves, ["source", "arm", "tokens"], "loss")
    figure, axes, words = lines_by_source(data, "tokens", "training tokens", LOSS, runs)
    for source, axis in axes.items():
        size = runs.loc[runs["source"] == source, "params_non_embedding"].median()
        axis.set_title(f"{source}, {human(size)} parameters")
    return Drawn(name, figure, data, f"Held-out loss against training tokens at one size. {words}")


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


def to_target(tables: Tables) -> Drawn:
    """Tokens, seconds and FLOPs to a loss that every run at one size of a corpus reaches."""
    name, each = "fig-scaling-target", crossings(tables)
    if not len(each):
        return nothing(name, "no loss curve of runs that compare sizes was recorded")
    figure, axes = panels(3, 12.5, max(2.6, 0.42 * each.groupby("source")["arm"].nunique().sum() + 1), columns=3)
    rows = sorted({(row.source, row.arm) for row in each.itertuples()}, reverse=True)
    parts, words = [], []
    for axis, (cost, text) in zip(axes, COST.items(), strict=True):
        logs = each.assign(value=np.log(each[cost]))
        data = over_seeds(logs, ["source", "arm"], "value")
        data[["mean", "lo", "hi"]] = np.exp(data[["mean", "lo", "hi"]])
        for row in data.itertuples():
            height, colour = rows.index((row.source, row.arm)), look(row.arm).colour
            if row.n >= FEWEST_SEEDS:
                axis.plot([row.lo, row.hi], [height, height], color=colour, lw=2)
            axis.plot(row.mean, height, look(row.arm).marker, color=colour)
        log_axis(axis, "x", text)
        axis.set_yticks(range(len(rows)), [f"{label(arm)}, {source}" for source, arm in rows] if not parts else [])
        parts.append(data.assign(cost=cost))
        say = seconds if cost == "seconds" else human
        for source, cell in data.groupby("source"):
            least = cell[np.isclose(cell["mean"], cell["mean"].min(), rtol=1e-6)]
            which = "fewest " if len(cell) > 1 else ""
            words.append(f"{which}{text} on {source}: {labels(least['arm'])} with {say(cell['mean'].min())}")
    if early := labels(each.loc[each["first"], "arm"]):
        words.append(f"runs of {early} reach it by their first evaluation: what they cost is an upper bound")
    data = pd.concat(parts).merge(each.groupby("source")["target"].first().reset_index(), on="source")
    alt = (
        f"Cost of reaching a loss that all runs at that size reach, for {labels(each['arm'])}: tokens, seconds and "
        "FLOPs, geometric means over seeds, with intervals from three seeds on. By mean: " + "; ".join(words) + "."
    )
    return Drawn(name, figure, data, alt)


def held_out_size(tables: Tables) -> Drawn:
    """The largest size predicted from the smaller ones: the test of an extrapolation that can be made."""
    name, data = "fig-scaling-held-out", laws.held_out(ladder(tables))
    if not len(data):
        return nothing(name, "no largest size is predicted: that takes four smaller sizes on a falling curve")
    figure, (axis,) = panels(1, height=max(2.6, 0.42 * len(data) + 1))
    for height, row in enumerate(data.itertuples()):
        colour = look(row.arm).colour
        axis.plot([row.lo, row.hi], [height, height], color=colour, lw=6, alpha=0.3, solid_capstyle="butt")
        axis.plot(row.predicted, height, "|", color=colour, ms=14)
        axis.plot(row.measured, height, look(row.arm).marker, color=colour)
    axis.set_yticks(range(len(data)), [f"{label(row.arm)}, {row.source}" for row in data.itertuples()])
    axis.set_xlabel("held-out loss at the largest size (nats): band predicted, dot measured")
    inside = data[(data["measured"] >= data["lo"]) & (data["measured"] <= data["hi"])]
    alt = (
        f"For {labels(data['arm'])}: the loss at the largest size as predicted from the smaller sizes, with its 95 % "
        f"prediction interval, and as measured. Measurements inside their interval: {len(inside)} of {len(data)}."
    )
    return Drawn(name, figure, data, alt)


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
