"""Deciders about the use of context: loss by token index, by visible tokens, by training window.

Losses come in blocks of evaluation windows, the same windows for every run: seeds and blocks are both random. The
statistics are those of ``seqmix_study.findings.context`` and ``seqmix_study.findings.compare_arms``.
"""

import math

import numpy as np
import pandas as pd

from seqmix_study.findings import context
from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_scaling import per_corpus
from seqmix_study.findings.decide_tables import Evidence, common_cells, scope, short, with_sizes
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import Effect, of_seeds, of_seeds_and_blocks

__all__ = ["early_gap", "late_gain_difference", "late_slope", "length_effect", "length_gap", "plateau", "utilisation"]

STUDY = "context"
ENOUGH = 256
"""Shortest window, tokens, in which a claim about "100 tokens" can be judged."""


class Curves:
    """Loss by token index (or visible tokens) of some arms on one corpus at the longest window: [seed, block] means."""

    def __init__(
        self, evidence: Evidence, arms: list[str], source: str, measure: str = "index", seeds: int = 3
    ) -> None:
        runs = evidence.runs(STUDY, arms, source)
        self.length = int(runs["seq_len"].max())
        runs = with_sizes(runs[runs["seq_len"] == self.length])
        missing = [arm for arm in arms if runs[runs["arm"] == arm]["seed"].nunique() < seeds]
        if missing:
            raise NotTested(f"{seeds} seeds of {d.listing(missing)} at the window of {self.length} tokens are needed")
        self.runs = runs
        rows = evidence.joined("context", runs, ["arm", "seed", "size"])
        rows = rows[(rows["measure"] == measure) & (rows["kind"] == "all")]
        if not len(rows):
            raise NotTested(f"the measure {measure!r} was not taken on {source}")
        self.rows = rows.assign(total=rows["loss"] * rows["count"], floor=rows["bayes"] * rows["count"])

    def sizes(self, arms: list[str]) -> list[float]:
        """Return the sizes at which every arm was measured, smallest first."""
        per_arm = [set(self.rows[self.rows["arm"] == arm]["size"]) for arm in arms]
        common = sorted(set.intersection(*per_arm))
        if not common:
            raise NotTested(f"{d.listing(arms)} were not measured at a common size")
        return common

    def mean(self, arm: str, size: float, lo: float, hi: float, column: str = "total") -> pd.DataFrame:
        """Return the mean loss of the bins that begin in [lo, hi), as a table [seed, block]."""
        at = self.rows["lo"].between(lo, hi, inclusive="left") & (self.rows["arm"] == arm) & (self.rows["size"] == size)
        sums = self.rows[at].groupby(["seed", "block"])[[column, "count"]].sum()
        if not len(sums):
            raise NotTested(f"no bins between index {lo:g} and {hi:g}")
        return (sums[column] / sums["count"]).unstack("block").dropna()

    def gain(self, arm: str, size: float, early: float, late: float, column: str = "total") -> pd.DataFrame:
        """Return the fall of the loss from indices [early, 2 early) to [late, 2 late), [seed, block]."""
        return self.mean(arm, size, early, 2 * early, column) - self.mean(arm, size, late, 2 * late + 1, column)

    def used(self, arms: list[str]) -> pd.DataFrame:
        return self.runs[self.runs["arm"].isin(arms)]


def _decision(effect: Effect, verdict: str, text: str, unit: str, rows: pd.DataFrame, name: str = "") -> Decision:
    return Decision(verdict, f"{text} {d.interval(effect.estimate, effect.lo, effect.hi, unit)}.", effect.estimate,
                    effect.lo, effect.hi, unit, tuple(rows["run_id"]), effect.seeds, scope(rows), name)  # fmt: skip


def late_slope(evidence: Evidence, arm: str, margin: float = 0.01, octaves: int = 2) -> Decision:
    """Does the loss fall by more than ``margin`` nats over each of the last ``octaves``, at every size?"""

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [arm], source)
        parts = []
        for size in curves.sizes([arm]):
            rows = curves.rows[curves.rows["size"] == size]
            for back in range(octaves):
                found = context.late_slope(context.Curve.from_rows(rows), back=back)
                effect = Effect(-found["slope"], -found["high"], -found["low"], rows["seed"].nunique())
                top = curves.length / 2**back
                text = (
                    f"Fall of the loss of {arm} (N = {short(size)}) from index {top / 4:.0f}-{top / 2:.0f} to "
                    f"{top / 2:.0f}-{top:.0f}:"
                )
                verdict = d.directional(effect.lo, effect.hi, margin)
                name = f"N = {short(size)}, octave {back + 1}"
                parts.append(_decision(effect, verdict, text, "nats", curves.used([arm]), name))
        return d.all_of(parts)

    return per_corpus(evidence, STUDY, [arm], ask)


