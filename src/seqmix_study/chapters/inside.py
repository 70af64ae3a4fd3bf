"""What the chapter that looks inside draws from traces: attention over one document, gates over many.

Input are traces (``seqmix_study.runs.samples_and_traces``): plain data, so that the pictures of a published tier need
no weights.
"""

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seqmix_study.chapters.draw import WIDTH
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.style import INK, order

SOURCE = "#d1490c"
# Positions up to the question that a heat map shows: more are no longer cells on a phone.
LAST = 40


def heads(traces: dict) -> tuple[Figure, pd.DataFrame, str]:
    """Draw the attention of the asking position, a row a head, a panel a model (the first seed of each arm).

    Returns figure, data and description, as ``show.show`` wants them.

    The true source of the answer is framed; a square-root scale lets small weights be seen.
    """
    runs = {run["arm"]: run for run in traces["runs"] if run.get("heads")}
    question, said, rows = traces["question"], [], []
    end, source = question["position"], question["stated"] - 1
    start = max(0, min(end + 1 - LAST, source))
    figure = Figure(figsize=(WIDTH, 1.5 * len(runs) + 0.9), layout="constrained")
    axes = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    for axis, arm in zip(axes, order(runs), strict=True):
        found = runs[arm]["heads"]
        names = [f"layer {head['layer']}, head {head['head']}" for head in found]
        weights = np.array([head["row"] for head in found])
        extent = (start - 0.5, end + 0.5, len(found) - 0.5, -0.5)
        axis.imshow(weights[:, start:], aspect="auto", cmap="Blues", norm=PowerNorm(0.5, 0, 1), extent=extent)
        axis.add_patch(Rectangle((source - 0.5, -0.5), 2, len(found), fill=False, ec=SOURCE, lw=1.6))
        axis.set_yticks(range(len(found)), names)
        axis.set_title(f"{label(arm)}: {'right' if runs[arm]['right'] else 'wrong'}")
        axis.grid(visible=False)
        on = dict(zip(names, weights[:, source : source + 2].sum(1), strict=True))
        rows += [{"arm": arm, "head": h, "position": t, "weight": w}
                 for h, row in zip(names, weights, strict=True) for t, w in enumerate(row)]  # fmt: skip
        said.append(f"{label(arm)}: on the source {', '.join(f'{share:.2f} by {h}' for h, share in on.items())}.")
    axes[-1].set_xlabel("position in the document")
    figure.suptitle("In one model a head looks at the answer", x=0.01, ha="left", fontsize=11, weight="bold", color=INK)
    return figure, pd.DataFrame(rows), f"Heat map of attention, a row a head. {' '.join(said)}"


def gates(traces: dict) -> pd.DataFrame:
    """Return the mean opening of every gate by class of token: a row a model, gate and class.

    Columns: Gate (with model and layer), Token (key, value, filler), seed, open (0 shut, 1 open; a write strength: 2).
    """
    rows = pd.json_normalize(traces["runs"], "classes", ["arm", "seed"])
    gate = rows["arm"].map(label) + ": " + rows["gate"] + ", layer " + rows["layer"].astype(str)
    return rows.assign(Gate=gate).rename(columns={"class": "Token", "mean": "open"})[["Gate", "Token", "seed", "open"]]
