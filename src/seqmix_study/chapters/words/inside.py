"""The chapter that looks inside, in words computed from its tables."""

import pandas as pd

from seqmix_study.chapters.common import Tables, listing, over_seeds, several, span
from seqmix_study.chapters.inside import METHODS, contrast, scores
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.say import FEWEST_SEEDS, beats_unigram, interval, scope, sign
from seqmix_study.chapters.style import order

__all__ = ["conclusions", "faithful", "limits"]

NOTHING = "No method was scored on queries that were answered rightly."


def difference(values: pd.Series, text: str) -> str:
    """Return a mean difference over seeds with its interval and what it decides ("" for no values)."""
    if not len(values):
        return ""
    row = over_seeds(values.rename("d").reset_index().assign(all=0), ["all"], "d").iloc[0]
    return f"{text}: {interval(row['mean'], row['lo'], row['hi'], 2)} ({sign(row, 'less', 'more')})."


def most_often(cell: pd.DataFrame, value: str, asked: str) -> tuple[list[str], str]:
    """Return the methods (ties included, none at zero) of highest mean ``value`` over seeds, and a sentence of them.

    ``cell``: columns arm, method, seed, chance and ``value``, of one architecture; ``asked``: of what it is a share.
    """
    each = cell[cell["method"] != "untrained"]
    means = each.groupby("method")[value].mean()
    best = [method for method in METHODS if method in means and means[method] >= max(means.max() - 1e-9, 1e-9)]
    seeds, name = cell["seed"].nunique(), label(cell["arm"].iloc[0])
    end = f"(chance {cell['chance'].mean():.2f}; {several(seeds, 'seed')}{': not decided' * (seeds < FEWEST_SEEDS)})."
    if not best:
        return best, f"{name}, trained: no method points first at a true source in any of the {asked} {end}"
    share = f"{means.max():.2f}" if means.max() >= 0.005 else "less than 0.01"
    verb = "point" if len(best) > 1 else "points"
    found = listing(METHODS[method] for method in best)
    said = f"{found} {verb} first at a true source most often, in {share} of the {asked}"
    return best, f"{name}, trained: by mean, {said} {end}"


def conclusions(tables: Tables) -> list[str]:
    """Say for every architecture which method finds a true source, and whether it beats untrained weights."""
    lines, each = [*scope(tables), *beats_unigram(tables)], scores(tables)
    for arm in order(each["arm"]) if len(each) else ():
        best, said = most_often(each[each["arm"] == arm], "recall_at_1", "queries that were answered rightly")
        lines.append(said)
        for method in best:
            text = f"{label(arm)}, {METHODS[method]} minus untrained weights"
            lines.append(difference(contrast(each, arm, method, "untrained"), text))
        text = f"{label(arm)}, best attention head minus occlusion"
        lines.append(difference(contrast(each, arm, "attention_best_head", "occlusion"), text))
    return [line for line in lines if line] + ([] if len(each) else [NOTHING])


def faithful(tables: Tables) -> list[str]:
    """Say whether replacing what is highlighted hurts more than replacing anything."""
    lines, each = [], scores(tables)
    for arm in order(each["arm"]) if len(each) else ():
        for method, text in METHODS.items():
            cell = each[(each["arm"] == arm) & (each["method"] == method)].set_index("seed")
            if len(cell):
                values = cell["deletion"] - cell["deletion_random"]
                lines.append(difference(values, f"{label(arm)}, {text}, rise in nats over random tokens"))
    return lines or [NOTHING]


def limits(tables: Tables) -> list[str]:
    """Say on how many queries and models this rests, and what a highlight is not."""
    rows = tables.inside
    asked = rows[rows["score"] == "recall_at_1_all"] if len(rows) else rows
    if not len(asked):
        return ["No query was asked in this execution, so nothing is shown about the inside of a model."]
    right = rows[rows["score"] == "recall_at_1_right"].drop_duplicates("run_id")
    asked = asked.drop_duplicates("run_id")
    silent = len(set(asked["run_id"]) - set(right["run_id"]))
    counts = [*right["queries"], *([0] * (silent > 0))]
    lines = [f"Queries a model: {span(asked['queries'])}; answered rightly: {span(counts)}."]
    if silent:
        lines.append(f"{several(silent, 'model')} answered no query rightly, and count nowhere but over all queries.")
    return [
        *lines,
        "A fact that was stated several times has several true sources, and each of them counts; replacing one leaves "
        "the others to the model. Only questions for facts stated once are free of this.",
        "The queries are those of a synthetic source, where the reasons of an answer are known; on other text nothing "
        "of this is known.",
    ]
