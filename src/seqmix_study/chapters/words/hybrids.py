"""The hybrids chapter in words, computed from its tables."""

import numpy as np
import pandas as pd
from scipy import stats

from seqmix_study.chapters.common import Tables, human, listing, over_seeds, several, span
from seqmix_study.chapters.hybrids import LADDERS, PLACES, separable, stacks
from seqmix_study.chapters.marks import label, labels
from seqmix_study.chapters.say import FEWEST_SEEDS, beats_unigram, compare, interval, scope, settled
from seqmix_study.chapters.scaling import regrets
from seqmix_study.findings.shape import two_lines

__all__ = ["conclusions", "convolution", "length", "limits", "places", "rates", "sweet_spot"]

FEW = (2, 3, 4)
"""Attention layers of twelve that document 2 calls the sweet spot (17 to 33 %)."""


def conclusions(tables: Tables) -> list[str]:
    """Say which stack has the lowest loss and how many cannot be told apart from it."""
    lines, runs = [*scope(tables), *beats_unigram(tables)], stacks(tables)
    for source, cell in runs.groupby("source") if len(runs) else ():
        if cell["arm"].nunique() < 2:
            lines.append(f"On {source}: {label(cell['arm'].iloc[0])} is the only stack, so nothing is compared.")
            continue
        tested = separable(cell)
        inside, means = tested["set"], tested["means"]
        counts = sorted(cell.loc[cell["arm"].isin(inside), "attention"].unique())
        text = f"On {source}, the lowest mean of {len(means)} stacks is that of {label(tested['best'])}"
        seeds = min(tested["seeds"].values())
        why = f"{several(seeds, 'seed')} a stack at the least"
        if max(tested["seeds"].values()) < FEWEST_SEEDS:
            lines.append(f"{text} ({why}: no stack is told apart from another).")
        elif len(inside) == 1:
            lines.append(f"{text}; every other one is separable from it ({why}; paired t-tests, Holm's correction).")
        else:
            lines.append(
                f"{text}; {len(inside)} stacks, itself included, are not separable from the best ({why}; paired "
                f"t-tests, Holm's correction). Their counts of attention layers: {listing(counts)}."
            )
        ends = [arm for arm in ("hybrid_12", "hybrid_0") if arm in means]
        ranks = listing(f"{label(arm)} {1 + sum(m < means[arm] for m in means.values())}" for arm in ends)
        lines += [f"Rank by mean on {source}, of {len(means)}, which is no test: {ranks}."] if ends else []
    return lines


def sweet_spot(tables: Tables) -> list[str]:
    """Compare the mean of a few attention layers with both pure ends, paired by seed."""
    runs, lines = stacks(tables), []
    for source, cell in runs.groupby("source") if len(runs) else ():
        ladder = cell[cell["place"] == "as"]
        few, most = ladder[ladder["attention"].isin(FEW)], int(cell["n_layers"].max())
        middle = few.groupby("seed")["value"].mean().rename("value").reset_index().assign(arm="few")
        counts = listing(sorted(few["attention"].unique()))
        for end in (0, most):
            pure = ladder[ladder["attention"] == end]
            if len(few) and len(pure):
                both = pd.concat([middle, pure[["seed", "value"]].assign(arm="pure")])
                lines.append(_difference(both, "few", "pure", f"On {source}, {counts} attention layers minus {end}"))
        lines += _shape(source, ladder)
        high = ladder[(ladder["attention"] >= 5) & (ladder["attention"] < most)]
        slope = _slope(high)
        if slope is not None:
            said = "not decided" if slope["n"] < FEWEST_SEEDS or slope["lo"] <= 0 <= slope["hi"] else "decided"
            first, last = high["attention"].min(), high["attention"].max()
            lines.append(
                f"On {source}, from {first} to {last} attention layers the loss changes by "
                f"{interval(slope['mean'], slope['lo'], slope['hi'])} nats a further layer ({said})."
            )
    return lines or ["No sweet spot is looked for: that takes 2 to 4 attention layers and a pure end on one corpus."]


