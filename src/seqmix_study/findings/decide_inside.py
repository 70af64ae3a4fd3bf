"""Deciders about looking inside: does a method's first choice lie on a true source of an answer?

Scores are shares of queries, one value a run, on answers that were right; the ``untrained`` method repeats gradient x
input with fresh weights: what it reaches needs no understanding.
"""

import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_tables import Evidence, scope
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds

__all__ = ["attention_shows", "black_box"]

SCORE = "recall_at_1_right"


def scores(evidence: Evidence, arms: list[str], methods: list[str], seeds: int) -> tuple[dict, pd.DataFrame]:
    """Return {(arm, method): value by seed} and the runs behind them."""
    runs = evidence.runs("inside", arms)
    table = evidence.joined("inside", runs.rename(columns={"arm": "of"}), ["of", "seed"])
    table = table[table["score"] == SCORE]
    found = {}
    for arm in arms:
        for method in methods:
            rows = table[(table["of"] == arm) & (table["method"] == method)]
            values = rows.groupby("seed")["value"].mean()
            if len(values) < seeds:
                raise NotTested(f"{seeds} seeds of {method} on {arm} are needed, there are {len(values)}")
            found[arm, method] = values
    return found, runs


def contrast(first: pd.Series, second: pd.Series, margin: float, text: str, runs: pd.DataFrame, name: str) -> Decision:
    """Return the decision on "first - second is above ``margin``", paired by seed."""
    effect = of_seeds((first - second).dropna())
    return Decision(d.directional(effect.lo, effect.hi, margin),
                    f"{text}: {d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}.",
                    effect.estimate, effect.lo, effect.hi, "share of queries", tuple(runs["run_id"]), effect.seeds,
                    scope(runs), name)  # fmt: skip


def attention_shows(evidence: Evidence, arm: str, margin: float = -0.1, seeds: int = 3) -> Decision:
    """Does the best attention head find the source about as often as occlusion, and more often than fresh weights?"""
    found, runs = scores(evidence, [arm], ["attention_best_head", "occlusion", "untrained"], seeds)
    head = found[arm, "attention_best_head"]
    return d.all_of([
        contrast(head, found[arm, "occlusion"], margin, "Attention minus occlusion, share of sources found", runs,
                 "as good as occlusion"),
        contrast(head, found[arm, "untrained"], 0.0, "Attention minus untrained weights", runs,
                 "better than untrained"),
    ])  # fmt: skip


def black_box(
    evidence: Evidence, dark: str, clear: str, share: float = 0.8, method: str = "integrated_gradients", seeds: int = 3
) -> Decision:
    """Is the source found in ``dark`` less often than ``share`` of the times it is found in ``clear``?

    Supported if it is. Refuted if it is not and the method beats untrained weights on both; if it does not, the method
    says nothing and the claim stays open.
    """
    found, runs = scores(evidence, [dark, clear], [method, "untrained"], seeds)
    main = contrast(share * found[clear, method], found[dark, method], 0.0,
                    f"{share:g} of the share found in {clear} minus the share found in {dark}", runs,
                    "sources found")  # fmt: skip
    control = [
        contrast(found[arm, method], found[arm, "untrained"], 0.0, f"{arm}: method minus untrained weights", runs, arm)
        for arm in (dark, clear)
    ]
    if main.verdict == d.REFUTED and any(part.verdict != d.SUPPORTED for part in control):
        text = (
            f"{main.sentence} But the method is no better than with untrained weights somewhere, so it shows nothing."
        )
        return Decision(**(vars(main) | {"verdict": d.CLOSE, "sentence": text}))
    return main
