"""The recall chapter in words, computed from its tables."""

import numpy as np
import pandas as pd

from seqmix.figures.common import Tables, human, listing, several
from seqmix.figures.draw import label, labels
from seqmix.figures.recall import SOLVED, at_best_rate, outcomes, task
from seqmix.figures.style import order
from seqmix.words.common import FEWEST_SEEDS, scope

__all__ = ["cause", "conclusions", "limits", "lookup", "speed"]


def conclusions(tables: Tables) -> list[str]:
    """Say up to which delay each model recalls the first token, at its best learning rate."""
    lines, rows = scope(tables), at_best_rate(task(tables, "first_token"))
    for arm in order(rows["arm"]) if len(rows) else ():
        cell = rows[rows["arm"] == arm].groupby("distance")["solved"].agg(["sum", "count"])
        all_ = [f"{d}" for d, r in cell.iterrows() if r["sum"] == r["count"]]
        none = [f"{d}" for d, r in cell.iterrows() if r["sum"] == 0]
        some = [f"{d} ({int(r['sum'])} of {int(r['count'])})" for d, r in cell.iterrows() if 0 < r["sum"] < r["count"]]
        parts = [
            f"{text} {listing(where)}"
            for where, text in ((all_, "all seeds solve delays of"), (some, "some seeds"), (none, "none solves"))
            if where
        ]
        steps = int(rows.loc[rows["arm"] == arm, "steps"].max())
        lines.append(f"{label(arm)}, within {steps} steps: {'; '.join(parts)}.")
    return lines


def speed(tables: Tables) -> list[str]:
    """Say how many steps the models that solve the task need: is that "instantly"?"""
    rows = at_best_rate(task(tables, "first_token"))
    lines = []
    for arm in order(rows["arm"]) if len(rows) else ():
        cell = rows[(rows["arm"] == arm) & rows["solved_at"].notna()]
        if len(cell):
            least, most = cell["solved_at"].min(), cell["solved_at"].max()
            middle = cell["solved_at"].median()
            lines.append(
                f"{label(arm)}: the runs that solve the task need {human(least)} to {human(most)} steps "
                f"(median {human(middle)}); evaluations are log-spaced, so this is an upper bound."
            )
    return lines


def cause(tables: Tables) -> list[str]:
    """Say whether any way of training an LSTM solved the longest delay: cannot, or was not trained to?"""
    rows = outcomes(tables)
    rows = rows[(rows["source"] == "first_token") & rows["arm"].str.startswith("lstm")] if len(rows) else rows
    if not len(rows):
        return ["No LSTM was trained on the first-token task, so nothing is said about causes."]
    delay = rows["distance"].max()
    trials = (
        rows[rows["distance"] == delay].groupby(["arm", "lr", "steps"])["solved"].agg(["sum", "count"]).reset_index()
    )
    won = trials[trials["sum"] > 0]
    said = [
        f"{label(t.arm)} at rate {t.lr:.2g}, {int(t.sum)} of {t.count} seeds"
        for t in won.itertuples(index=False, name="T")
    ]
    if not len(won):
        lines = [
            f"No LSTM solved a delay of {delay} tokens: {len(trials)} ways of training it, up to "
            f"{int(trials['steps'].max())} steps. That these failed does not show that it cannot."
        ]
    else:
        lines = [f"At a delay of {delay} tokens, solved by: {listing(said)}."]
        complete = won[(won["sum"] == won["count"]) & (won["count"] >= FEWEST_SEEDS)]
        if len(complete):
            lines.append(
                f"{labels(complete['arm'])}: every seed of some way of training solves it. At this length the failure "
                "of the others is one of initialisation or learning rate, not of the architecture."
            )
    return lines + _gradients(tables, delay)


def _gradients(tables: Tables, delay: int) -> list[str]:
    rows = outcomes(tables)
    rows = rows[(rows["source"] == "first_token") & (rows["distance"] == delay)]
    curves = tables.joined("curves", ["arm", "seed"], rows)
    if "grad_first" not in curves or not curves["grad_first"].notna().any():
        return []
    curves = curves.assign(ratio=curves["grad_first"] / curves["grad_last"].clip(lower=1e-30)).dropna(subset=["ratio"])
    ends = curves.sort_values("step").groupby("run_id")["ratio"].agg(["first", "last"])
    parts = []
    for arm in order(rows["arm"]):
        cell = ends.loc[ends.index.isin(rows.loc[rows["arm"] == arm, "run_id"])]
        if len(cell):
            parts.append(f"{label(arm)} {cell['first'].median():.1e} to {cell['last'].median():.1e}")
    return [
        f"Gradient at the first token over that at the last, delay {delay}, median of the runs, first to last "
        f"evaluation: {listing(parts)}."
    ]


def lookup(tables: Tables) -> list[str]:
    """Say who looks up a pair seen once, and whether the short convolution decides it."""
    rows = at_best_rate(task(tables, "mqar"))
    lines = []
    for pairs, cell in rows.groupby("distance") if len(rows) else ():
        width = cell["d_model"].max()
        top = cell[cell["d_model"] >= cell.groupby("arm")["d_model"].transform("max")]
        parts = [f"{label(a)} {_share(top[top['arm'] == a])}" for a in order(top["arm"])]
        lines.append(f"{pairs} pairs, widths up to {width}: accuracy of {listing(parts)}.")
    for arm, bare in (("transformer_conv", "transformer"), ("deltanet", "deltanet_noconv")):
        both = rows[rows["arm"].isin([arm, bare])] if len(rows) else rows
        if len(both) and both["arm"].nunique() == 2:
            with_, without = (both[both["arm"] == a]["accuracy"].mean() for a in (arm, bare))
            name = label(arm if arm.endswith("conv") else bare).split(",")[0].split(" +")[0]
            seeds = both.groupby("arm")["seed"].nunique().min()
            end = "" if seeds >= FEWEST_SEEDS else f" ({several(seeds, 'seed')}: not decided)"
            lines.append(f"{name} with the short convolution {with_:.2f}, without {without:.2f} on average{end}.")
    return lines


def _share(cell: pd.DataFrame) -> str:
    seeds = f"{int(cell['solved'].sum())} of {several(len(cell), 'seed')}"
    return f"{cell['accuracy'].mean():.2f} ({seeds} with {SOLVED:.0%} right)"


def limits(tables: Tables) -> list[str]:
    """Say how far the delays, pairs, steps and learning rates of this execution reach."""
    rows = outcomes(tables)
    lines = []
    for name, cell in rows.groupby("source") if len(rows) else ():
        what = "delays" if name == "first_token" else "pairs"
        values = listing(str(v) for v in sorted(cell["distance"].unique()))
        trials = cell.groupby("arm")["lr"].nunique()
        tried = f"{several(trials.min(), 'learning rate')} an architecture"
        if trials.min() < trials.max():
            tried = f"{trials.min()} to {trials.max()} learning rates an architecture (which favours those with more)"
        lines.append(
            f"{name}: {what} of {values}; at most {int(cell['steps'].max())} steps; {tried}; "
            f"guessing is right {np.median(cell['chance']):.3f} of the time."
        )
    return lines