def _shape(source: str, ladder: pd.DataFrame) -> list[str]:
    """Say whether the curve over the counts is a U by the two-lines test (Simonsohn 2018)."""
    wide = ladder.pivot_table(index="attention", columns="seed", values="value").dropna(axis=1)
    if len(wide) < 4 or not wide.shape[1]:
        return []
    text = f"On {source}, two-lines test over {len(wide)} counts"
    if wide.shape[1] < FEWEST_SEEDS:
        return [f"{text}: not made with {several(wide.shape[1], 'seed')} that all counts share."]
    found = two_lines(wide.index.to_numpy(float), wide.to_numpy())
    said = {
        "U": "a U: a significant fall and a significant rise",
        "falls": "a fall; no U is shown",
        "rises": "a rise; no U is shown",
        "not shown": "no shape is shown (not both lines are significant)",
    }[found["conclusion"]]
    return [f"{text} with the break at {found['break']:.0f}: {said}."]


def _slope(rows: pd.DataFrame) -> pd.Series | None:
    slopes = [
        {"all": 0, "slope": np.polyfit(cell["attention"], cell["value"], 1)[0]}
        for _, cell in rows.groupby("seed")
        if cell["attention"].nunique() > 2
    ]
    return over_seeds(pd.DataFrame(slopes), ["all"], "slope").iloc[0] if slopes else None


def _difference(runs: pd.DataFrame, first: str, second: str, text: str) -> str:
    d = compare(runs, first, second, "value")
    if not d["n"]:
        return f"{text}: no seed in common."
    if d["n"] < FEWEST_SEEDS:
        end = f"{several(d['n'], 'paired seed')}: not decided"
    else:
        end = ("lower" if d["mean"] < 0 else "higher") if d["decided"] else "not decided: the interval includes zero"
    return f"{text}: {interval(d['mean'], d['lo'], d['hi'])} nats ({end})."


def places(tables: Tables) -> list[str]:
    """Compare placements at equal count with the even spread (or the first one there is), paired by seed."""
    runs, lines = stacks(tables), []
    for (source, count), cell in runs.groupby(["source", "attention"]) if len(runs) else ():
        arms = [arm for arm in sorted(cell["arm"].unique()) if not arm.endswith("conv")]
        if len(arms) < 2 or not cell["place"].isin(PLACES).any():
            continue
        base = next((arm for arm in arms if arm.endswith("_even")), arms[0])
        parts = [
            _difference(cell, arm, base, f"{label(arm)}" + (f" ({LADDERS['as']})" if arm == f"hybrid_{count}" else ""))
            for arm in arms
            if arm != base
        ]
        lines.append(f"{several(count, 'attention layer')} on {source}, compared with {label(base)}: {' '.join(parts)}")
    lines += [_back(source, cell) for source, cell in runs.groupby("source")] if lines else []
    return [line for line in lines if line] or [
        "No count has two placements here: nothing is said about where attention belongs."
    ]


