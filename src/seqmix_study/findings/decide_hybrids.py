"""Deciders about stacks of attention and DeltaNet layers: counts, ranks, shapes.

Arms are named by their number of attention layers of twelve (``hybrid_<k>``, positions as in the public code behind
document 2). Counts are compared within a seed. Places of minima come from draws of the arm means (Student, each arm
with its own spread: spreads differ by architecture, so they are never pooled).
"""

import math

import numpy as np
import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings import shape
from seqmix_study.findings.compare_arms import holm
from seqmix_study.findings.decide_scaling import guard_learning_rate, per_corpus
from seqmix_study.findings.decide_tables import Evidence, scope
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds, one_sided

__all__ = ["best_count", "best_of", "count_contrast", "count_slope", "pure_against_hybrids", "rank_last", "u_shape"]

LAYERS = 12
ALL = [f"hybrid_{k}" for k in range(LAYERS + 1)]


def by_count(evidence: Evidence, source: str, counts: list[int], seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return losses [seed, count] with every seed complete, and the runs behind them."""
    arms = [f"hybrid_{k}" for k in counts]
    rows = evidence.runs("hybrids", arms, source, tokens="common")
    wide = rows.groupby(["seed", "arm"])["loss"].mean().unstack("arm").reindex(columns=arms).dropna()
    wide.columns = counts
    if len(wide) < seeds:
        raise NotTested(f"{seeds} seeds complete for {', '.join(arms)} are needed, there are {len(wide)}")
    return wide, rows[rows["seed"].isin(wide.index)]


def place_of_minimum(wide: pd.DataFrame) -> dict:
    """Return where the lowest of the arm means lies, with interval and share of draws by count."""
    return shape.argmin_interval(wide.columns.to_numpy(float), wide.to_numpy().T)


def decided(effect, margin: float, text: str, unit: str, rows: pd.DataFrame) -> Decision:
    """Return the decision of a directional effect over seeds."""
    return Decision(d.directional(effect.lo, effect.hi, margin), text, effect.estimate, effect.lo, effect.hi, unit,
                    tuple(rows["run_id"]), effect.seeds, scope(rows))  # fmt: skip


def words(counts: list[int]) -> str:
    return f"{d.listing(map(str, counts))} attention layers"


def count_contrast(
    evidence: Evidence, counts: list[int], against: list[int], margin: float = 0.02, seeds: int = 3
) -> Decision:
    """Is the mean loss at ``counts`` lower than at ``against`` by more than ``margin`` nats? Paired within a seed."""

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, [*counts, *against], seeds)
        effect = of_seeds(wide[against].mean(axis=1) - wide[counts].mean(axis=1))
        text = (
            f"Loss at {words(against)} minus at {words(counts)}: "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        )
        found = decided(effect, margin, text, "nats", rows)
        pair = [f"hybrid_{(side[0] if len(side) == 1 else -1)}" for side in (against, counts)]
        verdict, note = guard_learning_rate(evidence, "hybrids", source, pair[0], pair[1], found.verdict)
        return Decision(**(vars(found) | {"verdict": verdict, "sentence": found.sentence + note}))

    return per_corpus(evidence, "hybrids", [f"hybrid_{k}" for k in (*counts, *against)], ask)


def change(wide: pd.DataFrame, counts: list[int]):
    """Return the change of the loss over ``counts``: least-squares slope times range, over seeds."""
    x = np.array(counts) - np.mean(counts)
    return of_seeds((wide[counts].to_numpy() @ x) / (x @ x) * (counts[-1] - counts[0]))


def count_slope(evidence: Evidence, first: int, last: int, margin: float = 0.02, seeds: int = 3) -> Decision:
    """Does the loss rise from ``first`` to ``last`` attention layers by more than ``margin`` nats (slope x range)?"""
    counts = list(range(first, last + 1))

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, counts, seeds)
        effect = change(wide, counts)
        text = (
            f"From {first} to {last} attention layers the loss changes by "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        )
        return decided(effect, margin, text, "nats", rows)

    return per_corpus(evidence, "hybrids", [f"hybrid_{k}" for k in counts], ask)


def pure_against_hybrids(evidence: Evidence, count: int, margin: float = 0.02, seeds: int = 3) -> Decision:
    """Is a pure stack (0 or 12) worse than the median of the eleven hybrids by more than ``margin`` nats?"""

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, list(range(LAYERS + 1)), seeds)
        effect = of_seeds(wide[count] - wide[list(range(1, LAYERS))].median(axis=1))
        text = (
            f"Loss at {words([count])} minus the median hybrid: "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        )
        return decided(effect, margin, text, "nats", rows)

    return per_corpus(evidence, "hybrids", ALL, ask)


def best_of(evidence: Evidence, count: int, seeds: int = 3) -> Decision:
    """What is the probability that ``count`` attention layers have the lowest loss of the thirteen stacks?

    A low probability alone does not refute: thirteen equal stacks have one in thirteen each. Some stack must also be
    better (paired, one-sided, Holm over the twelve others).
    """

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, list(range(LAYERS + 1)), seeds)
        share = place_of_minimum(wide)["share"]
        p = share[count]
        close = [k for k in wide.columns if share[k] >= 0.05]
        tests = holm({k: one_sided((wide[count] - wide[k]).to_numpy()) for k in wide.columns if k != count})
        beaten = sum(v < 0.05 for v in tests.values())
        verdict = d.SUPPORTED if p >= 0.95 else d.REFUTED if p < 0.05 and beaten else d.CLOSE
        text = (
            f"Probability that {words([count])} are best: {p:.2f}; {beaten} stacks are better (5 %, "
            "Holm); stacks with a chance of 5 % or more: "
            f"{d.listing(map(str, sorted(close)))}; lowest mean at {words([int(wide.mean().idxmin())])}."
        )
        return Decision(verdict, text, p, unit="probability", runs=tuple(rows["run_id"]), seeds=len(wide),
                        scope=scope(rows))  # fmt: skip

    return per_corpus(evidence, "hybrids", ALL, ask)


def best_count(evidence: Evidence, claimed: int, low: int, high: int, seeds: int = 3) -> Decision:
    """Does the 95 % interval of the best count lie within ``low``..``high``? Refuted if ``claimed`` is outside it."""

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, list(range(LAYERS + 1)), seeds)
        found = place_of_minimum(wide)
        estimate, lo, hi = int(found["estimate"]), math.floor(found["low"]), math.ceil(found["high"])
        inside = low <= lo and hi <= high
        verdict = d.SUPPORTED if inside else d.REFUTED if not lo <= claimed <= hi else d.CLOSE
        text = (
            f"The lowest mean loss is at {words([estimate])}; 95 % interval of the best count {int(lo)} to {int(hi)}."
        )
        return Decision(verdict, text, estimate, lo, hi, "attention layers", tuple(rows["run_id"]), len(wide),
                        scope(rows))  # fmt: skip

    return per_corpus(evidence, "hybrids", ALL, ask)


def rank_last(evidence: Evidence, count: int, margin: float = 0.02, seeds: int = 3) -> Decision:
    """Does this stack come last? Refuted if two others are worse by more than ``margin`` (paired, Holm)."""

    def ask(source: str) -> Decision:
        wide, rows = by_count(evidence, source, list(range(LAYERS + 1)), seeds)
        p = place_of_minimum(-wide)["share"][count]
        others = [k for k in wide.columns if k != count]
        tests = holm({k: one_sided((wide[k] - wide[count] - margin).to_numpy()) for k in others})
        worse = sum(v < 0.05 for v in tests.values())
        rank = int(wide.mean().rank()[count])
        verdict = d.SUPPORTED if p >= 0.95 else d.REFUTED if worse >= 2 else d.CLOSE
        text = (
            f"{words([count])} rank {rank} of {LAYERS + 1} by mean loss; probability of the last rank {p:.2f}; "
            f"{worse} stacks are worse by more than {margin:g} nats (5 %, Holm)."
        )
        return Decision(verdict, text, p, unit="probability", runs=tuple(rows["run_id"]), seeds=len(wide),
                        scope=scope(rows))  # fmt: skip

    return per_corpus(evidence, "hybrids", ALL, ask)


def u_shape(evidence: Evidence, margin: float = 0.02, seeds: int = 3) -> Decision:
    """Does the loss fall with the count up to a break and rise after it (two-lines test, Simonsohn 2018)?

    Refuted where one line suffices, or where both halves are flat within ``margin`` nats.
    """

    def ask(source: str) -> Decision:
        counts = list(range(LAYERS + 1))
        wide, rows = by_count(evidence, source, counts, seeds)
        found = shape.two_lines(counts, wide.to_numpy().T)
        halves = [change(wide, counts[: LAYERS // 2 + 1]), change(wide, counts[LAYERS // 2 :])]
        flat = all(-margin < side.lo and side.hi < margin for side in halves)
        verdict = {"U": d.SUPPORTED, "falls": d.REFUTED, "rises": d.REFUTED}.get(found["conclusion"], d.CLOSE)
        verdict = d.REFUTED if flat and verdict != d.SUPPORTED else verdict
        sides = [(name, found.get(key)) for name, key in (("before", "left"), ("after", "right"))]
        said = [
            f"{d.interval(side['slope'], side['low'], side['high'], 'nats a layer', 4)} {name} it"
            for name, side in sides
            if side
        ]
        text = (
            f"Two-lines test: {found['conclusion']}, lowest mean at {words([int(found['break'])])}; "
            f"slopes {d.listing(said)}."
        )
        right = found.get("right") or {"slope": math.nan, "low": math.nan, "high": math.nan}
        return Decision(verdict, text, right["slope"], right["low"], right["high"], "nats a layer after the break",
                        tuple(rows["run_id"]), len(wide), scope(rows))  # fmt: skip

    return per_corpus(evidence, "hybrids", ALL, ask)