def plateau(
    evidence: Evidence, arm: str, bound: int, reference: str, margin: float = 0.02, reference_fall: float = 0.05
) -> Decision:
    """Is the loss flat after index ``bound``: every later bin within ``margin`` nats of the last octave?

    Simultaneous over the bins (Bonferroni). Judged only where something was left to learn: the Bayes loss, or the
    ``reference`` architecture, still falls by ``reference_fall`` nats after ``bound``.
    """

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [arm, reference], source)
        if curves.length < ENOUGH:
            raise NotTested(f"windows of {curves.length} tokens are too short; {ENOUGH} are needed")
        parts = []
        for size in curves.sizes([arm]):
            rest = _left_to_learn(curves, arm, reference, size, bound)
            if not rest > reference_fall:
                raise NotTested(
                    f"on {source} even the best prediction falls by only {rest:.3f} nats after index "
                    f"{bound}: a plateau "
                    "there says nothing about the architecture"
                )
            parts.append(_plateau(curves, arm, size, bound, margin))
        return d.all_of(parts)

    return per_corpus(evidence, STUDY, [arm, reference], ask)


def _left_to_learn(curves: Curves, arm: str, reference: str, size: float, bound: int) -> float:
    """Return the fall after ``bound`` of the Bayes loss, or else of the reference at its largest size."""
    late = curves.length / 2
    bayes = curves.gain(arm, size, bound / 1.2, late, "floor")
    if np.isfinite(bayes.to_numpy()).all() and float(bayes.to_numpy().mean()) != 0:
        return float(bayes.to_numpy().mean())
    largest = curves.sizes([reference])[-1]
    return of_seeds_and_blocks(curves.gain(reference, largest, bound / 1.2, late)).lo


def _plateau(curves: Curves, arm: str, size: float, bound: int, margin: float) -> Decision:
    """Certified plateau against ``bound``; refuted where the octave after ``bound`` is above the last one for sure."""
    rows = curves.rows[(curves.rows["arm"] == arm) & (curves.rows["size"] == size)]
    found = context.plateau(context.Curve.from_rows(rows), tolerance=margin)
    certified = math.inf if found["index"] is None else found["index"]
    plain = math.inf if found["estimate"] is None else found["estimate"]
    fall = of_seeds_and_blocks(curves.gain(arm, size, bound / 1.2, curves.length / 2).dropna())
    verdict = d.SUPPORTED if certified <= bound else d.REFUTED if fall.lo > margin else d.CLOSE
    text = (
        f"{arm} (N = {short(size)}): within {margin:g} nats above the last octave from index {d.number(plain, 0)}, "
        f"certified from {d.number(certified, 0)}; from index {bound} to the last octave the loss falls by "
        f"{d.interval(fall.estimate, fall.lo, fall.hi, 'nats')}."
    )
    used = curves.used([arm])
    lo = float(bound) if verdict == d.REFUTED else math.nan
    return Decision(verdict, text, plain, lo, certified, "token index", tuple(used["run_id"]), fall.seeds, scope(used),
                    f"N = {short(size)}")  # fmt: skip


def late_gain_difference(evidence: Evidence, more: str, less: str, margin: float = 0.02) -> Decision:
    """Does ``more`` gain more from far context (fall from [T/8, T/4) to the last octave), by ``margin``?"""

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [more, less], source)
        parts = []
        for size in curves.sizes([more, less]):
            early, late = curves.length / 8, curves.length / 2
            gap = curves.gain(more, size, early, late) - curves.gain(less, size, early, late)
            effect = of_seeds_and_blocks(gap.dropna())
            text = f"Gain from far context of {more} minus that of {less} (N = {short(size)}):"
            verdict = d.directional(effect.lo, effect.hi, margin)
            parts.append(_decision(effect, verdict, text, "nats", curves.used([more, less]), f"N = {short(size)}"))
        return d.all_of(parts)

    return per_corpus(evidence, STUDY, [more, less], ask)