def third(pattern: str) -> str:
    """Return the third of a stack that holds all of its attention layers: front, middle or back ("" if none does)."""
    at = {3 * i // len(pattern) for i, letter in enumerate(pattern) if letter == "A"}
    return ("front", "middle", "back")[at.pop()] if len(at) == 1 else ""


def _back(source: str, cell: pd.DataFrame) -> str:
    """Compare attention at the back with attention before it, over all counts that have both; "" where none has."""
    cell = cell.assign(third=cell["pattern"].map(third))
    wide = cell[cell["third"] != ""].pivot_table(index=["seed", "attention"], columns="third", values="value")
    before = [name for name in ("front", "middle") if name in wide]
    if "back" not in wide or not before:
        return ""
    gap = (wide["back"] - wide[before].mean(axis=1, skipna=False)).dropna()
    each = gap.groupby("seed").mean().rename("gap").reset_index().assign(all=0)
    if not len(each):
        return ""
    row = over_seeds(each, ["all"], "gap").iloc[0]
    said = ("higher" if row["mean"] > 0 else "lower") if settled(row) else "not decided"
    counts = listing(str(count) for count in sorted(gap.index.get_level_values("attention").unique()))
    return (
        f"All attention in the last third of the stack minus all of it in the {listing(before)} third, on {source}, "
        f"over counts {counts}: {interval(row['mean'], row['lo'], row['hi'])} nats ({said})."
    )


def convolution(tables: Tables) -> list[str]:
    """Say what the short convolution does to the pure stacks, and whether it explains the distance between them."""
    runs, lines = stacks(tables), []
    for source, cell in runs.groupby("source") if len(runs) else ():
        for with_, without in (("hybrid_12_conv", "hybrid_12"), ("hybrid_0", "hybrid_0_noconv")):
            if {with_, without} <= set(cell["arm"]):
                text = f"On {source}, {label(with_)} minus {label(without)}"
                lines.append(_difference(cell, with_, without, text))
        if {"hybrid_12_conv", "hybrid_12", "hybrid_0"} <= set(cell["arm"]):
            lines.append(f"On {source}: {_share(cell)}.")
    return lines or ["No pure stack was trained both with and without the short convolution."]


def _share(cell: pd.DataFrame) -> str:
    """Say which part of attention's distance to DeltaNet the convolution closes: only of a distance that is there."""
    behind = compare(cell, "hybrid_12", "hybrid_0", "value")
    if not behind["decided"] or behind["mean"] <= 0:
        return "attention without convolution is not shown to be behind DeltaNet, so no share of a distance is given"
    gained = compare(cell, "hybrid_12", "hybrid_12_conv", "value")
    if not gained["decided"] or gained["mean"] <= 0:
        return "attention without convolution is behind DeltaNet, and no gain by the convolution is shown"
    share = gained["mean"] / behind["mean"]
    return f"by mean, the convolution gains {share:.0%} of the distance of attention without it to DeltaNet"


def length(tables: Tables) -> list[str]:
    """Say whether the order of the stacks holds with longer training."""
    runs, lines = stacks(tables, steps="all"), []
    for source, cell in runs.groupby("source") if len(runs) else ():
        wide = cell.groupby(["arm", "tokens"])["value"].mean().unstack("tokens").dropna()
        both = cell.groupby("arm")["tokens"].nunique()
        wide = wide.loc[wide.index.isin(both[both > 1].index)]
        if wide.shape[1] < 2 or len(wide) < 3:
            continue
        first, last = wide.columns[0], wide.columns[-1]
        tau = stats.kendalltau(wide[first], wide[last]).statistic
        order_ = f"{tau:.2f} (1 is the same order)" if np.isfinite(tau) else "not defined (ties)"
        leaders = [label(wide[at].idxmin()) for at in (first, last)]
        lines.append(
            f"On {source}, {len(wide)} stacks at {human(first)} and {human(last)} tokens: Kendall's tau of the order "
            f"of their means is {order_}; the lowest mean is that of {leaders[0]} after the shorter training and of "
            f"{leaders[1]} after the longer."
        )
    return lines or ["Fewer than three stacks were trained for two lengths: nothing is said about longer training."]


def rates(tables: Tables) -> list[str]:
    """Say for every stack with trials which learning rate was best, which was used, and what that costs."""
    return [
        f"{label(row.arm)} on {row.source}: the best rate of its trials is {row.best:.2g}; {row.used:.2g} was used, "
        f"which costs {row.regret:.3f} nats there."
        for row in regrets(tables).itertuples()
    ] or ["No stack of this execution has trials of its own."]


def limits(tables: Tables) -> list[str]:
    """Say how large, how long and how tuned the stacks of this execution are."""
    runs, lines = stacks(tables, steps="all"), []
    for source, cell in runs.groupby("source") if len(runs) else ():
        lines.append(
            f"{source}: {several(cell['arm'].nunique(), 'stack')} of {int(cell['n_layers'].max())} layers, "
            f"{span(cell['params_non_embedding'])} parameters, {span(cell['tokens'])} tokens, "
            f"{several(cell.groupby('arm')['seed'].nunique().min(), 'seed')} a stack at the least."
        )
    swept = tables.sweep["arm"].unique() if len(tables.sweep) else []
    lines.append(
        f"The learning rate was tried out for {labels(swept)}; all other runs use the rates of the study file."
        if len(swept)
        else "No learning rate was tried out in this execution; the rates are those of the study file."
    )
    return lines
