"""``seqmix score``: downstream tasks for a trained run, with chance beside every score."""

import json
import sys

import click


@click.command("score")
@click.argument("run_id")
@click.option("--tasks", default="continuation,last_word", show_default=True, help="Names, separated by commas.")
@click.option("--count", type=click.IntRange(10), default=200, show_default=True, help="Questions of a local task.")
@click.option("--limit", type=click.IntRange(1), help="Questions of a harness task. Default: all.")
@click.option("--harness", is_flag=True, help="Score the local tasks through the LM Evaluation Harness too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(run_id: str, tasks: str, count: int, limit: int | None, harness: bool, as_json: bool) -> None:
    """Score a finished run: local tasks made from its held-out text, and any task of the LM Evaluation Harness.

    Local: continuation, last_word. Others (arc_easy, hellaswag, lambada_openai, ...) need 'seqmix[lm-eval]' and, the
    first time, a network. Exit codes: 1 the run or a task cannot be scored, 2 the request is wrong.
    """
    import tempfile
    from pathlib import Path

    from seqmix.paths import Paths
    from seqmix.record import RecordError, RunFolder

    names = list(dict.fromkeys(name.strip() for name in tasks.split(",") if name.strip()))
    folder = RunFolder(Paths().runs / run_id)
    if not names or not folder.path.is_dir():
        known = "name at least one task" if not names else f"no run named {run_id!r} in {folder.path.parent}"
        click.echo(f"seqmix score: {known}", err=True)
        sys.exit(2)
    from seqmix_study.runs import downstream

    try:
        speaker = downstream.Speaker.of(folder)
        scores, local = [], [name for name in names if name in downstream.LOCAL_TASKS]
        if local:
            made = downstream.make_tasks(downstream.held_out_text(folder.config()), count)
            made = {name: made[name] for name in local}
            scores += downstream.local_scores(speaker, made)
            if harness:
                with tempfile.TemporaryDirectory() as place:
                    files = downstream.write_harness_tasks(made, Path(place))
                    scores += downstream.harness_scores(speaker, files, Path(place))
        if others := [name for name in names if name not in local]:
            scores += downstream.harness_scores(speaker, others, limit=limit)
    except (downstream.DownstreamError, RecordError, RuntimeError, ValueError) as error:
        click.echo(f"seqmix score: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"run_id": run_id, "scores": [score.plain() for score in scores]}, indent=1))
        return
    for score in scores:
        click.echo(score.sentence())
