"""The recall chapter in words, computed from its tables."""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Tables, human, listing, several, span
from seqmix_study.chapters.marks import label, labels
from seqmix_study.chapters.recall import SOLVED, at_best_rate, outcomes, task
from seqmix_study.chapters.say import FEWEST_SEEDS, compare, interval, scope
from seqmix_study.chapters.style import order

__all__ = ["cause", "conclusions", "limits", "lookup", "speed"]


def conclusions(tables: Tables) -> list[str]:
    """Say up to which delay each model recalls the first token, at its best learning rate."""
    lines, rows = scope(tables), at_best_rate(task(tables, "first_token"))
    for arm in order(rows["arm"]) if len(rows) else ():
        cell = rows[rows["arm"] == arm].groupby("distance")["solved"].agg(["sum", "count"])
        said = listing(f"{int(r['sum'])} of {several(r['count'], 'seed')} at {d}" for d, r in cell.iterrows())
        steps = several(rows.loc[rows["arm"] == arm, "steps"].max(), "step")
        lines.append(f"{label(arm)}, trained for at most {steps}; the task is solved, by delay in tokens, by {said}.")
    return lines if len(rows) else [*lines, "The first-token task was not trained in this execution."]


def speed(tables: Tables) -> list[str]:
    """Say how many steps the models that solve the task need: is that "instantly"?"""
    rows = at_best_rate(task(tables, "first_token"))
    lines = []
    for arm in order(rows["arm"]) if len(rows) else ():
        cell = rows[(rows["arm"] == arm) & rows["solved_at"].notna()]
        if len(cell):
            all_ = (rows["arm"] == arm).sum()
            lines.append(
                f"{label(arm)}: steps until the task is solved, in {len(cell)} of {several(all_, 'run')}: "
                f"{span(cell['solved_at'])} (median {human(cell['solved_at'].median())}); evaluations are far apart, "
                "so these are upper bounds."
            )
    return lines or ["No run of this execution solves the first-token task, so there are no steps to count."]


def cause(tables: Tables) -> list[str]:
    """Say whether any way of training an LSTM solved the longest delay: cannot, or was not trained to?"""
    rows = outcomes(tables)
    rows = rows[(rows["source"] == "first_token") & rows["arm"].str.startswith("lstm")] if len(rows) else rows
    if not len(rows):
        return ["No LSTM was trained on the first-token task, so nothing is said about causes."]
    delay, rows = rows["distance"].max(), rows.drop_duplicates("run_id")
    trials = (
        rows[rows["distance"] == delay].groupby(["arm", "lr", "steps"])["solved"].agg(["sum", "count"]).reset_index()
    )
    won = trials[trials["sum"] > 0]
    said = [
        f"{label(t.arm)} at rate {t.lr:.2g}, {int(t.sum)} of {several(t.count, 'seed')}"
        for t in won.itertuples(index=False, name="T")
    ]
    ways = several(len(trials), "way")
    if not len(won):
        lines = [
            f"No LSTM solved a delay of {delay} tokens ({ways} of training it, up to "
            f"{several(trials['steps'].max(), 'step')}). That does not show that it cannot."
        ]
    else:
        lines = [f"At a delay of {delay} tokens, of {ways} of training an LSTM, solved by: {listing(said)}."]
        lines += _repaired(trials)
    return lines + _gradients(tables, delay)


def _repaired(trials: pd.DataFrame) -> list[str]:
    """Name the LSTMs of one shape that always solve the task when trained one way, and never when trained another."""
    lines = []
    trials = trials[trials["count"] >= FEWEST_SEEDS]
    for _, same in trials.groupby(trials["arm"].str.extract(r"^(lstm_(?:\d+|block))", expand=False).fillna("")):
        solved, failed = same[same["sum"] == same["count"]], same[same["sum"] == 0]
        if len(solved) and len(failed):
            lines.append(
                f"{labels(solved['arm'])}: every seed of some way of training solves it, and no seed of another way "
                f"({labels(failed['arm'])}). The failure of the others is one of initialisation, learning rate or "
                "length of training: the same architecture can."
            )
    return lines


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
            parts.append(f"{label(arm)} {cell['first'].median():.1e}, then {cell['last'].median():.1e}")
    return [
        f"Gradient at the first token over that at the last, delay {delay}, median over runs at the first evaluation "
        f"and at the last: {listing(parts)}."
    ]


def lookup(tables: Tables) -> list[str]:
    """Say who looks up a pair seen once, and whether the short convolution decides it."""
    rows = at_best_rate(task(tables, "mqar"))
    lines = []
    for pairs, cell in rows.groupby("distance") if len(rows) else ():
        top = cell[cell["d_model"] >= cell.groupby("arm")["d_model"].transform("max")]
        parts = [f"{label(a)} {_share(top[top['arm'] == a])}" for a in order(top["arm"])]
        lines.append(f"{several(pairs, 'pair')}, accuracy of the widest model of each: {listing(parts)}.")
    for arm, bare in (("transformer_conv", "transformer"), ("deltanet", "deltanet_noconv")):
        both = rows[rows["arm"].isin([arm, bare])] if len(rows) else rows
        if len(both) and both["arm"].nunique() == 2:
            with_, without = (both[both["arm"] == a]["accuracy"].mean() for a in (arm, bare))
            name = label(arm if arm.endswith("conv") else bare).split(",")[0].split(" +")[0]
            gain = compare(both, arm, bare, "accuracy")
            said = interval(gain["mean"], gain["lo"], gain["hi"], 2) if gain["n"] else "no seed in common"
            sign = "higher" if gain["mean"] > 0 else "lower"
            end = sign if gain["decided"] else f"{several(gain['n'], 'paired seed')}: not decided"
            lines.append(
                f"{name}, accuracy on average over pairs with the short convolution {with_:.2f}, without "
                f"{without:.2f}; difference {said} ({end})."
            )
    return lines or ["Associative recall was not trained in this execution."]


def _share(cell: pd.DataFrame) -> str:
    runs = f"{int(cell['solved'].sum())} of {several(len(cell), 'run')}"
    return f"{cell['accuracy'].mean():.2f} (D = {cell['d_model'].max()}; {runs} with {SOLVED:.0%} right)"


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
            f"{name}: {what} of {values}; at most {several(cell['steps'].max(), 'step')}; {tried}; "
            f"{_seeds(cell)}; guessing is right {np.median(cell['chance']):.3f} of the time."
        )
        if name == "first_token":
            gates = sorted(label(arm) for arm in set(cell["arm"]) if arm.startswith("lstm"))
            lines.append(f"first_token: ways to start the forget gate: {listing(gates) or 'none, there is no LSTM'}.")
    return lines or ["Nothing was trained on a recall task."]


def _seeds(cell: pd.DataFrame) -> str:
    seeds = cell.groupby(["arm", "group"])["seed"].nunique()
    few, most = seeds.min(), seeds.max()
    return f"{several(most, 'seed') if few == most else f'{few} to {most} seeds'} a point"
