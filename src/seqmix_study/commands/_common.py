"""What several subcommands say and do alike."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click


def refuse(command: str, error: Exception | str) -> NoReturn:
    """Say why a request cannot be met, and leave with exit code 2."""
    click.echo(f"seqmix {command}: {error}", err=True)
    sys.exit(2)


def paths_of(fresh: bool) -> Any:
    """Return the project's folders; with ``fresh``, records go to a folder of their own beside the usual one."""
    from seqmix.paths import Paths

    usual = Paths()
    return Paths(usual.root, fresh_folder(usual.runs)) if fresh else usual


def fresh_folder(runs: Path) -> Path:
    """Return where the records of a fresh training lie."""
    return runs.with_name(f"{runs.name}-fresh")


def start_anew(job: Any) -> None:
    """Delete the records of a fresh training that is whole, so that the next one is from nothing; else it goes on."""
    import shutil

    from seqmix_study.runs.job import Queue

    queue = Queue(job)
    runs = queue.runs()
    if not queue.waiting() and all(queue.done(config) for config in runs):
        for config in runs:
            shutil.rmtree(Path(job.folder) / config.run_id, ignore_errors=True)


def tell_agreement(tier: str, paths: Any, studies: list[str]) -> bool:
    """Say of every run and cell in the records of ``paths`` whether it lies where the published ones say it should."""
    from seqmix_study.results import agreement

    points = [p for p in agreement.compare(tier, paths) if not studies or p.study in studies]
    summary = agreement.summarise(points)
    for point in points:
        if point.verdict in ("outside", "diverged"):
            span = f"{point.loss:.4f} not in {point.low:.4f} .. {point.high:.4f} (n = {point.published})"
            click.echo(f"{point.verdict:<9} {point.study:<9} {point.run_id}  {span}: {point.reason}")
    for cell, counts in agreement.by_cell(points).items():
        click.echo(f"{counts:<24} {cell}")
    counts = ", ".join(f"{summary[name]} {name}" for name in agreement.VERDICTS)
    click.echo(f"{len(points)} runs against the published {tier} tier: {counts}")
    if not points:
        click.echo(f"no ended run of tier {tier} in {paths.runs}: seqmix train all --tier {tier}")
    elif summary["alone"] < len(points):
        click.echo("they agree" if summary["agrees"] else "they do NOT agree: more are outside than chance allows")
    return summary["agrees"]
