"""Deciders about loss against size: trends, slopes, exponents, crossings, matched-size differences.

Every decider takes the evidence and the parameters of the claim and asks its question once for every corpus that has
the runs; corpora that disagree give "too close to call".
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_tables import Evidence, common_cells, scope, short, with_sizes
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import falls, of_seeds, ordinary_slope

__all__ = ["gap_slope", "loss_difference", "per_corpus", "trend"]

DECADE = np.log(10.0)


def per_corpus(
    evidence: Evidence, study: str, arms: list[str], ask: Callable[[str], Decision], groups: list[str] | None = None
) -> Decision:
    """Ask one question of every corpus that has all ``arms``; their common answer (see ``finding.agree``)."""
    parts = []
    for source in evidence.sources(study, arms, groups):
        try:
            parts.append(ask(source).named(source))
        except NotTested as gap:
            parts.append(Decision(d.UNTESTED, f"{gap}.", name=source))
    if not parts:
        evidence.runs(study, arms, groups=groups)  # says what is missing, arm by arm
        raise NotTested(f"no corpus of the study {study!r} has finished runs of all of {d.listing(arms)}")
    return d.agree(parts)


def ladder(
    evidence: Evidence, study: str, arms: list[str], source: str, groups: list[str] | None = None
) -> pd.DataFrame:
    """Return the runs of ``arms`` at the common training length with their ``size``; all at one corpus."""
    return with_sizes(evidence.runs(study, arms, source, groups, tokens="common"))


def trend(
    evidence: Evidence, arms: list[str], direction: str = "falls", min_sizes: int = 4, seeds: int = 3
) -> Decision:
    """Does the loss fall (or rise) from each size to the next? One-sided paired tests, Holm over the steps.

    "falls": supported if every step falls at 5 %, refuted if a step rises at 5 %. "rises": the mirror image of a whole
    trend: supported if no step falls and one rises, refuted if every step falls.
    """

    def ask(source: str) -> Decision:
        parts = []
        for arm in arms:
            rows = ladder(evidence, "scaling", [arm], source)
            wide = common_cells(rows, [arm], ["size"], seeds)[arm].unstack("size").dropna()
            if wide.shape[1] < min_sizes or len(wide) < seeds:
                raise NotTested(
                    f"a trend needs {min_sizes} sizes with {seeds} shared seeds; {arm} has "
                    f"{wide.shape[1]} and {len(wide)}"
                )
            down, up = falls(wide)
            slope = of_seeds([DECADE * ordinary_slope(np.log(wide.columns), row) for row in wide.to_numpy()])
            all_down, some_up = max(down) < 0.05, min(up) < 0.05
            if direction == "falls":
                verdict = d.SUPPORTED if all_down else d.REFUTED if some_up else d.CLOSE
            else:
                verdict = d.REFUTED if all_down else d.SUPPORTED if some_up and min(down) > 0.05 else d.CLOSE
            steps = sum(p < 0.05 for p in down)
            text = (
                f"The loss of {arm} falls at {steps} of {len(down)} steps in size (5 %, Holm); "
                f"over the whole range it changes by {d.interval(slope.estimate, slope.lo, slope.hi, 'nats a decade')}."
            )
            used = rows[rows["size"].isin(wide.columns)]
            parts.append(
                Decision(verdict, text, slope.estimate, slope.lo, slope.hi, "nats a decade of N",
                         tuple(used["run_id"]), len(wide), scope(used), arm)
            )  # fmt: skip
        return d.all_of(parts)

    return per_corpus(evidence, "scaling", arms, ask)


def loss_difference(
    evidence: Evidence,
    worse: str,
    better: str,
    margin: float = 0.02,
    study: str = "scaling",
    groups: list[str] | None = None,
    sizes: str = "all",
    seeds: int = 3,
    refute_needs_tokens: float = 0.0,
) -> Decision:
    """Is ``better`` better than ``worse`` at matched parameters, tokens and data order, by more than ``margin`` nats?

    Effect: loss(worse) - loss(better), averaged over the matched sizes (or the "largest") within a seed. A refutation
    with fewer tokens than ``refute_needs_tokens`` a run is only "too close to call": the claim is about trained models.
    """

    def ask(source: str) -> Decision:
        rows = ladder(evidence, study, [worse, better], source, groups)
        cells = common_cells(rows, [worse, better], ["size"], seeds)
        if sizes == "largest":
            cells = cells[cells.index.get_level_values("size") == cells.index.get_level_values("size").max()]
        effect = of_seeds((cells[worse] - cells[better]).unstack("size").dropna().mean(axis=1))
        used = rows[rows["size"].isin(cells.index.get_level_values("size"))]
        verdict = d.directional(effect.lo, effect.hi, margin)
        text = f"Loss of {worse} minus loss of {better}: {d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        tokens = float(used["tokens"].max())
        if verdict == d.REFUTED and tokens < refute_needs_tokens:
            verdict = d.CLOSE
            text += (
                f" Against the claim, but {short(tokens)} tokens are too few to refute it "
                f"({short(refute_needs_tokens)} needed)."
            )
        verdict, note = guard_learning_rate(evidence, study, source, worse, better, verdict)
        return Decision(verdict, text + note, effect.estimate, effect.lo, effect.hi, "nats",
                        tuple(used["run_id"]), effect.seeds, scope(used))  # fmt: skip

    return per_corpus(evidence, study, [worse, better], ask, groups)


def guard_learning_rate(
    evidence: Evidence, study: str, source: str, worse: str, better: str, verdict: str
) -> tuple[str, str]:
    """Withdraw a decided comparison whose loser had its best learning rate at the edge of the grid tried.

    Such an arm might still improve. Arms without a sweep of their own are not held back: they share a sibling's rate,
    and the sentence of the claim's rule says so.
    """
    loser = {d.SUPPORTED: worse, d.REFUTED: better}.get(verdict)
    if loser is None:
        return verdict, ""
    try:
        rows = evidence.runs(study, [loser], source, sweep=True)
    except NotTested:
        return verdict, ""
    longest = rows[rows["tokens"] == rows["tokens"].max()]  # of trials of two lengths the longer count
    for size, sweep in with_sizes(longest).groupby("size"):
        means = sweep.groupby("lr")["loss"].mean()
        if len(means) >= 3 and means.idxmin() in (means.index.min(), means.index.max()):
            edge = "smallest" if means.idxmin() == means.index.min() else "largest"
            note = f" Held back: the best learning rate of {loser} (N = {short(size)}) is the {edge} of those tried."
            return d.CLOSE, note
    return verdict, ""


def gap_slope(
    evidence: Evidence,
    worse: str,
    better: str,
    margin: float = 0.02,
    equal: bool = False,
    min_sizes: int = 4,
    seeds: int = 3,
) -> Decision:
    """Does the gap loss(worse) - loss(better) widen with size, by more than ``margin`` nats a decade of N?

    The same number says whose loss falls faster per decade. With ``equal`` the claim is that the lines are parallel.
    """

    def ask(source: str) -> Decision:
        rows = ladder(evidence, "scaling", [worse, better], source)
        cells = common_cells(rows, [worse, better], ["size"], seeds)
        wide = (cells[worse] - cells[better]).unstack("size").dropna()
        if wide.shape[1] < min_sizes or len(wide) < seeds:
            raise NotTested(
                f"a slope needs {min_sizes} matched sizes with {seeds} shared seeds; there are "
                f"{wide.shape[1]} and {len(wide)}"
            )
        effect = of_seeds([DECADE * ordinary_slope(np.log(wide.columns), row) for row in wide.to_numpy()])
        rule = d.equality if equal else d.directional
        used = rows[rows["size"].isin(wide.columns)]
        text = (
            f"The gap {worse} minus {better} changes by "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats a decade of N')}."
        )
        return Decision(rule(effect.lo, effect.hi, margin), text, effect.estimate, effect.lo, effect.hi,
                        "nats a decade of N", tuple(used["run_id"]), effect.seeds, scope(used))  # fmt: skip

    return per_corpus(evidence, "scaling", [worse, better], ask)
