"""Figures of the "spot the flaw" chapter: the documents' own arithmetic, drawn."""

import numpy as np
import pandas as pd

from seqmix_study.chapters.common import Drawn
from seqmix_study.chapters.marks import log_axis, panels
from seqmix_study.chapters.style import GREY, PALETTE
from seqmix_study.findings import documents as flaws
from seqmix_study.findings import documents_numbers as printed
from seqmix_study.findings.documents_hybrids import layers_from_throughput, order_statistics

__all__ = ["chance", "denominators", "exponents", "halving", "scores", "thirteen"]

FAMILIES = {"lstm": ("LSTM", PALETTE["lstm"]), "transformer": ("Transformer", PALETTE["attention"])}


def exponents() -> Drawn:
    """Document 0: the two exponents and their difference, with the errors that the report prints."""
    rows = []
    for name, (estimate, error) in (
        ("LSTM", printed.LSTM_FIT["alpha"]),
        ("Transformer", printed.TRANSFORMER_FIT["alpha"]),
        ("difference", tuple(flaws.check("difference_of_exponents").numbers[k] for k in ("delta", "error"))),
    ):
        rows.append({"what": name, "exponent": estimate, "lo": estimate - 1.96 * error, "hi": estimate + 1.96 * error})
    data = pd.DataFrame(rows)
    figure, (axis,) = panels(1, height=2.6)
    for height, row in enumerate(data.itertuples()):
        colour = {"LSTM": PALETTE["lstm"], "Transformer": PALETTE["attention"]}.get(row.what, GREY)
        axis.plot([row.lo, row.hi], [height, height], color=colour, lw=2.4)
        axis.plot(row.exponent, height, "o", color=colour)
    axis.axvline(0, color=GREY, lw=1)
    axis.set_yticks(range(len(data)), data["what"])
    axis.set_ylim(len(data) - 0.5, -0.5)
    axis.set_xlabel("exponent, as printed, with 95 % interval from the printed errors")
    words = "; ".join(f"{r.what} {r.exponent:.2f} ({r.lo:.2f} to {r.hi:.2f})" for r in data.itertuples())
    inside = [r.what for r in data.itertuples() if r.lo < 0 < r.hi]
    return Drawn("fig-flaws-exponents", figure, data,
                 f"Printed exponents with intervals: {words}. Zero lies inside for: {', '.join(inside)}.")  # fmt: skip


def halving() -> Drawn:
    """Document 0: both printed laws, their floors, the best losses, and half of these."""
    n = np.geomspace(1e4, 1e9, 60)
    figure, (axis,) = panels(1, height=4.0)
    rows = []
    for family, fit in (("lstm", printed.LSTM_FIT), ("transformer", printed.TRANSFORMER_FIT)):
        name, colour = FAMILIES[family]
        loss = fit["c"] + fit["a"][0] * n ** -fit["alpha"][0]
        shown = loss < 6
        axis.plot(n[shown], loss[shown], color=colour, label=f"{name}: printed law")
        axis.axhline(fit["c"], color=colour, lw=1, ls=(0, (4, 3)))
        axis.annotate(f"its floor {fit['c']:.2f}", (1e9, fit["c"]), ha="right", va="bottom", fontsize=8.5, color=colour)
        best, size = printed.BEST[family]
        axis.plot(size, best, "o", color=colour)
        axis.plot(size, best / 2, "v", color=colour, mfc="white")
        rows += [{"family": name, "parameters": size, "best_loss": best, "half": best / 2, "floor": fit["c"]}]
    axis.annotate("half of the best loss", (printed.BEST["transformer"][1] * 1.5, printed.BEST["transformer"][0] / 2),
                  va="center", fontsize=8.5)  # fmt: skip
    axis.set_ylim(1, 6)
    log_axis(axis, "x", "parameters")
    axis.set_ylabel("loss (nats)")
    axis.legend(loc="upper left")
    words = "; ".join(
        f"{r['family']}: best {r['best_loss']:.2f}, half {r['half']:.2f}, floor {r['floor']:.2f}" for r in rows
    )
    return Drawn("fig-flaws-halving", figure, pd.DataFrame(rows),
                 f"The two printed laws against parameters with their floors. {words}. Each half lies "
                 "below its floor; the "
                 "Transformer's law rises with size.")  # fmt: skip


def denominators() -> Drawn:
    """Document 2: each gain with the winner and with the loser as the base, and what is printed."""
    numbers = flaws.check("mixed_denominators").numbers
    data = pd.DataFrame([
        {"against": other, "winner_as_base": numbers[f"{other}_by_winner"],
         "loser_as_base": numbers[f"{other}_by_loser"], "printed": said, "nats": numbers[f"{other}_nats"]}
        for other, said in printed.PRINTED_GAINS.items()
    ])  # fmt: skip
    figure, (axis,) = panels(1, height=3.0)
    for shift, column, text, colour in (
        (-0.17, "winner_as_base", "winner's loss as base", PALETTE["attention"]),
        (0.17, "loser_as_base", "loser's loss as base", PALETTE["gated"]),
    ):
        axis.barh(np.arange(3) + shift, data[column], height=0.3, color=colour, label=text)
    axis.plot(data["printed"], np.arange(3), "k|", ms=16, mew=2, label="printed")
    axis.set_yticks(range(3), [{"second": "second place", "deltanet": "DeltaNet", "transformer": "Transformer"}[a]
                               for a in data["against"]])  # fmt: skip
    axis.invert_yaxis()
    axis.set_xlabel("gain of the winner (%)")
    axis.legend(loc="upper right")
    words = "; ".join(
        f"against {r.against}: {r.winner_as_base:.1f} or {r.loser_as_base:.1f}, printed {r.printed:.2f}"
        for r in data.itertuples()
    )
    return Drawn("fig-flaws-denominators", figure, data, f"Gains in percent on two bases. {words}.")


