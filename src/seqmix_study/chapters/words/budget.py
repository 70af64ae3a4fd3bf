"""The budget chapter in words, computed from its tables."""

import numpy as np

from seqmix_study.chapters.budget import amounts, by_seed, gap_by_text
from seqmix_study.chapters.common import Tables, human, listing, over_seeds, span
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.say import beats_unigram, interval, scope, settled, sign
from seqmix_study.chapters.style import order

__all__ = ["conclusions", "limits", "overfitting"]

REFERENCE = "transformer"


def conclusions(tables: Tables) -> list[str]:
    """Say who is ahead at every amount of text, and whether the order turns along it."""
    lines, runs = [*scope(tables), *beats_unigram(tables)], amounts(tables)
    for arm in order(a for a in runs["arm"].unique() if a != REFERENCE) if len(runs) else ():
        each = gap_by_text(tables, arm)
        for source, cell in over_seeds(each, ["source", "text"], "gap").groupby("source") if len(each) else ():
            parts, signs = [], []
            for row in cell.sort_values("text").itertuples():
                signs += [np.sign(row.mean)] if settled(row) else []
                end = sign(row, "below", "above")
                parts.append(f"{human(row.text)}: {interval(row.mean, row.lo, row.hi)} ({end})")
            turn = ""
            if len(cell) > 1:
                turn = (
                    " The order turns along the axis." if len(set(signs)) == 2 else " No turn of the order is decided."
                )
            lines.append(
                f"{label(arm)} minus {label(REFERENCE)}, best loss on {source} by training text (tokens, at most): "
                f"{'; '.join(parts)}.{turn}"
            )
    if len(runs) and not any(" minus " in line for line in lines):
        lines.append(f"{label(REFERENCE)} and another architecture were not both trained: no difference is formed.")
    return lines


def overfitting(tables: Tables) -> list[str]:
    """Say how often the text was repeated and what training past the best point cost."""
    lines, runs = [], amounts(tables)
    for (source, text), cell in runs.groupby(["source", "text"]) if len(runs) else ():
        rows = over_seeds(by_seed(cell, "lost"), ["arm"], "lost").set_index("arm")
        parts = [f"{label(arm)} {interval(*rows.loc[arm, ['mean', 'lo', 'hi']])} nats" for arm in order(rows.index)]
        lines.append(
            f"At most {human(text)} distinct tokens of {source}, each seen {cell['epochs'].mean():.1f} times or more "
            f"on average: final minus best loss is {listing(parts)}."
        )
    return lines or ["There is no finished run, so nothing is said about repetition."]


def limits(tables: Tables) -> list[str]:
    """Say at which size, text and machine this was measured."""
    runs = amounts(tables)
    if not len(runs):
        return ["There is no finished run to speak of."]
    return [
        f"{span(runs['params_non_embedding'])} parameters, at most {span(runs['text'])} distinct tokens, "
        f"{span(runs['tokens'])} tokens read; no dropout and no other regularisation than weight decay.",
        f"Seconds are those of {listing(sorted(runs['hardware'].dropna().unique()))}; other runs may have run beside.",
    ]
