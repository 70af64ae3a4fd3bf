"""The founding documents' printed numbers as tables that a figure can draw, and the checks of them, folded.

Nothing here was measured: each number is printed in a document or follows from printed ones (``findings.documents``).
"""

import numpy as np
import pandas as pd

from seqmix_study.chapters import fold
from seqmix_study.chapters.common import listing
from seqmix_study.findings import documents
from seqmix_study.findings.documents import PRINTED, layers_from_throughput, order_statistics
from seqmix_study.findings.study import asked

FAMILIES = {"LSTM": ("lstm", PRINTED["LSTM_FIT"]), "Transformer": ("transformer", PRINTED["TRANSFORMER_FIT"])}
AGAINST = {"second": "second place", "deltanet": "DeltaNet", "transformer": "the Transformer"}


def exponents() -> pd.DataFrame:
    """Return document 0's two exponents and their difference, with 95 % intervals from the errors that it prints."""
    apart = documents.check("difference_of_exponents").numbers
    found = {f"{name}'s": fit["alpha"] for name, (_, fit) in FAMILIES.items()}
    found["their difference"] = (apart["delta"], apart["error"])
    rows = [(name, value, value - 1.96 * error, value + 1.96 * error) for name, (value, error) in found.items()]
    return pd.DataFrame(rows, columns=["exponent", "estimate", "lo", "hi"])


def laws(largest: float = 6.0) -> pd.DataFrame:
    """Return both printed laws up to a loss and their floors (``law``), and half of each best loss (``half``)."""
    sizes, rows = np.geomspace(1e4, 1e9, 60), []
    for name, (key, fit) in FAMILIES.items():
        best, at = PRINTED["BEST"][key]
        loss = fit["c"] + fit["a"][0] * sizes ** -fit["alpha"][0]
        rows += [(f"{name}'s law", n, value) for n, value in zip(sizes, loss, strict=True) if value < largest]
        rows += [(f"{name}'s floor", n, fit["c"]) for n in (sizes[0], sizes[-1])]
        rows += [("half of each best loss", at, best / 2)]
    found = pd.DataFrame(rows, columns=["what", "parameters", "estimate"])
    half = found["what"].str.startswith("half")
    return found.assign(law=found["estimate"].mask(half), half=found["estimate"].where(half))


def gains() -> pd.DataFrame:
    """Return document 2's three gains in percent, of the winner's loss and of the loser's, and what is printed."""
    numbers = documents.check("mixed_denominators").numbers
    rows = [
        (f"over {AGAINST[other]}", f"of the {base}'s loss", numbers[f"{other}_by_{base}"], said)
        for other, said in PRINTED["PRINTED_GAINS"].items()
        for base in ("winner", "loser")
    ]
    return pd.DataFrame(rows, columns=["gain", "base", "percent", "printed"])


def losses() -> pd.DataFrame:
    """Return document 2's thirteen losses by the number of attention layers."""
    return pd.DataFrame({"attention layers": range(PRINTED["ARMS"]), "loss": PRINTED["HYBRID_LOSS"]})


def token_times() -> pd.DataFrame:
    """Return document 2's time for a token by attention layers: printed, and the row "8 %" as labelled and as run."""
    odd = PRINTED["MISLABELLED_THROUGHPUT"]
    line = [("", k, 1e6 / speed, 1e6 / speed) for k, speed in sorted(PRINTED["THROUGHPUT"].items())]
    rows = [*line, ('row "8 %"', 1, 1e6 / odd, np.nan), ("ten layers", layers_from_throughput(odd), 1e6 / odd, np.nan)]
    return pd.DataFrame(rows, columns=["row", "layers", "time", "line"])


def leads(arms: int, largest: float) -> pd.DataFrame:
    """Return the expected lead of the best of equal architectures, by the spread between seeds, up to a largest."""
    expected, spread = order_statistics(arms), np.linspace(0, largest, 30)
    first = {"over the second": expected[1] - expected[0], "over the last": expected[-1] - expected[0]}
    parts = [pd.DataFrame({"lead": name, "spread": spread, "estimate": by * spread}) for name, by in first.items()]
    return pd.concat(parts, ignore_index=True)


def checks() -> None:
    """Display all checks, folded by document: is there a slip, the arithmetic, the lesson, the claims concerned."""
    claims = asked().claims
    for number, title in asked().documents.items():
        lines = []
        for found in (found for found in map(documents.check, documents.CHECKS) if found.document == number):
            ids = [c.id for c in claims if found.name in (c.ill_posed, c.by_arithmetic, *c.flaws)]
            slip = "A slip" if found.holds else "No slip"
            about = f" (claim{'s' * (len(ids) != 1)} {listing(ids)})" if ids else ""
            lines.append(f"{found.title}. {slip}: {found.arithmetic}. {found.lesson}{about}")
        fold.show(f"Document {number}, {title.lower()}: {len(lines)} checks", "\n".join(lines))
