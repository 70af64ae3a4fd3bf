"""The chapter that looks inside, in words computed from its tables."""

import pandas as pd

from seqmix.figures.common import Tables, over_seeds, several, span
from seqmix.figures.draw import label
from seqmix.figures.inside import METHODS, contrast, scores
from seqmix.figures.style import order
from seqmix.words.common import FEWEST_SEEDS, beats_unigram, interval, scope

__all__ = ["conclusions", "faithful", "limits"]


def difference(values: pd.Series, text: str) -> str:
    """Return a mean difference over seeds with its interval and what it decides ("" for no values)."""
    if not len(values):
        return ""
    row = over_seeds(values.rename("d").reset_index().assign(all=0), ["all"], "d").iloc[0]
    if row["n"] < FEWEST_SEEDS:
        end = f"{several(row['n'], 'seed')}: not decided"
    else:
        end = "more" if row["lo"] > 0 else "less" if row["hi"] < 0 else "not decided"
    return f"{text}: {interval(row['mean'], row['lo'], row['hi'], 2)} ({end})."


def conclusions(tables: Tables) -> list[str]:
    """Say for every architecture which method finds the true source, and whether it beats untrained weights."""
    lines, each = [*scope(tables), *beats_unigram(tables)], scores(tables)
    for arm in order(each["arm"]) if len(each) else ():
        means = each[each["arm"] == arm].groupby("method")["recall_at_1"].mean().drop("untrained", errors="ignore")
        best = means.idxmax()
        chance = each[each["arm"] == arm]["chance"].mean()
        lines.append(
            f"{label(arm)}: {METHODS[best]} finds the source most often, {means[best]:.2f} of the queries that were "
            f"answered rightly (chance {chance:.2f})."
        )
        said = difference(
            contrast(each, arm, best, "untrained"), f"{label(arm)}, {METHODS[best]} minus untrained weights"
        )
        lines += [said] if said else []
        text = f"{label(arm)}, best attention head minus occlusion"
        said = difference(contrast(each, arm, "attention_best_head", "occlusion"), text)
        lines += [said] if said else []
    return lines


def faithful(tables: Tables) -> list[str]:
    """Say whether replacing what is highlighted hurts more than replacing anything."""
    lines, each = [], scores(tables)
    for arm in order(each["arm"]) if len(each) else ():
        for method, text in METHODS.items():
            cell = each[(each["arm"] == arm) & (each["method"] == method)].set_index("seed")
            if len(cell):
                values = cell["deletion"] - cell["deletion_random"]
                lines.append(difference(values, f"{label(arm)}, {text}, rise in nats over random tokens"))
    return lines or ["Nothing was deleted in this execution."]


def limits(tables: Tables) -> list[str]:
    """Say on how many queries and models this rests, and what a highlight is not."""
    rows, lines = tables.inside, []
    if len(rows):
        right = rows[rows["score"] == "recall_at_1_right"]
        asked = rows[rows["score"] == "recall_at_1_all"]
        if len(right) and len(asked):
            lines.append(
                f"{span(asked['queries'])} queries a model, of which {span(right['queries'])} were answered rightly."
            )
        answered = set(right["run_id"])
        silent = set(asked["run_id"]) - answered
        if silent:
            lines.append(
                f"{len(silent)} models answered no query rightly; they are missing where only right answers count."
            )
    return [
        *lines,
        "A fact that was stated several times has several sources, and each of them counts; replacing one of them "
        "leaves the others to the model. The questions for facts stated once are free of this.",
        "The queries are those of one synthetic source, where the reason of an answer is known; on other text nothing "
        "of this is known.",
    ]