def early_gap(evidence: Evidence, worse: str, better: str, before: int = 20, margin: float = 0.02) -> Decision:
    """Are the two alike, within ``margin`` nats, among the first tokens of the window? A claim of equality."""

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [worse, better], source)
        early = curves.rows[curves.rows["hi"] <= before]["hi"].max()
        parts = []
        for size in curves.sizes([worse, better]):
            gap = curves.mean(worse, size, 1, early) - curves.mean(better, size, 1, early)
            effect = of_seeds_and_blocks(gap.dropna())
            text = f"Before token {int(early)}, loss of {worse} minus {better} (N = {short(size)}):"
            verdict = d.equality(effect.lo, effect.hi, margin)
            parts.append(_decision(effect, verdict, text, "nats", curves.used([worse, better]), f"N = {short(size)}"))
        return d.all_of(parts)

    return per_corpus(evidence, STUDY, [worse, better], ask)


def length_gap(
    evidence: Evidence, worse: str, better: str, where: str, margin: float = 0.02, equal: bool = False, seeds: int = 3
) -> Decision:
    """Is ``better`` better by more than ``margin`` nats when both are trained on the shortest (longest) windows?"""

    def ask(source: str) -> Decision:
        rows = with_sizes(evidence.runs(STUDY, [worse, better], source))
        cells = common_cells(rows, [worse, better], ["seq_len", "size"], seeds)
        lengths = cells.index.get_level_values("seq_len")
        if lengths.nunique() < 2:
            raise NotTested(f"one training window only on {source}")
        at = lengths.min() if where == "shortest" else lengths.max()
        cells = cells[lengths == at]
        effect = of_seeds((cells[worse] - cells[better]).groupby(level="seed").mean())
        used = rows[rows["seq_len"] == at]
        rule = d.equality if equal else d.directional
        text = f"Trained on windows of {int(at)} tokens, loss of {worse} minus {better}:"
        return _decision(effect, rule(effect.lo, effect.hi, margin), text, "nats", used)

    return per_corpus(evidence, STUDY, [worse, better], ask)


def length_effect(evidence: Evidence, arm: str, part: int = 4, margin: float = 0.02) -> Decision:
    """Is the loss of the same tokens lower, by ``margin`` nats, with the whole window visible than with 1/``part``?"""

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [arm], source, "truncate")
        parts = []
        for size in curves.sizes([arm]):
            few = curves.length // part
            gap = curves.mean(arm, size, few, few + 1) - curves.mean(arm, size, curves.length, curves.length + 1)
            effect = of_seeds_and_blocks(gap.dropna())
            text = f"Loss of {arm} (N = {short(size)}) with {few} tokens visible minus with {curves.length}:"
            verdict = d.directional(effect.lo, effect.hi, margin)
            parts.append(_decision(effect, verdict, text, "nats", curves.used([arm]), f"N = {short(size)}"))
        return d.all_of(parts)

    return per_corpus(evidence, STUDY, [arm], ask)


def utilisation(evidence: Evidence, arm: str, reference: str, share: float = 0.5, rise: float = 0.1) -> Decision:
    """Does the largest ``arm`` use less than ``share`` of the possible late gain, and no more than the smallest?

    Possible: the gain of the Bayes loss where it is known, else of ``reference`` at the same size.
    """

    def ask(source: str) -> Decision:
        curves = Curves(evidence, [arm, reference], source)
        sizes = curves.sizes([arm, reference])
        if len(sizes) < 2:
            raise NotTested(f"two sizes of {arm} and {reference} are needed on {source}")
        early, late = curves.length / 8, curves.length / 2
        used = {}
        for size in (sizes[0], sizes[-1]):
            own = curves.gain(arm, size, early, late).mean(axis=1)
            best = curves.gain(arm, size, early, late, "floor").mean(axis=1)
            if not np.isfinite(best).all() or not best.mean() > 0:
                best = curves.gain(reference, size, early, late).mean(axis=1)
            if not (best > 0).all():
                raise NotTested(f"on {source} nothing is gained from far context, by any architecture")
            used[size] = (own / best).dropna()
        large, growth = used[sizes[-1]], used[sizes[-1]] - used[sizes[0]]
        first, second = of_seeds(share - large), of_seeds(rise - growth.dropna())
        rows = curves.used([arm, reference])
        return d.all_of([
            _decision(first, d.directional(first.lo, first.hi, 0.0),
                      f"{arm} at N = {short(sizes[-1])} uses {large.mean():.2f} of the possible gain; "
                      f"{share:g} minus that is",
                      "", rows, "share used"),
            _decision(second, d.directional(second.lo, second.hi, 0.0),
                      f"From N = {short(sizes[0])} on its share changes by {growth.mean():.2f}; {rise:g} minus that is",
                      "", rows, "change with size"),
        ])  # fmt: skip

    return per_corpus(evidence, STUDY, [arm, reference], ask)
