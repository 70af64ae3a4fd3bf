"""Figures of the verdicts chapter: how many claims of each document have which verdict, and the effects they read.

Both draw rows: ``found`` are those of verdicts.csv, ``rows`` those of findings.csv.
"""

import pandas as pd

from seqmix_study.chapters.common import Drawn, listing
from seqmix_study.chapters.marks import nothing, panels
from seqmix_study.chapters.style import GREY, INK, PALETTE
from seqmix_study.findings import study
from seqmix_study.findings import verdict as v

__all__ = ["effects", "scorecard"]

COLOURS = {
    v.SUPPORTED: PALETTE["deltanet"],
    v.REFUTED: PALETTE["lstm"],
    v.MIXED: PALETTE["attention"],
    v.DEPENDS: "#7f9bc4",
    v.CLOSE: PALETTE["gated"],
    v.UNTESTED: "#b9c0c8",
    v.UNTESTABLE: "#dfe3e8",
    v.ILL: PALETTE["hybrid"],
}
LIGHT = (v.UNTESTED, v.UNTESTABLE, v.DEPENDS)

ANSWERS = {"yes": PALETTE["deltanet"], "no": PALETTE["lstm"], "too close": PALETTE["gated"]}


def scorecard(found: pd.DataFrame) -> Drawn:
    """Count of verdicts, a bar for each document. The data are all verdicts with their rows and runs."""
    documents = study.asked().documents
    figure, (axis,) = panels(1, height=3.6)
    words, kinds = [], found["verdict"].map(v.word_of)
    for row, (number, document) in enumerate(documents.items()):
        start, said = 0, []
        for kind in v.VERDICTS:
            count = int((kinds.eq(kind) & found["document"].eq(number)).sum())
            if not count:
                continue
            axis.barh(row, count, left=start, color=COLOURS[kind], edgecolor="white", height=0.66)
            text = f"{v.MARKS[kind]} {count}" if count > 1 else v.MARKS[kind]
            axis.text(start + count / 2, row, text, ha="center", va="center", fontsize=9,
                      color=INK if kind in LIGHT else "white")  # fmt: skip
            said.append(f"{count} {kind}")
            start += count
        words.append(f"Document {number}, {document.title}: {listing(said)}.")
    axis.set_yticks(range(len(documents)), [f"{number}  {document.title}" for number, document in documents.items()])
    axis.invert_yaxis()
    axis.set_xlabel("claims")
    axis.grid(axis="y", visible=False)
    shown = [kind for kind in v.VERDICTS if (kinds == kind).any()]
    handles = [axis.barh(0, 0, color=COLOURS[kind], label=f"{v.MARKS[kind]} {kind}") for kind in shown]
    axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=4, fontsize=9)
    alt = "Claims by verdict, a bar for each document. " + " ".join(words)
    return Drawn("fig-verdicts-count", figure, found, alt)


def effects(rows: pd.DataFrame) -> Drawn:
    """Every valid effect in nats with its interval, against the margin that its question names."""
    name = "fig-verdicts-effects"
    data = rows[rows["unit"].eq("nats") & rows["verdict"].ne("invalid") & rows["lo"].notna()]
    if not len(data):
        return nothing(name, "no effect in nats could be judged from these tables")
    data = data[["row", "asks", "condition", "estimate", "lo", "hi", "margin", "verdict", "n", "scope"]]
    figure, (axis,) = panels(1, height=max(2.4, 0.26 * len(data) + 1.2))
    for height, row in enumerate(data.itertuples()):
        axis.plot([row.lo, row.hi], [height, height], color=ANSWERS[row.verdict], lw=2.2)
        axis.plot(row.estimate, height, "o", color=ANSWERS[row.verdict])
    margin = float(data["margin"].median())
    axis.axvspan(-margin, margin, color=GREY, alpha=0.15, lw=0)
    axis.axvline(0, color=GREY, lw=1)
    if data[["lo", "hi"]].abs().to_numpy().max() > 0.5:
        axis.set_xscale("symlog", linthresh=0.1)
    axis.set_yticks(range(len(data)), data["row"], fontsize=8)
    axis.set_ylim(len(data) - 0.4, -0.6)
    axis.set_xlabel("effect (nats a token)")
    counts = listing(f"{word}: {int((data['verdict'] == word).sum())}" for word in ANSWERS)
    alt = f"{len(data)} effects in nats with 95 % intervals and the practical margin. Answers: {counts}."
    return Drawn(name, figure, data, alt)
