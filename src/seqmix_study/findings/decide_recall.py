"""Deciders about recall: the first token of a long sequence, and many key-value pairs.

A run has solved a delay if it names 95 % of the held-out answers. A run that diverged has not.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import bdtr, betaincinv

from seqmix_study.findings import finding as d
from seqmix_study.findings import survival
from seqmix_study.findings.decide_tables import Evidence, scope, with_sizes
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds

__all__ = [
    "mqar_difference",
    "recall_difference",
    "recall_fails",
    "recall_reaches",
    "same_at_all_delays",
    "steps_to_recall",
]

SOLVED = 0.95
"""Accuracy from which a run counts as having solved its delay."""


def final_accuracy(evidence: Evidence, task: str, arms: list[str], seeds: int) -> pd.DataFrame:
    """Return the runs of a recall task with their accuracy at the end of training; 0 for a run that diverged."""
    runs = evidence.runs("recall", arms, sweep=False, statuses=("finished", "diverged"))
    runs = runs[runs["source"] == task]
    if not len(runs):
        raise NotTested(f"no runs of the task {task!r}")
    rows = evidence.joined("recall", runs, ["seed"])
    last = rows.sort_values("step").groupby("run_id").tail(1).set_index("run_id")
    runs = runs.assign(accuracy=runs["run_id"].map(last["accuracy"]), end=runs["run_id"].map(last["step"]))
    runs["accuracy"] = runs["accuracy"].where(runs["status"] != "diverged", 0.0)
    runs = runs.dropna(subset=["accuracy"])
    missing = [arm for arm in arms if runs[runs["arm"] == arm]["seed"].nunique() < seeds]
    if missing:
        raise NotTested(f"{seeds} seeds of {d.listing(missing)} on {task} are needed")
    return runs


def at_delay(runs: pd.DataFrame, delay: int) -> pd.DataFrame:
    rows = runs[runs["seq_len"] == delay]
    if not len(rows):
        known = ", ".join(str(int(v)) for v in sorted(runs["seq_len"].unique()))
        raise NotTested(f"a delay of {delay} tokens was not measured (measured: {known})")
    return rows


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) 95 % interval of a share."""
    lo = 0.0 if successes == 0 else float(betaincinv(successes, count - successes + 1, 0.025))
    hi = 1.0 if successes == count else float(betaincinv(successes + 1, count - successes, 0.975))
    return lo, hi


