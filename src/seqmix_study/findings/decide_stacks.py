"""Further deciders about stacks: where the attention layers stand, learning rates, longer training."""

import numpy as np
import pandas as pd

from seqmix_study.findings import finding as d
from seqmix_study.findings.decide_hybrids import LAYERS, decided
from seqmix_study.findings.decide_scaling import per_corpus
from seqmix_study.findings.decide_tables import Evidence, scope
from seqmix_study.findings.finding import Decision, NotTested
from seqmix_study.findings.seed_effects import of_seeds
from seqmix_study.findings.shape import kendall

__all__ = ["lr_optimum", "placement_contrast", "ranking_holds", "variance_shares"]

PLACES = ("front", "middle", "back", "even")


def place_of(pattern: str) -> str:
    """Return front, middle, back or even for a pattern of twelve letters ("" for anything else)."""
    at = [i for i, letter in enumerate(pattern) if letter == "A"]
    k = len(at)
    if len(pattern) != LAYERS or not 0 < k < LAYERS or set(pattern) != {"A", "D"}:
        return ""
    together = at[-1] - at[0] == k - 1
    if together and at[0] == 0:
        return "front"
    if together and at[-1] == LAYERS - 1:
        return "back"
    if together and at[0] in ((LAYERS - k) // 2, (LAYERS - k - 1) // 2):
        return "middle"
    return "even" if at == [int((j + 0.5) * LAYERS / k) for j in range(k)] else ""


def placed(evidence: Evidence, places: list[str], source: str, seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return losses [(count, seed), place] for the counts that have every place, and the runs behind them."""
    rows = evidence.runs("hybrids", source=source, tokens="common")
    rows = rows.assign(place=rows["pattern"].map(place_of), count=rows["pattern"].str.count("A"))
    # where most layers are attention, its place has little meaning
    rows = rows[rows["place"].isin(places) & rows["conv"].str.contains("D") & (rows["count"] <= LAYERS // 2)]
    wide = rows.groupby(["count", "seed", "place"])["loss"].mean().unstack("place").reindex(columns=places).dropna()
    kept = [k for k, cell in wide.groupby(level="count") if len(cell) >= seeds]
    if not kept:
        raise NotTested(f"no count of attention layers has {seeds} seeds at all of {d.listing(places)}")
    wide = wide.loc[kept]
    return wide, rows[rows["count"].isin(kept)]


def sources(evidence: Evidence) -> list[str]:
    return sorted(evidence.runs("hybrids")["source"].unique())


def over_sources(evidence: Evidence, ask) -> Decision:
    parts = []
    for source in sources(evidence):
        try:
            parts.append(ask(source).named(source))
        except NotTested as gap:
            parts.append(Decision(d.UNTESTED, f"{gap}.", name=source))
    return d.agree(parts)


def placement_contrast(
    evidence: Evidence, worse: list[str], better: list[str], margin: float = 0.02, seeds: int = 3
) -> Decision:
    """Is attention at ``worse`` places worse than at ``better`` ones, at equal counts, by more than ``margin`` nats?"""

    def ask(source: str) -> Decision:
        wide, rows = placed(evidence, [*worse, *better], source, seeds)
        gap = wide[worse].mean(axis=1) - wide[better].mean(axis=1)
        effect = of_seeds(gap.unstack("count").dropna().mean(axis=1))
        counts = d.listing(str(k) for k in sorted(set(wide.index.get_level_values("count"))))
        text = (
            f"With {counts} attention layers, {d.listing(worse)} minus {d.listing(better)}: "
            f"{d.interval(effect.estimate, effect.lo, effect.hi, 'nats')}."
        )
        return decided(effect, margin, text, "nats", rows)

    return over_sources(evidence, ask)


def shares(table: np.ndarray) -> tuple[float, float]:
    """Return the shares of the variance of a full table [counts, places] explained by counts and by places."""
    centred = table - table.mean()
    total = float((centred**2).sum())
    by_row = table.shape[1] * float((centred.mean(1) ** 2).sum())
    by_column = table.shape[0] * float((centred.mean(0) ** 2).sum())
    return (by_row / total, by_column / total) if total > 0 else (0.0, 0.0)


def variance_shares(evidence: Evidence, margin: float = -0.1, seeds: int = 3) -> Decision:
    """Does place (front, middle, back) explain at least as much variance as count? Difference above ``margin``."""

    def ask(source: str) -> Decision:
        wide, rows = placed(evidence, ["front", "middle", "back"], source, seeds)
        counts = sorted(set(wide.index.get_level_values("count")))
        if len(counts) < 2:
            raise NotTested("one count only has all places: count explains nothing by design")
        both = []
        for _, cell in wide.groupby(level="seed"):
            if len(cell) == len(counts):
                both.append(shares(cell.to_numpy()))
        pairs = np.array(both)
        effect = of_seeds(pairs[:, 1] - pairs[:, 0])
        text = (
            f"Place explains {pairs[:, 1].mean():.0%} of the variance between stacks, count {pairs[:, 0].mean():.0%}; "
            f"difference of shares {d.interval(effect.estimate, effect.lo, effect.hi, '', 2)}."
        )
        return decided(effect, margin, text, "share of variance", rows)

    return over_sources(evidence, ask)


def parabola(log_lr: np.ndarray, loss: np.ndarray) -> float:
    """Return the minimum of the parabola through the best point and its two neighbours (log2 of the rate)."""
    i = int(np.argmin(loss))
    a, b, _ = np.polyfit(log_lr[i - 1 : i + 2] - log_lr[i], loss[i - 1 : i + 2], 2)
    return float(log_lr[i] - b / (2 * a)) if a > 0 else float(log_lr[i])


def lr_optimum(evidence: Evidence, higher: str, lower: str, octaves: float = 0.5) -> Decision:
    """Is the best learning rate of ``higher`` more than ``octaves`` above that of ``lower``?

    One run a rate: in place of an interval over seeds stands half a grid step for each optimum.
    """

    def ask(source: str) -> Decision:
        rows = evidence.runs("hybrids", [higher, lower], source, sweep=True)
        at, step = {}, 0.0
        for arm in (higher, lower):
            means = rows[rows["arm"] == arm].groupby("lr")["loss"].mean()
            if len(means) < 4 or means.idxmin() in (means.index.min(), means.index.max()):
                raise NotTested(
                    f"the best learning rate of {arm} lies at the edge of its grid, or fewer than 4 were tried"
                )
            log_lr = np.log2(means.index.to_numpy(float))
            at[arm], step = parabola(log_lr, means.to_numpy()), max(step, float(np.diff(log_lr).max()))
        delta, half = at[higher] - at[lower], step / np.sqrt(2)
        text = (
            f"Best rate of {higher} over that of {lower}: "
            f"{d.interval(delta, delta - half, delta + half, 'octaves', 2)} (grid step)."
        )
        verdict = d.directional(delta - half, delta + half, octaves)
        return Decision(verdict, text, delta, delta - half, delta + half, "octaves", tuple(rows["run_id"]),
                        int(rows["seed"].nunique()), scope(rows))  # fmt: skip

    groups = sorted(set(evidence.table("runs").get("group", pd.Series(dtype=str)).dropna().unique()))
    sweeps = [g for g in groups if pd.Series([g]).str.contains(r"^lr|[-_]lr$|^sweep").iloc[0]]
    return per_corpus(evidence, "hybrids", [higher, lower], ask, sweeps or None)


DRAWS = 1000


def draws(wide: pd.DataFrame, seed: int) -> np.ndarray:
    """Return draws of the arm means, [DRAWS, arms]: Student noise of each arm's own seeds."""
    n = len(wide)
    error = wide.std(ddof=1).to_numpy() / np.sqrt(n)
    return wide.mean().to_numpy() + error * np.random.default_rng(seed).standard_t(n - 1, size=(DRAWS, wide.shape[1]))


def ranking_holds(evidence: Evidence, margin: float = 0.5, seeds: int = 2, min_arms: int = 4) -> Decision:
    """Do the stacks rank alike after the shortest and the longest training? Kendall's tau above ``margin``."""

    def ask(source: str) -> Decision:
        rows = evidence.runs("hybrids", source=source)
        lengths = sorted(rows["tokens"].unique())
        if len(lengths) < 2:
            raise NotTested("one training length only")
        tables = []
        for tokens in (lengths[0], lengths[-1]):
            wide = rows[rows["tokens"] == tokens].groupby(["seed", "arm"])["loss"].mean().unstack("arm")
            tables.append(wide.loc[:, wide.notna().sum() >= seeds])
        arms = [arm for arm in tables[0] if arm in tables[1]]
        if len(arms) < min_arms:
            raise NotTested(
                f"{min_arms} stacks with {seeds} seeds at both training lengths are needed, there are {len(arms)}"
            )
        short_, long_ = (table[arms].dropna() for table in tables)
        if min(len(short_), len(long_)) < 2:
            raise NotTested("two seeds complete at both training lengths are needed")
        taus = [kendall(a, b) for a, b in zip(draws(short_, 0), draws(long_, 1), strict=True)]
        estimate = kendall(short_.mean().to_numpy(), long_.mean().to_numpy())
        lo, hi = np.quantile(taus, [0.025, 0.975])
        text = (
            f"Kendall's tau of {len(arms)} stacks between {lengths[0]:,.0f} and {lengths[-1]:,.0f} tokens: "
            f"{d.interval(estimate, lo, hi, '', 2)}."
        )
        used = rows[rows["arm"].isin(arms)]
        return Decision(d.directional(lo, hi, margin), text, estimate, lo, hi, "Kendall's tau", tuple(used["run_id"]),
                        min(len(short_), len(long_)), scope(used))  # fmt: skip

    return over_sources(evidence, ask)
