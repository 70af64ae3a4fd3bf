"""Figures of the recall chapter: the first token of a long sequence, pairs seen once, and what repairs an LSTM.

A run has solved its task at the first evaluation with at least ``SOLVED`` of the queries right. Where several learning
rates were tried, a curve shows the best one of each architecture (the same number of trials for all).
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, listing, over_seeds, several
from seqmix_study.chapters.marks import end_labels, label, labels, lines_by_source, log_axis, nothing, panels, trend
from seqmix_study.chapters.style import GREY, look, order

__all__ = ["accuracy_by_delay", "gradient", "pairs", "repairs", "state", "steps_to_solve", "success"]

SOLVED = 0.95
COLUMNS = ["source", "arm", "seed", "lr", "steps", "group", "d_model", "state_bytes", "params_non_embedding"]


def outcomes(tables: Tables) -> pd.DataFrame:
    """Return one row a run: distance, final accuracy, chance, and the step at which it was solved (nan: never)."""
    rows = tables.joined("recall", COLUMNS).drop_duplicates(["run_id", "group", "arm", "distance"])
    if not len(rows):
        return rows.assign(solved_at=[], solved=[])
    curves = tables.curves
    right = curves[curves["accuracy"] >= SOLVED] if "accuracy" in curves else curves.iloc[:0]
    first = right.groupby("run_id")["step"].min()
    rows = rows.assign(solved_at=rows["run_id"].map(first))
    return rows.assign(solved=rows["solved_at"].notna() | (rows["accuracy"] >= SOLVED))


def task(tables: Tables, name: str) -> pd.DataFrame:
    """Return the outcomes of one task without the trials of repairs."""
    rows = outcomes(tables)
    return rows[(rows["source"] == name) & (rows["group"] != "repair")] if len(rows) else rows


def at_best_rate(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep, for every arm, width and distance, the learning rate of highest mean accuracy (ties: the fastest)."""
    if not len(rows):
        return rows
    cell = ["arm", "d_model", "distance"]
    score = rows.assign(time=rows["solved_at"].fillna(rows["steps"]) / rows["steps"])
    means = score.groupby([*cell, "lr"])[["accuracy", "time"]].mean().reset_index()
    best = means.sort_values(["accuracy", "time"], ascending=[False, True]).drop_duplicates(cell)
    return rows.merge(best[[*cell, "lr"]], on=[*cell, "lr"])


