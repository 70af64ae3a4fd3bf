"""Figures of the hybrids chapter: how many attention layers of twelve, where, and what the short convolution does.

Where the optimal loss of the corpus is known, ``excess`` over it is shown, else the loss. Counts and layers are those
of the pattern itself, never of a name.
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn, Tables, human, over_runs_and_blocks, over_seeds
from seqmix_study.chapters.marks import (
    FEWEST_SEEDS,
    end_labels,
    label,
    lines_by_source,
    nothing,
    panels,
    references,
    rows_by_arm,
    trend,
    view,
)
from seqmix_study.chapters.style import PALETTE, look
from seqmix_study.findings import compare_arms as compare

__all__ = ["best_set", "by_count", "by_length", "controls", "placement", "recall_by_count", "speed_by_count"]

PLACES = ("front", "middle", "back", "even", "report")
CONTROLS = ("hybrid_12_conv", "hybrid_0_noconv")
LADDERS = {"as": "positions of document 2's code", "even": "spread evenly"}


def stacks(tables: Tables, steps: str = "usual") -> pd.DataFrame:
    """Return the finished runs with their attention count, place and value; ``steps``: "usual" length, or "all".

    ``value`` is the excess over the optimal loss where it is known, else the loss.
    """
    runs = tables.main.drop_duplicates(["run_id", "arm"])
    if not len(runs):
        return runs.assign(attention=[], place=[], value=[])
    place = runs["arm"].str.extract(r"^hybrid_\d+_(\w+)$")[0].fillna("as")
    runs = runs.assign(attention=runs["pattern"].str.count("A"), place=place)
    runs = runs.assign(value=runs["excess"].where(runs["excess"].notna(), runs["loss"]))
    if steps == "usual":
        cells = runs.groupby("source")["tokens"].agg(lambda tokens: tokens.mode().iloc[0])
        runs = runs[runs["tokens"] == runs["source"].map(cells)]
    return runs


def what(runs: pd.DataFrame) -> str:
    """Name the value of ``stacks``."""
    known = runs["excess"].notna()
    if known.any() and not known.all():
        return "loss, or excess where the optimum is known (nats)"
    return "excess over the optimal loss (nats)" if known.any() else "held-out loss (nats a token)"


def by_count(tables: Tables, value: str = "value", name: str = "fig-hybrids-count", ylabel: str = "") -> Drawn:
    """Loss against the number of attention layers, for the positions of document 2 and for an even spread."""
    runs = stacks(tables)
    if not len(runs):
        return nothing(name, "no finished stack of mixed layers")
    return _counts(runs, over_seeds(runs, ["source", "arm", "attention", "place"], value), name, ylabel or what(runs))


def _counts(runs: pd.DataFrame, data: pd.DataFrame, name: str, ylabel: str) -> Drawn:
    """Draw ``data`` (source, arm, count, place, mean, lo, hi): lines through the two ladders, marks for the rest."""
    sources, words = sorted(data["source"].unique()), []
    figure, axes = panels(len(sources))
    total = int(runs["n_layers"].max())
    for axis, source in zip(axes, sources, strict=True):
        here, ends = data[data["source"] == source], []
        colours = {"as": PALETTE["hybrid"], "even": PALETTE["attention"]}
        for place, text in LADDERS.items():
            cell = here[here["place"] == place].sort_values("attention")
            if len(cell):
                errors = [cell["mean"] - cell["lo"], cell["hi"] - cell["mean"]]
                style = {"marker": "o", "color": colours[place], "capsize": 2, "elinewidth": 1}
                errors = np.nan_to_num(errors) * (cell["n"] >= FEWEST_SEEDS).to_numpy()
                axis.errorbar(cell["attention"], cell["mean"], errors, label=text, **style)
                said = ", ".join(
                    f"{row.attention}: {human(row.mean) if row.mean > 99 else format(row.mean, '.3f')}"
                    for row in cell.itertuples()
                )
                words.append(f"On {source}, {text}, by count: {said}.")
        for arm in (arm for arm in CONTROLS if arm in set(here["arm"])):
            row = here[here["arm"] == arm].iloc[0]
            error = np.nan_to_num([[row["mean"] - row["lo"]], [row["hi"] - row["mean"]]]) * (row["n"] >= FEWEST_SEEDS)
            marks = {"fmt": look(arm).marker, "color": look(arm).colour, "mfc": "white", "ms": 8, "capsize": 2}
            axis.errorbar(row["attention"], row["mean"], error, **marks)
            ends.append((row["attention"], row["mean"], arm))
            words.append(f"{label(arm)}: {human(row['mean'])}.")
        view(axis, here)
        if runs["excess"].isna().all() and "loss" in ylabel:
            references(axis, runs[runs["source"] == source])
        axis.set_xticks(range(0, total + 1, 2 if total > 8 else 1))
        axis.set_xlabel(f"attention layers of {total}")
        axis.set_title(source)
        axis.legend(loc="best")
        end_labels(axis, ends)
    axes[0].set_ylabel(ylabel)
    alt = f"{ylabel.capitalize()} against the number of attention layers. {' '.join(words)}"
    return Drawn(name, figure, data, alt)


def placement(tables: Tables) -> Drawn:
    """Loss of stacks with equally many attention layers in different places."""
    name, runs = "fig-hybrids-placement", stacks(tables)
    counts = runs[runs["place"].isin(PLACES)]["attention"].unique() if len(runs) else []
    if not len(counts):
        return nothing(name, "no count of attention layers has two placements to compare")
    runs = runs[runs["attention"].isin(counts) & ~runs["arm"].isin(CONTROLS)]
    data = over_seeds(runs, ["source", "attention", "arm", "pattern"], "value").sort_values(
        ["source", "attention", "mean"]
    )
    data["name"] = data["attention"].astype(str) + " attention: " + data["pattern"] + " (" + data["source"] + ")"
    figure = rows_by_arm(data, what(runs))
    for text in figure.axes[0].get_yticklabels():
        text.set_family("DejaVu Sans Mono")
    best = data.loc[data.groupby(["source", "attention"])["mean"].idxmin()]
    said = "; ".join(f"{row.attention} attention: {row.pattern} with {row.mean:.3f}" for row in best.itertuples())
    alt = f"Loss of stacks by place of their attention layers (A), the other layers being DeltaNet (D). Lowest: {said}."
    return Drawn(name, figure, data, alt)


def controls(tables: Tables) -> Drawn:
    """The pure stacks with and without short convolution beside the best hybrid."""
    name, runs = "fig-hybrids-convolution", stacks(tables)
    if not len(runs) or not set(CONTROLS) & set(runs["arm"]):
        return nothing(name, "no pure stack had the short convolution added or taken away")
    means = over_seeds(runs, ["source", "arm", "attention"], "value")
    mixed = means[(means["attention"] > 0) & (means["attention"] < runs["n_layers"].max())]
    best = mixed.loc[mixed.groupby("source")["mean"].idxmin(), ["source", "arm"]]
    pure = means["arm"].isin([*CONTROLS, "hybrid_0", "hybrid_12"])
    chosen = pure | means.set_index(["source", "arm"]).index.isin([*zip(best["source"], best["arm"], strict=True)])
    data = means[chosen].sort_values(["source", "mean"])
    data = data.assign(name=data["arm"].map(label) + ", " + data["source"])
    figure = rows_by_arm(data, what(runs))
    said = "; ".join(f"{row.name}: {row.mean:.3f}" for row in data.itertuples(index=False))
    mixed = ", and of the hybrid of lowest mean" if len(best) else ""
    return Drawn(name, figure, data, f"Loss of the pure stacks with or without short convolution{mixed}. {said}.")


def separable(runs: pd.DataFrame, value: str = "value") -> dict:
    """Return ``findings.compare_arms.best_set`` of one corpus: which stacks no other one is shown to be below.

    A stack with fewer than three seeds is neither shown to be below another one nor shown to be above.
    """
    each = {arm: cell.set_index("seed")[value].to_dict() for arm, cell in runs.groupby("arm")}
    found = compare.best_set(each)
    tested = {arm: values for arm, values in each.items() if len(values) >= FEWEST_SEEDS}
    leaves = dict.fromkeys(each, 1.0) | (compare.best_set(tested)["p_leaves"] if len(tested) > 1 else {})
    return found | {"set": [arm for arm in found["means"] if leaves[arm] > 0.05], "p_leaves": leaves}


def best_set(tables: Tables) -> Drawn:
    """Which stacks cannot be told apart from the best one."""
    name, runs = "fig-hybrids-best", stacks(tables)
    if not len(runs):
        return nothing(name, "no finished stack of mixed layers")
    means, parts = over_seeds(runs, ["source", "arm"], "value"), []
    for source, cell in runs.groupby("source"):
        if cell["arm"].nunique() > 1:
            found, here = separable(cell), means[means["source"] == source].sort_values("mean")
            extra = {"in_set": here["arm"].isin(found["set"]), "p_leaves": here["arm"].map(found["p_leaves"])}
            parts.append(here.assign(**extra, first_share=here["arm"].map(found["first_share"])))
    if not parts:
        return nothing(name, "a single stack: nothing to compare")
    data = pd.concat(parts)
    mark = data["in_set"].map({True: "● ", False: ""})
    data = data.assign(name=mark + data["arm"].map(label) + ", " + data["source"])
    figure = rows_by_arm(data, f"{what(runs)}; ● not separable from the lowest")
    sizes = data.groupby("source")["in_set"].agg(["sum", "count"])
    said = "; ".join(f"{int(r['sum'])} of {int(r['count'])} stacks on {source}" for source, r in sizes.iterrows())
    alt = f"Loss of every stack, lowest first; a dot marks those not separable from the lowest (Holm): {said}."
    return Drawn(name, figure, data, alt)


def recall_by_count(tables: Tables) -> Drawn:
    """Excess loss on tokens that restate a fact, by number of attention layers (synthetic source)."""
    name, runs = "fig-hybrids-recall", stacks(tables)
    rows = (
        tables.joined("context", ["source", "arm", "attention", "place"], runs)
        if len(runs)
        else tables.context.iloc[:0]
    )
    rows = rows[(rows["measure"] == "index") & (rows["kind"] == "value")] if len(rows) else rows
    if not len(rows):
        return nothing(name, "no corpus of this execution says which tokens restate a fact")
    rows = rows.assign(excess=rows["loss"] - rows["bayes"])
    data = over_runs_and_blocks(rows, ["source", "arm", "attention", "place"], "excess")
    return _counts(runs, data, name, "excess on tokens that state a value (nats)")


def speed_by_count(tables: Tables) -> Drawn:
    """Training tokens a second by number of attention layers, as it happened (other runs ran beside)."""
    return by_count(tables, "tokens_per_second", "fig-hybrids-speed", "training tokens a second as they happened")


def by_length(tables: Tables) -> Drawn:
    """Loss of the same stacks after shorter and longer training: does the order hold?"""
    name, runs = "fig-hybrids-length", stacks(tables, steps="all")
    if len(runs):
        lengths = runs.groupby(["source", "arm"])["tokens"].transform("nunique")
        runs = runs[lengths > 1]
    if not len(runs):
        return nothing(name, "no stack was trained for several lengths")
    data = over_seeds(runs, ["source", "arm", "tokens"], "value")
    figure, _, _ = lines_by_source(data, "tokens", "training tokens of the run", what(runs), digits=3)
    groups = data.groupby(["source", "arm"])
    said = "; ".join(f"on {source}, {trend(cell, 'tokens', arm, 3)}" for (source, arm), cell in groups)
    lengths = " and ".join(human(t) for t in sorted(data["tokens"].unique()))
    return Drawn(name, figure, data, f"Loss of the same stacks after {lengths} training tokens: {said}.")