def settings(runs: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Return solved seeds by setting (arm, initialisation, learning rate, steps) with at least ``seeds`` seeds."""
    rows = runs.assign(solved=runs["accuracy"] >= SOLVED)
    table = rows.groupby(["arm", "lr", "steps"])["solved"].agg(["sum", "count"]).reset_index()
    table = table[table["count"] >= seeds]
    if not len(table):
        raise NotTested(f"no setting has {seeds} seeds")
    return table


def recall_fails(evidence: Evidence, arms: list[str], delay: int, seeds: int = 3) -> Decision:
    """Do these arms fail to recall at ``delay``? Refuted if a setting does it in every seed, supported if none ever."""
    runs = at_delay(final_accuracy(evidence, "first_token", arms, seeds), delay)
    table = settings(runs, seeds)
    best = table.assign(share=table["sum"] / table["count"]).sort_values(["share", "count"]).iloc[-1]
    lo, hi = share_interval(int(best["sum"]), int(best["count"]))
    always = bool((table["sum"] == table["count"]).any())
    verdict = d.REFUTED if always else d.SUPPORTED if not table["sum"].any() else d.CLOSE
    text = (
        f"At a delay of {delay} the best of {len(table)} settings ({best['arm']}, learning rate {best['lr']:g}, "
        f"{int(best['steps'])} steps) recalls in {int(best['sum'])} of {int(best['count'])} seeds; "
        f"{int((table['sum'] == 0).sum())} settings recall in none."
    )
    return Decision(verdict, text, best["share"], lo, hi, "share of seeds", tuple(runs["run_id"]),
                    int(table["count"].min()), scope(runs))  # fmt: skip


def recall_reaches(evidence: Evidence, arms: list[str], delay: int, seeds: int = 3) -> Decision:
    """The mirror image of ``recall_fails``: supported if one setting solves the delay in every seed."""
    mirror = {d.REFUTED: d.SUPPORTED, d.SUPPORTED: d.REFUTED}
    found = recall_fails(evidence, arms, delay, seeds)
    return Decision(**(vars(found) | {"verdict": mirror.get(found.verdict, found.verdict)}))


def best_setting(runs: pd.DataFrame, arm: str, seeds: int) -> pd.Series:
    """Return accuracy by seed of the arm's learning rate with the highest mean accuracy."""
    rows = runs[runs["arm"] == arm]
    counts = rows.groupby("lr")["seed"].nunique()
    rows = rows[rows["lr"].isin(counts[counts >= seeds].index)]
    if not len(rows):
        raise NotTested(f"{seeds} seeds of {arm} at one learning rate are needed")
    best = rows.groupby("lr")["accuracy"].mean().idxmax()
    return rows[rows["lr"] == best].groupby("seed")["accuracy"].mean()


def recall_difference(
    evidence: Evidence, more: str, less: str, delay: int, margin: float = 0.05, seeds: int = 3
) -> Decision:
    """Does ``more`` recall more often than ``less`` at ``delay``, each at its best learning rate, at equal steps?"""
    runs = at_delay(final_accuracy(evidence, "first_token", [more, less], seeds), delay)
    steps = set(runs[runs["arm"] == more]["steps"]) & set(runs[runs["arm"] == less]["steps"])
    if not steps:
        raise NotTested(f"{more} and {less} were not trained for equal steps at a delay of {delay}")
    runs = runs[runs["steps"] == max(steps)]
    paired = pd.concat([best_setting(runs, more, seeds), best_setting(runs, less, seeds)], axis=1).dropna()
    if len(paired) < seeds:
        raise NotTested(f"{seeds} paired seeds of {more} and {less} are needed, there are {len(paired)}")
    effect = of_seeds(paired.iloc[:, 0] - paired.iloc[:, 1])
    text = (
        f"Accuracy of {more} minus {less} at a delay of {delay}: "
        f"{d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}."
    )
    return Decision(d.directional(effect.lo, effect.hi, margin), text, effect.estimate, effect.lo, effect.hi,
                    "accuracy", tuple(runs["run_id"]), effect.seeds, scope(runs))  # fmt: skip


def same_at_all_delays(evidence: Evidence, arm: str, margin: float = 0.05, seeds: int = 3) -> Decision:
    """Is the accuracy of ``arm`` at the longest delay that of the shortest? A claim of equality."""
    runs = final_accuracy(evidence, "first_token", [arm], seeds)
    delays = sorted(runs["seq_len"].unique())
    if len(delays) < 2:
        raise NotTested("one delay only was measured")
    ends = [best_setting(runs[runs["seq_len"] == delay], arm, seeds) for delay in (delays[0], delays[-1])]
    effect = of_seeds(pd.concat(ends, axis=1).dropna().diff(axis=1).iloc[:, 1])
    text = (
        f"Accuracy of {arm} at a delay of {int(delays[-1])} minus at {int(delays[0])}: "
        f"{d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}."
    )
    return Decision(d.equality(effect.lo, effect.hi, margin), text, effect.estimate, effect.lo, effect.hi,
                    "accuracy", tuple(runs["run_id"]), effect.seeds, scope(runs))  # fmt: skip


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return median and its distribution-free 95 % interval; infinite values (never) take part. Needs 6 values."""
    ordered = np.sort(values)
    n = len(ordered)
    if n < 6:
        raise NotTested(f"an interval of a median needs 6 values, there are {n}")
    k = max(j for j in range(n // 2 + 1) if j == 0 or bdtr(j - 1, n, 0.5) <= 0.025)
    return float(np.median(ordered)), float(ordered[max(k - 1, 0)]), float(ordered[n - max(k, 1)])


def steps_to_recall(evidence: Evidence, arm: str, delay: int, limit: float, nats: float = 0.2) -> Decision:
    """Is the median number of steps until the loss is below ``nats`` under ``limit``? Never is later than all."""
    runs = at_delay(final_accuracy(evidence, "first_token", [arm], 3), delay)
    curves = evidence.joined("curves", runs, ["lr"])
    first = {
        run: survival.steps_to(c["step"], c["loss"], nats) for run, c in curves.sort_values("step").groupby("run_id")
    }
    runs = runs[runs["run_id"].isin(first)]
    by_rate = {
        lr: survival.median_steps(*zip(*(first[run] for run in cell["run_id"]), strict=True))
        for lr, cell in runs.groupby("lr")
    }
    if not by_rate:
        raise NotTested(f"no curves of {arm} at a delay of {delay}")
    best = min(by_rate, key=lambda lr: (by_rate[lr]["median"], -by_rate[lr]["runs"]))
    found, rows = by_rate[best], runs[runs["lr"] == best]
    if found["runs"] < 5:
        raise NotTested(f"an interval of a median needs 5 seeds, there are {found['runs']}")
    middle, lo, hi, cover = found["median"], found["low"], found["high"], "95 % interval"
    if found["runs"] == 5:  # no 95 % interval exists; the range of five covers the median with 94 %
        times = [first[run][0] if first[run][1] else math.inf for run in rows["run_id"]]
        lo, hi, cover = min(times), max(times), "range, a 94 % interval,"
    verdict = d.SUPPORTED if hi < limit else d.REFUTED if lo > limit else d.CLOSE
    text = (
        f"{arm} needs a median of {d.number(middle, 0)} steps ({cover} {d.number(lo, 0)} to {d.number(hi, 0)}, "
        f"{found['reached']} of {found['runs']} seeds get there) to recall at a delay of {delay}; evaluations are "
        "log-spaced, so this is an upper bound."
    )
    return Decision(verdict, text, middle, lo, hi, "steps", tuple(rows["run_id"]), found["runs"], scope(rows))


def mqar_difference(evidence: Evidence, more: str, less: str, margin: float = 0.05, seeds: int = 3) -> Decision:
    """Does ``more`` answer more key-value queries than ``less``, each at its best learning rate in every cell?"""
    runs = with_sizes(final_accuracy(evidence, "mqar", [more, less], seeds))
    pairs = evidence.joined("recall", runs, ["seed"]).groupby("run_id")["distance"].first()
    runs = runs.assign(pairs=runs["run_id"].map(pairs))
    cells = []
    for (size, count), cell in runs.groupby(["size", "pairs"]):
        if {more, less} <= set(cell["arm"]):
            gap = best_setting(cell, more, seeds) - best_setting(cell, less, seeds)
            cells.append(gap.rename(f"{size}/{count}"))
    if not cells:
        raise NotTested(f"{more} and {less} share no cell of size and pairs")
    effect = of_seeds(pd.concat(cells, axis=1).dropna().mean(axis=1))
    text = (
        f"Accuracy of {more} minus {less} on key-value queries, over {len(cells)} cells: "
        f"{d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}."
    )
    return Decision(d.directional(effect.lo, effect.hi, margin), text, effect.estimate, effect.lo, effect.hi,
                    "accuracy", tuple(runs["run_id"]), effect.seeds, scope(runs))  # fmt: skip
