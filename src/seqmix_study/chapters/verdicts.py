"""Figures of the verdicts chapter: how many claims of each document have which verdict, and the measured effects."""

import math
from collections.abc import Sequence

import pandas as pd

from seqmix_study.chapters.common import Drawn
from seqmix_study.chapters.marks import nothing, panels
from seqmix_study.chapters.style import GREY, INK, PALETTE
from seqmix_study.findings import finding as d
from seqmix_study.findings.judge import Verdict
from seqmix_study.findings.ledger import load
from seqmix_study.findings.report import MARKS, table

__all__ = ["effects", "scorecard"]

COLOURS = {
    d.SUPPORTED: PALETTE["deltanet"],
    d.REFUTED: PALETTE["lstm"],
    d.CLOSE: PALETTE["gated"],
    d.UNTESTED: "#b9c0c8",
    d.ILL: PALETTE["hybrid"],
}

MARGIN = 0.02
"""The practical margin of losses, nats (shared rules of the ledger)."""


def scorecard(found: Sequence[Verdict]) -> Drawn:
    """Count of verdicts, a bar a document. The data are all verdicts with rules, intervals and runs."""
    documents = load().documents
    figure, (axis,) = panels(1, height=3.6)
    words = []
    for row, (number, document) in enumerate(documents.items()):
        start, said = 0, []
        for kind in d.VERDICTS:
            count = sum(v.verdict == kind and v.claim.document == number for v in found)
            if not count:
                continue
            axis.barh(row, count, left=start, color=COLOURS[kind], edgecolor="white", height=0.66)
            light = kind == d.UNTESTED
            text = f"{MARKS[kind]} {count}" if count > 1 else MARKS[kind]
            axis.text(start + count / 2, row, text, ha="center", va="center", fontsize=9,
                      color=INK if light else "white")  # fmt: skip
            said.append(f"{count} {kind}")
            start += count
        words.append(f"Document {number}, {document.title}: {d.listing(said)}.")
    axis.set_yticks(range(len(documents)), [f"{number}  {document.title}" for number, document in documents.items()])
    axis.invert_yaxis()
    axis.set_xlabel("claims")
    axis.grid(axis="y", visible=False)
    handles = [axis.barh(0, 0, color=COLOURS[kind], label=f"{MARKS[kind]} {kind}") for kind in d.VERDICTS]
    axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=3, fontsize=9)
    return Drawn("fig-verdicts-count", figure, table(found), "Claims by verdict, a bar a document. " + " ".join(words))


def effects(found: Sequence[Verdict]) -> Drawn:
    """Every measured effect in nats, positive as the claim says, with its interval and the practical margin."""
    rows = []
    for v in found:
        shown = v.instead if v.verdict == d.ILL and v.instead else v.decision
        pieces = shown.parts or (shown,)
        for part in pieces:
            if part.unit == "nats" and math.isfinite(part.lo) and math.isfinite(part.hi):
                name = f"{v.claim.id} {part.name}".strip()
                rows.append({"claim": name, "effect": part.estimate, "lo": part.lo, "hi": part.hi,
                             "verdict": part.verdict, "n": part.seeds, "scope": part.scope})  # fmt: skip
    name = "fig-verdicts-effects"
    if not rows:
        return nothing(name, "no claim about a loss difference has been measured in these tables")
    data = pd.DataFrame(rows)
    figure, (axis,) = panels(1, height=max(2.4, 0.26 * len(data) + 1.2))
    for height, row in enumerate(data.itertuples()):
        axis.plot([row.lo, row.hi], [height, height], color=COLOURS[row.verdict], lw=2.2)
        axis.plot(row.effect, height, "o", color=COLOURS[row.verdict])
    axis.axvspan(-MARGIN, MARGIN, color=GREY, alpha=0.15, lw=0)
    axis.axvline(0, color=GREY, lw=1)
    widest = data[["lo", "hi"]].abs().to_numpy().max()
    if widest > 0.5:
        axis.set_xscale("symlog", linthresh=0.1)
    axis.set_yticks(range(len(data)), data["claim"], fontsize=8)
    axis.set_ylim(len(data) - 0.4, -0.6)
    axis.set_xlabel("effect in the claimed direction (nats a token)")
    beyond = data[data["lo"] > MARGIN]
    against = data[data["hi"] < MARGIN]
    alt = (
        f"{len(data)} measured effects in nats with 95 % intervals, positive as the claim says: "
        f"{len(beyond)} lie wholly "
        f"above the practical margin, {len(against)} wholly below, the others touch it. Largest effect "
        f"{data['effect'].max():.3f} (claim {data.loc[data['effect'].idxmax(), 'claim']}), smallest "
        f"{data['effect'].min():.3f} (claim {data.loc[data['effect'].idxmin(), 'claim']})."
    )
    return Drawn(name, figure, data, alt)
