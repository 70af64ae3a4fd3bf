"""``seqmix train``: train a study without its notebook."""

import click

from seqmix_study.commands._common import say, tell_fresh


@click.command("train")
@click.argument("chapters", nargs=-1, required=True, metavar="STUDY...")
@click.option("--tier", default="quick", show_default=True, help="quick, laptop or gpu")
@click.option("--jobs", type=click.IntRange(0), help="Workers; 0: in this process. Default: from the machine.")
@click.option("--engine", type=click.Choice(["local", "ray", "slurm"]), default="local", show_default=True)
@click.option("--budget-minutes", type=click.IntRange(1), help="Stop, all saved, after so many minutes.")
@click.option("--only", multiple=True, metavar="GROUP", help="Only this group of the study (repeatable).")
@click.option("--ensemble", is_flag=True, help="Train runs that differ in seed or rate only as one batched model.")
@click.option("--fresh", is_flag=True, help="From nothing: beside the committed rows and the records that are here.")
@click.option("--quiet", is_flag=True, help="No progress display.")
def command(chapters, tier, jobs, engine, budget_minutes, only, ensemble, fresh, quiet) -> None:
    """Train the runs of studies (or of "all") that are not done yet, the most valuable first.

    Stop it at any time (Ctrl-C): every worker finishes its step and saves; the same command goes on from there. With
    --fresh the records go to a folder of their own, and what they agree with is said at the end.
    Exit codes: 0 all done, 1 some runs failed or are left, 2 the request is wrong, 130 Ctrl-C, 143 SIGTERM.
    """
    from seqmix_study.runs import checks, launch
    from seqmix_study.runs import fresh as from_nothing
    from seqmix_study.runs.selection import requested
    from seqmix_study.runs.worker import leads

    paths = from_nothing.paths(fresh)
    studies = {k: v for chapter in chapters for k, v in requested(chapter, tier, only, paths).items()}
    job = launch.request(studies, tier, (), paths, budget_minutes, committed=not fresh, ensemble=ensemble)
    checks.before_training(job, engine)
    if fresh:
        from_nothing.start_anew(job)
    summary = launch.train(job, jobs, engine, progress=not quiet)
    if not leads():
        return
    say(str(summary))
    for run_id, notes in summary.notes.items():
        for note in notes:
            say(f"  {run_id}: {note}", err=True)
    for run_id, reason in summary.problems.items():
        say(f"  {run_id}: {reason}", err=True)
    say(f"records: {paths.runs}")
    if fresh:
        with from_nothing.comparing():
            tell_fresh(tier, paths, list(studies))
    raise SystemExit(0 if summary.ok else 1)
