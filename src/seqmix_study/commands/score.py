"""``seqmix score``: downstream tasks for a trained run, with chance beside every score."""

import json
from dataclasses import asdict

import click


@click.command("score")
@click.argument("run_id")
@click.option("--count", type=click.IntRange(10), default=200, show_default=True, help="Questions of a task.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run_id: str, count: int, as_json: bool) -> None:
    """Score a finished run on questions made from its held-out text: the right ending, the right last word.

    Exit codes: 1 the run cannot be scored, 2 the request is wrong.
    """
    from seqmix.paths import Paths
    from seqmix.record import run_folders
    from seqmix_study.commands._common import say
    from seqmix_study.runs import downstream

    folder = next((f for f in run_folders(Paths().runs) if f.run_id == run_id), None)
    if folder is None:
        raise click.UsageError(f"no run named {run_id!r} in {Paths().runs}: seqmix status --json names them all")
    scores = downstream.answers(folder, count)
    if as_json:
        plain = [asdict(score) | {"at_chance": score.at_chance} for score in scores]
        say(json.dumps({"run_id": run_id, "scores": plain}, indent=1))
        return
    for score in scores:
        say(score.sentence())
