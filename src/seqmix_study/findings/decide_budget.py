"""Deciders about budgets: tokens, seconds or FLOPs to a common loss; little and much training text."""

import math

import numpy as np
import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_scaling import guard_learning_rate, per_corpus
from seqmix_study.findings.decide_tables import Evidence, common_cells, scope, short, with_sizes
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds

__all__ = ["data_size", "to_target"]


ROUNDING = 1e-5
"""Tables hold six digits: a run reaches its own final loss within this many nats."""


def reached(curve: pd.DataFrame, column: str, target: float) -> float:
    """Return ln(``column``) where a loss curve first goes below ``target`` (linear in the logarithm), or NaN."""
    curve = curve[curve[column] > 0].sort_values(column)
    x, y = np.log(curve[column].to_numpy(float)), np.minimum.accumulate(curve["loss"].to_numpy(float))
    below = np.flatnonzero(y <= target + ROUNDING)
    if not len(below):
        return math.nan
    i = int(below[0])
    if i == 0:
        return float(x[0])
    part = min(1.0, (y[i - 1] - target) / (y[i - 1] - y[i]))
    return float(x[i - 1] + part * (x[i] - x[i - 1]))


def to_target(
    evidence: Evidence,
    faster: str,
    slower: str,
    quantity: str = "tokens",
    margin: float = 1.1,
    study: str = "scaling",
    device: str = "",
    seeds: int = 3,
) -> Decision:
    """How many times the tokens (seconds, FLOPs) does ``slower`` need to reach the loss that both reach?

    At every matched size the target is the worst final loss of all runs there, so each run reaches it. Seconds compare
    only runs of one machine and device.
    """

    def ask(source: str) -> Decision:
        rows = with_sizes(evidence.runs(study, [faster, slower], source, tokens="common"))
        if device:
            rows = rows[rows["device"] == device]
        if quantity == "seconds" and rows[["hardware", "device"]].drop_duplicates().shape[0] != 1:
            raise NotTested("seconds compare only on one machine, and these runs come from several (or none)")
        cells = common_cells(rows, [faster, slower], ["size"], seeds)
        kept = rows[rows["size"].isin(cells.index.get_level_values("size"))]
        curves = evidence.joined("curves", kept, ["arm", "seed", "size"])
        target = kept.groupby("size")["loss"].max()
        at = {
            (arm, size, seed): reached(curve, quantity, target[size])
            for (arm, size, seed), curve in curves.groupby(["arm", "size", "seed"])
        }
        wide = pd.Series(at).unstack(0).reindex(columns=[faster, slower]).dropna()
        if not len(wide):
            raise NotTested(f"the curves do not reach a common loss of {faster} and {slower}")
        effect = of_seeds((wide[slower] - wide[faster]).unstack(0).dropna().mean(axis=1))
        ratio, lo, hi = (math.exp(v) for v in (effect.estimate, effect.lo, effect.hi))
        verdict = d.directional(lo, hi, margin)
        text = (
            f"To the loss that both reach, {slower} needs {d.interval(ratio, lo, hi, 'times', 2)} the "
            f"{quantity} of {faster}."
        )
        verdict, note = guard_learning_rate(evidence, study, source, slower, faster, verdict)
        return Decision(verdict, text + note, ratio, lo, hi, f"ratio of {quantity}", tuple(kept["run_id"]),
                        effect.seeds, scope(kept))  # fmt: skip

    return per_corpus(evidence, study, [faster, slower], ask)


def data_size(
    evidence: Evidence, worse: str, better: str, where: str, margin: float = 0.02, study: str = "budget", seeds: int = 3
) -> Decision:
    """Is ``better`` better by more than ``margin`` nats at the ``smallest`` or ``largest`` amount of distinct text?

    Steps are equal, so little text is repeated text: the loss is the best held-out one along each run, as if both had
    been stopped in time.
    """

    def ask(source: str) -> Decision:
        rows = evidence.runs(study, [worse, better], source)
        if "train_tokens" not in rows or rows["train_tokens"].nunique() < 2:
            raise NotTested("the runs do not differ in the amount of distinct training text (column train_tokens)")
        rows = rows.assign(text=rows["train_tokens"].where(rows["train_tokens"] > 0, math.inf))
        best = evidence.joined("curves", rows, ["seed"]).groupby("run_id")["loss"].min()
        rows["loss"] = rows["run_id"].map(best).fillna(rows["loss"])
        cells = common_cells(rows, [worse, better], ["text"], seeds)
        amounts = cells.index.get_level_values("text")
        if amounts.nunique() < 2:
            raise NotTested("one amount of training text only: there is no axis to compare along")
        at = amounts.min() if where == "smallest" else amounts.max()
        effect = of_seeds((cells[worse] - cells[better])[amounts == at])
        used = rows[rows["text"] == at]
        verdict = d.directional(effect.lo, effect.hi, margin)
        amount = f"{short(at)} training tokens" if math.isfinite(at) else "all of the training text"
        text = (
            f"With {amount}, best loss of {worse} minus best loss of {better}: "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        )
        verdict, note = guard_learning_rate(evidence, study, source, worse, better, verdict)
        return Decision(verdict, text + note, effect.estimate, effect.lo, effect.hi, "nats", tuple(used["run_id"]),
                        effect.seeds, scope(used))  # fmt: skip

    return per_corpus(evidence, study, [worse, better], ask)