def thirteen() -> Drawn:
    """Document 2: all thirteen losses, and the time a token that gives the mislabelled row away."""
    loss = np.array(printed.HYBRID_LOSS)
    figure, (left, right) = panels(2, width=9.6, height=3.8)
    left.plot(range(13), loss, "o-", color=PALETTE["hybrid"])
    left.plot(2, printed.CHART["winner"], "x", color=GREY, ms=9, mew=2)
    left.plot(8, printed.CHART[8], "x", color=GREY, ms=9, mew=2, label="where the chart draws it")
    left.axhline(loss[0], color=PALETTE["deltanet"], lw=1, ls=(0, (4, 3)), label="pure DeltaNet")
    left.set_xlabel("attention layers of 12")
    left.set_ylabel("loss (nats), one run each")
    left.legend(loc="upper center")
    counts = sorted(printed.THROUGHPUT)
    right.plot(
        counts, [1e6 / printed.THROUGHPUT[k] for k in counts], "o-", color=PALETTE["hybrid"], label="printed rows"
    )
    odd, at = 1e6 / printed.MISLABELLED_THROUGHPUT, layers_from_throughput(printed.MISLABELLED_THROUGHPUT)
    right.plot(1, odd, "x", color=PALETTE["lstm"], ms=10, mew=2.2, label='row labelled "8 %"')
    right.annotate("", (at, odd), (1.4, odd), arrowprops={"arrowstyle": "->", "color": PALETTE["lstm"]})
    right.set_xlabel("attention layers of 12")
    right.set_ylabel("time a token (µs)")
    right.legend(loc="upper right")
    data = pd.DataFrame({"attention_layers": range(13), "loss": loss})
    alt = (
        f"Left: losses of thirteen stacks, lowest {loss.min():.3f} at {int(loss.argmin())} attention layers, within "
        f"{np.ptp(loss[5:11]):.2f} nats of each other from 5 to 10. Right: the time a token falls in a "
        "straight line with "
        f"the number of attention layers; the row labelled 8 % lies on it at {at:.1f} layers, not at 1."
    )
    return Drawn("fig-flaws-thirteen", figure, data, alt)


def scores() -> Drawn:
    """Documents 0 and 2: loss / time falls when the same loss takes longer."""
    minutes = np.linspace(0.5, 5, 60)
    figure, (axis,) = panels(1, height=3.6)
    rows = []
    names = {
        12: ("Transformer", PALETTE["attention"]),
        2: ("hybrid", PALETTE["hybrid"]),
        0: ("DeltaNet", PALETTE["deltanet"]),
    }
    for k, (name, colour) in names.items():
        loss, took = printed.HYBRID_LOSS[k], printed.MINUTES[k]
        axis.plot(minutes, loss / minutes, color=colour, lw=1.2)
        axis.plot(took, loss / took, "o", color=colour, label=f"{name}: {loss / took:.2f}")
        rows.append({"stack": name, "loss": loss, "minutes": took, "score": loss / took,
                     "score_if_twice_as_slow": loss / took / 2, "loss_times_minutes": loss * took})  # fmt: skip
    axis.set_xlabel("training time (minutes)")
    axis.set_ylabel("loss / minutes")
    axis.legend(title="printed score, lower is called better")
    words = "; ".join(f"{r['stack']} {r['score']:.2f}, twice as slow {r['score_if_twice_as_slow']:.2f}" for r in rows)
    alt = f"The score loss / minutes against training time at the loss reached: it falls with time. {words}."
    return Drawn("fig-flaws-scores", figure, pd.DataFrame(rows), alt)


def chance(arms: int = 13, noise: float = 0.1) -> Drawn:
    """What one run each of equal architectures gives: the best's lead by chance, against the spread between seeds."""
    expected = order_statistics(arms)
    spread = np.linspace(0, max(0.5, 1.2 * noise), 50)
    lead = flaws.check("single_run_significance").numbers["lead"]
    second, last = (expected[1] - expected[0]) * spread, (expected[-1] - expected[0]) * spread
    figure, (axis,) = panels(1, height=3.8)
    axis.plot(spread, second, color=PALETTE["hybrid"], label="best over second")
    axis.plot(spread, last, color=PALETTE["lstm"], ls=(0, (4, 1.5)), label="best over last")
    axis.axhline(lead, color=GREY, lw=1, ls=(0, (4, 3)))
    axis.annotate("printed lead over the second", (spread[-1], lead), ha="right", va="bottom", fontsize=8.5)
    axis.axvline(noise, color=GREY, lw=1)
    place = {"xycoords": ("data", "axes fraction"), "rotation": 90, "ha": "right", "va": "center"}
    axis.annotate("chosen spread", (noise, 0.5), fontsize=8.5, **place)
    axis.set_xlabel("spread between seeds of one architecture (nats)")
    axis.set_ylabel("expected lead by chance (nats)")
    axis.legend(loc="upper center")
    data = pd.DataFrame({"spread": spread, "best_over_second": second, "best_over_last": last})
    alt = (
        f"Expected lead of the best of {arms} equal architectures against the spread between seeds: at {noise:g} nats "
        f"the second is {(expected[1] - expected[0]) * noise:.3g} behind and the last "
        f"{(expected[-1] - expected[0]) * noise:.3g}; the printed lead is {lead:.3f}."
    )
    return Drawn("fig-flaws-chance", figure, data, alt)