def accuracy_by_delay(tables: Tables) -> Drawn:
    """Accuracy of naming the first token after a delay."""
    name, rows = "fig-recall-delay", at_best_rate(task(tables, "first_token"))
    if not len(rows):
        return nothing(name, "the first-token task was not trained")
    data = over_seeds(rows, ["source", "arm", "distance"], "accuracy")
    text, ticks = "delay (tokens)", data["distance"].unique()
    figure, axes, words = lines_by_source(data, "distance", text, "accuracy", ticks=ticks)
    chance = rows["chance"].median()
    for axis in axes.values():
        axis.axhline(chance, color=GREY, lw=1, ls=(0, (4, 3)))
        axis.annotate("guessing", (0.01, chance), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
        axis.set_ylim(-0.03, 1.03)
        axis.set_title("first token")
    return Drawn(
        name, figure, data, f"Accuracy of recalling the first token against the delay, a line a model. {words}"
    )


def rate(solved: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (Wilson 1927)."""
    share, wide = solved / n, z * z / n
    middle = (share + wide / 2) / (1 + wide)
    half = z / (1 + wide) * np.sqrt(share * (1 - share) / n + wide / n / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def success(tables: Tables) -> Drawn:
    """Share of seeds that solve the first-token task, by delay."""
    name, rows = "fig-recall-success", at_best_rate(task(tables, "first_token"))
    if not len(rows):
        return nothing(name, "the first-token task was not trained")
    data = rows.groupby(["arm", "distance"])["solved"].agg(["mean", "sum", "count"]).reset_index()
    ends = [rate(s, n) for s, n in zip(data["sum"], data["count"], strict=True)]
    data = data.assign(lo=[e[0] for e in ends], hi=[e[1] for e in ends]).rename(columns={"count": "seeds"})
    figure, (axis,) = panels(1)
    last = []
    for i, arm in enumerate(order(data["arm"])):
        points = data[data["arm"] == arm].assign(x=lambda d, i=i: d["distance"] * (1 + 0.03 * i))
        shape, gap = look(arm), (points[["mean", "hi"]].to_numpy() - points[["lo", "mean"]].to_numpy()).T.clip(0)
        marks = {"color": shape.colour, "marker": shape.marker, "ls": shape.line, "capsize": 2, "elinewidth": 1}
        axis.errorbar(points["x"], points["mean"], gap, **marks)
        last.append((points["x"].max(), points.sort_values("x")["mean"].iloc[-1], arm))
    log_axis(axis, "x", "delay (tokens)", data["distance"].unique())
    axis.set_ylim(-0.03, 1.03)
    axis.set_ylabel(f"share of seeds with {SOLVED:.0%} right")
    end_labels(axis, last)
    said = "; ".join(trend(data[data["arm"] == arm], "distance", arm) for arm in order(data["arm"]))
    few, most = data["seeds"].min(), data["seeds"].max()
    count = several(most, "seed") if few == most else f"{few} to {most} seeds"
    alt = f"Share of seeds that solve first-token recall, by delay; {count} a point. {said}."
    return Drawn(name, figure, data.drop(columns="sum"), alt)


def steps_to_solve(tables: Tables) -> Drawn:
    """Training steps until the task is solved, a dot a seed; an open triangle never solved it."""
    name, rows = "fig-recall-steps", at_best_rate(task(tables, "first_token"))
    if not len(rows):
        return nothing(name, "the first-token task was not trained")
    figure, (axis,) = panels(1)
    arms, last, words = order(rows["arm"]), [], []
    for i, arm in enumerate(arms):
        cell, shape = rows[rows["arm"] == arm], look(arm)
        x = cell["distance"] * (1 + 0.04 * (i - len(arms) / 2))
        done = cell["solved_at"].notna()
        axis.plot(x[done], cell["solved_at"][done], ls="", marker=shape.marker, color=shape.colour, alpha=0.8)
        axis.plot(x[~done], cell["steps"][~done], ls="", marker="^", mfc="none", mec=shape.colour, ms=8)
        middle = cell.assign(s=cell["solved_at"].fillna(np.inf)).groupby("distance")["s"].median()
        shown = middle.replace(np.inf, np.nan)
        axis.plot(shown.index, shown, color=shape.colour, ls=shape.line, lw=1.2)
        last.append((x.max(), float(cell.loc[x.idxmax(), "solved_at"] if done.any() else cell["steps"].max()), arm))
        parts = [f"{'never' if np.isinf(v) else human(v)} at {d}" for d, v in middle.items()]
        words.append(f"{label(arm)}, median: {listing(parts)}")
    log_axis(axis, "x", "delay (tokens)", rows["distance"].unique())
    log_axis(axis, "y", f"steps until {SOLVED:.0%} right")
    end_labels(axis, [(x, y if np.isfinite(y) else rows["steps"].max(), arm) for x, y, arm in last])
    keep = ["source", "arm", "seed", "lr", "distance", "steps", "solved_at", "accuracy"]
    alt = f"Steps until first-token recall is solved, a dot a seed, open triangles for never. {'; '.join(words)}."
    return Drawn(name, figure, rows[keep], alt)


def repairs(tables: Tables) -> Drawn:
    """Accuracy of LSTMs at the longest delay, by forget-gate initialisation and learning rate, a dot a seed."""
    name, rows = "fig-recall-repairs", outcomes(tables)
    rows = rows[(rows["source"] == "first_token") & rows["arm"].str.startswith("lstm")] if len(rows) else rows
    if not len(rows):
        return nothing(name, "no LSTM was trained on the first-token task")
    rows = rows[rows["distance"] == rows["distance"].max()].drop_duplicates("run_id")
    rows = rows.assign(
        what=rows["arm"].map(label) + rows["lr"].map(", rate {:.2g}, ".format) + rows["steps"].map("{} steps".format)
    )
    names = sorted(rows["what"].unique())
    figure, (axis,) = panels(1, height=max(2.2, 0.4 * len(names) + 1))
    rng = np.random.default_rng(0)
    for height, what in enumerate(names):
        cell = rows[rows["what"] == what]
        shape = look(cell["arm"].iloc[0])
        spread = height + rng.uniform(-0.15, 0.15, len(cell))
        axis.plot(cell["accuracy"], spread, ls="", marker="o", color=shape.colour, alpha=0.8)
    axis.axvline(rows["chance"].median(), color=GREY, lw=1, ls=(0, (4, 3)))
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(-0.03, 1.03)
    axis.set_xlabel(f"accuracy at a delay of {int(rows['distance'].max())} tokens (dashed: guessing)")
    data = over_seeds(rows, ["source", "what"], "accuracy")
    said = "; ".join(f"{r.what}: {r.mean:.2f} on average" for r in data.itertuples())
    delay = int(rows["distance"].max())
    return Drawn(
        name, figure, data, f"Accuracy of LSTMs at a delay of {delay} tokens, a row a way of training. {said}."
    )


def gradient(tables: Tables) -> Drawn:
    """Gradient of the answer's loss at the first token over that at the last, through training, longest delay."""
    name, runs = "fig-recall-gradient", task(tables, "first_token")
    if len(runs):
        runs = at_best_rate(runs[runs["distance"] == runs["distance"].max()])
    curves = tables.joined("curves", ["source", "arm", "seed"], runs) if len(runs) else tables.curves.iloc[:0]
    if not len(curves) or "grad_first" not in curves or not curves["grad_first"].notna().any():
        return nothing(name, "the gradient at the first token was not recorded")
    curves = curves.assign(
        ratio=np.log10(curves["grad_first"].clip(lower=1e-30) / curves["grad_last"].clip(lower=1e-30))
    )
    data = over_seeds(curves, ["source", "arm", "step"], "ratio")
    figure, axes, words = lines_by_source(data, "step", "training step", "log10 of the gradient ratio", digits=1)
    for axis in axes.values():
        axis.axhline(0, color="0.3", lw=1)
        axis.set_title(f"gradient at the first token / at the last, delay {int(runs['distance'].max())}")
    alt = f"Gradient norm of the loss at the first token over that at the last, log10, against training step. {words}"
    return Drawn(name, figure, data, alt)


def pairs(tables: Tables) -> Drawn:
    """Accuracy of associative recall by model width and number of pairs: a table with shades."""
    name, rows = "fig-recall-pairs", at_best_rate(task(tables, "mqar"))
    if not len(rows):
        return nothing(name, "associative recall was not trained")
    data = over_seeds(rows, ["source", "arm", "d_model", "distance"], "accuracy")
    arms = order(data["arm"])
    names = [(arm, width) for arm in arms for width in sorted(data.loc[data["arm"] == arm, "d_model"].unique())]
    grid = data.set_index(["arm", "d_model", "distance"])["mean"].unstack("distance").reindex(names)
    figure, (axis,) = panels(1, width=4.2 + 0.8 * grid.shape[1], height=max(2.2, 0.42 * len(grid) + 1))
    image = axis.imshow(grid.to_numpy(float), vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for (i, j), value in np.ndenumerate(grid.to_numpy(float)):
        axis.text(
            j, i, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.55 else "black", fontsize=9
        )
    axis.set_xticks(range(grid.shape[1]), [int(c) for c in grid.columns])
    axis.set_yticks(range(len(grid)), [f"{label(arm)}, D = {width}" for arm, width in names])
    axis.set_xlabel("key-value pairs to remember")
    axis.grid(visible=False)
    plt.colorbar(image, ax=axis, label="accuracy")
    cells = data.itertuples()
    said = "; ".join(f"{label(r.arm)}, width {r.d_model}, {r.distance} pairs: {r.mean:.2f}" for r in cells)
    return Drawn(name, figure, data, f"Accuracy of associative recall by width and number of pairs. {said}.")


def state(tables: Tables) -> Drawn:
    """Accuracy of associative recall with the most pairs against the bytes of state kept while reading."""
    name, rows = "fig-recall-state", at_best_rate(task(tables, "mqar"))
    if not len(rows):
        return nothing(name, "associative recall was not trained")
    rows = rows[rows["distance"] == rows["distance"].max()]
    data = over_seeds(rows, ["source", "arm", "state_bytes"], "accuracy")
    figure, _, words = lines_by_source(data, "state_bytes", "state (bytes a sequence)", "accuracy")
    count = int(rows["distance"].max())
    figure.axes[0].set_title(f"{count} pairs")
    alt = (
        f"Accuracy of associative recall with {count} pairs against bytes of state, for {labels(data['arm'])}. {words}"
    )
    return Drawn(name, figure, data, alt)
