"""Does it agree? The runs of this machine laid over the published ones. Tables only, no torch.

A published cell is a configuration without its seeds; its published runs differ by the seed. A new run of the cell
should fall into the 95 % prediction interval  mean ± t(n-1) s sqrt(1 + 1/n).  With a single published seed, s is the
typical spread of the cells that have several (relative to the loss). 1 in 20 runs falls outside by chance.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from seqmix.paths import Paths
from seqmix.record import run_folders
from seqmix_study.results import published
from seqmix_study.results.collect import as_text
from seqmix_study.results.rows import run_rows

# Columns of runs.csv that say which runs differ by their seeds only.
CELL = [
    *("arm", "source", "tokenizer", "pairs", "train_tokens", "pattern", "skeleton", "conv", "d_model", "n_heads"),
    *("mlp_width", "forget_bias", "forget_init", "seq_len", "batch_size", "steps", "lr"),
]

# What can move a loss, most likely first.
SUSPECTS = {
    "corpus_sha256": "text",
    "device": "device",
    "precision": "precision",
    "torch": "torch",
    "code_commit": "version of the code",
    "hardware": "processor or GPU",
    "threads": "number of threads",
}

VERDICTS, BAD = ("same", "reproduced", "inside", "outside", "diverged", "alone"), ("outside", "diverged")

# Largest relative difference of a loss that counts as the same run on another machine: rounding in another order grows
# over the steps of a run, but stays far below the spread over seeds.
SAME = 2e-3


# What is said of one run of this machine against its published cell; losses in nats per token.
POINT = [
    *("study", "arm", "tier", "run_id", "seed", "loss", "mean", "low", "high"),
    *("published", "verdict", "reason", "cell"),
]


def published_cells(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of published runs: a row each, with the interval in which one more run is expected.

    Columns: those of ``CELL``; mean, low, high, nats; ``published``: how many seeds; ``beside``: the name of one run.
    """
    seeds = rows.drop_duplicates([*CELL, "seed", "data_seed"], keep="last")
    cells = seeds.assign(loss=seeds["loss"].astype(float)).groupby(CELL, sort=False)
    found = cells.agg(mean=("loss", "mean"), sd=("loss", "std"), published=("loss", "size"), beside=("run_id", "first"))
    n, mean = found["published"], found["mean"]
    spread = (found["sd"] / mean).median()
    single = 1.96 * (0.02 if np.isnan(spread) else spread) * mean * np.sqrt(2)
    half = (stats.t.ppf(0.975, n - 1) * found["sd"] * np.sqrt(1 + 1 / n)).where(n > 1, single)
    return found.assign(low=mean - half, high=mean + half).reset_index()


def _reason(here: dict, there: pd.DataFrame) -> str:
    """Return what differs, the likeliest first; the published run of the same seed is the one to compare with."""
    if here["verdict"] == "alone":
        return f"nothing published at tier {here['tier']} has this configuration (arm, size, steps, rate, source)"
    if here["verdict"] in ("inside", "same"):
        return "this is the published record" if here["finished_at"] == here["finished_at_there"] else ""
    beside = there.loc[here["beside"]]
    differ = [name for name in SUSPECTS if beside[name] and here[name] and beside[name] != here[name]]
    if differ:
        known = ((SUSPECTS[name], beside[name][:24], here[name][:24]) for name in differ[:3])
        return "; ".join(f"another {what} ({published} there, {own} here)" for what, published, own in known)
    if here["beside"] != here["run_id"]:
        return "another seed: one run in twenty falls outside by chance"
    return "everything recorded is equal: look for damaged files or unstable hardware"


def _here(runs: Path, tier: str) -> pd.DataFrame:
    ended = [folder for folder in run_folders(runs) if folder.status_unlocked() in ("finished", "diverged")]
    asked = [
        (config, folder) for folder in ended if (config := folder.config()).kind == "train" and config.tier == tier
    ]
    return as_text("runs", [row for config, folder in asked for row in run_rows(config, folder)["runs"]])


