"""The figure of the appendix on runs: where the training time went. Its data are all runs, one row each."""

from seqmix_study.chapters.common import Drawn, Tables, listing, seconds
from seqmix_study.chapters.marks import nothing, panels
from seqmix_study.chapters.style import PALETTE

__all__ = ["training_time"]

COLUMNS = ("study", "group", "arm", "source", "run_id", "status", "reason", "seed", "params_non_embedding", "tokens",
           "lr", "loss", "seconds", "device", "hardware", "torch", "code_commit", "finished_at")  # fmt: skip


def training_time(tables: Tables) -> Drawn:
    """Seconds of training by study and group; the data hold every run, its outcome, machine and commit."""
    name, runs = "fig-runs-time", tables.runs
    if not len(runs):
        return nothing(name, "no run of this tier is on this machine or in the committed tables")
    single = runs.drop_duplicates("run_id")
    spent = single.groupby(["study", "group"])["seconds"].agg(["sum", "size"]).reset_index()
    spent = spent.sort_values(["study", "sum"], ascending=[True, False])
    figure, (axis,) = panels(1, 8.6, max(2.2, 0.3 * len(spent) + 1))
    colours = dict(zip(sorted(spent["study"].unique()), [*PALETTE.values()] * 3, strict=False))
    axis.barh(range(len(spent)), spent["sum"] / 60, color=[colours[study] for study in spent["study"]])
    axis.set_yticks(range(len(spent)), spent["study"] + ", " + spent["group"] + " (" + spent["size"].astype(str) + ")")
    axis.set_ylim(len(spent) - 0.4, -0.6)
    axis.set_xlabel("minutes of training, summed over runs; in brackets: runs")
    by_study = single.groupby("study")["seconds"].sum()
    said = listing(f"{study} {seconds(value)}" for study, value in by_study.items())
    alt = f"Training time of {len(single)} runs by study and group, as bars. By study: {said}."
    return Drawn(name, figure, runs[[c for c in COLUMNS if c in runs]], alt)