def compare(tier: str, paths: Paths) -> pd.DataFrame:
    """Compare every ended run of this machine with the published tables of ``tier``: a row a run, columns ``POINT``.

    Verdicts: same (bitwise the published loss), reproduced (the same run up to rounding), inside, outside, diverged
    (published finished), or alone (no published run of this configuration: another tier, size, step count or arm).
    Raises CollectError, RecordError.
    """
    rows, here = as_text("runs", published.read_table("runs", tier, paths)), _here(paths.runs, tier)
    rows = rows[(rows["status"] == "finished") & (rows["loss"] != "")]
    there = rows.drop_duplicates("run_id").set_index("run_id")
    points = here.merge(published_cells(rows), on=CELL, how="left")
    points = points.join(there[["loss", "finished_at"]].add_suffix("_there"), on="run_id")
    loss, twin = (pd.to_numeric(points[name], errors="coerce") for name in ("loss", "loss_there"))
    told = {
        "alone": points["mean"].isna(),
        "diverged": points["status"] == "diverged",
        "same": points["loss"] == points["loss_there"],
        "reproduced": (loss - twin).abs() <= SAME * twin,
        "inside": loss.between(points["low"], points["high"]),
    }
    points["verdict"] = np.select([*told.values()], [*told], "outside")
    points["beside"] = points["run_id"].where(twin.notna(), points["beside"])
    known = points.to_dict("records")
    points["reason"] = [_reason(row, there) for row in known]
    points["cell"] = ["{arm}, {source}, width {d_model}, {steps} steps, rate {lr}".format_map(row) for row in known]
    whole = {"seed": points["seed"].astype(int), "published": points["published"].fillna(0).astype(int)}
    return points.assign(loss=loss, **whole)[POINT]


class Elsewhere(Paths):
    """The project with its tables beside fresh records, so that those that are published stay as they are."""

    @property
    def results(self) -> Path:
        return self.runs / ".results"


def findings(here: pd.DataFrame, there: pd.DataFrame) -> pd.DataFrame:
    """Return row, estimate, published lo and hi, verdict and whether it lies inside, of rows that both have answered.

    ``here``, ``there``: tables of findings, indexed by the name of the row. Both rest on the same architectures, sizes
    and seeds (rates, in the hash of a run's name, may differ): part of a study answers another question.
    """
    numbers = there[["lo", "hi"]].astype(float).join(here["estimate"].astype(float), how="inner")
    alike = [_models(there.at[row, "runs"]) <= _models(here.at[row, "runs"]) for row in numbers.index]
    numbers = numbers[np.isfinite(numbers).all(axis=1) & np.array(alike, bool)]
    rounding = 1e-5 * numbers[["lo", "hi"]].abs().max(axis=1)  # of the published numbers
    inside = numbers["estimate"].between(numbers["lo"] - rounding, numbers["hi"] + rounding)
    return numbers.assign(verdict=there["verdict"].reindex(numbers.index), inside=inside)


def _models(runs: object) -> set[str]:
    return {run.rpartition("-")[0] for run in str(runs).split()}


def by_cell(points: pd.DataFrame) -> dict[str, str]:
    """Return cell in words -> how many of its runs got which verdict, in the order of the points."""
    found = {}
    for (study, cell), part in points.groupby(["study", "cell"], sort=False):
        counts = part["verdict"].value_counts()
        found[f"{study}: {cell}"] = ", ".join(f"{counts[name]} {name}" for name in VERDICTS if name in counts)
    return found


def summarise(points: pd.DataFrame) -> dict:
    """Return the counts of every verdict and whether more fall outside than chance allows (5 %, one-sided test)."""
    counts = {name: int((points["verdict"] == name).sum()) for name in VERDICTS}
    judged = counts["inside"] + counts["outside"]
    chance = stats.binomtest(counts["outside"], judged, 0.05, "greater").pvalue if judged else 1.0
    agrees = chance > 0.01 and not counts["diverged"]
    return counts | {"agrees": bool(agrees), "p_value": float(chance)}
