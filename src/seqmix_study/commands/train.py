"""``seqmix train``: train a study without its notebook."""

import sys

import click


@click.command("train")
@click.argument("chapter")
@click.option("--tier", default="quick", show_default=True, help="quick, laptop or gpu")
@click.option("--jobs", type=click.IntRange(0), help="Worker processes; 0: in this process. Default: from the machine.")
@click.option(
    "--engine", "engine_name", type=click.Choice(["local", "ray", "slurm"]), default="local", show_default=True
)
@click.option(
    "--budget-minutes", type=click.FloatRange(0, min_open=True), help="Stop, all saved, after so many minutes."
)
@click.option("--only", multiple=True, metavar="GROUP", help="Only this group of the study (repeatable).")
@click.option(
    "--ensemble", is_flag=True, help="Train runs that differ in seed or learning rate only as one batched model."
)
@click.option(
    "--accelerate", type=click.Choice(["none", "compile", "cuda_graph"]), default="none", help="Fewer kernel launches."
)
@click.option("--collect/--no-collect", "gather", default=False, help="Write results/<tier>/ at the end.")
@click.option("--quiet", is_flag=True, help="No progress display.")
def command(
    chapter: str,
    tier: str,
    jobs: int | None,
    engine_name: str,
    budget_minutes: float | None,
    only: tuple[str, ...],
    ensemble: bool,
    accelerate: str,
    gather: bool,
    quiet: bool,
) -> None:
    """Train the runs of a study (or "all") that are not done yet, the most valuable first.

    Stop it at any time (Ctrl-C): every worker finishes its step and saves; the same command goes on from there.
    Exit codes: 0 all done, 1 some runs failed or are left, 2 the request is wrong, 130 stopped by Ctrl-C.
    """
    from seqmix.files import RecordError
    from seqmix.paths import Paths
    from seqmix.selection import by_value, select
    from seqmix.study import StudyError
    from seqmix_study.runs import cost as estimate
    from seqmix_study.runs import launch as engine
    from seqmix_study.runs.here import leads

    paths = Paths()
    try:
        plans = select(chapter, tier, only, paths)
    except StudyError as error:
        click.echo(f"seqmix train: {error}", err=True)
        sys.exit(2)
    configs = [_accelerated(config, accelerate) for config in by_value(plans)]
    if ensemble and accelerate != "none":
        click.echo("seqmix train: --ensemble and --accelerate do not go together", err=True)
        sys.exit(2)
    if reasons := estimate.refusals(engine.unique(configs), paths.runs):
        click.echo("\n".join(f"seqmix train: {reason}" for reason in reasons), err=True)
        sys.exit(2)
    if ensemble and not quiet:
        from seqmix_study.runs.together import describe

        click.echo(describe(engine.unique(configs)), err=True)
    try:
        summary = engine.run(
            configs,
            jobs,
            engine_name,
            progress=not quiet and leads(),
            budget_minutes=budget_minutes,
            paths=paths,
            ensemble=ensemble,
        )
        if not leads():
            return
        click.echo(str(summary))
        for run_id, notes in summary.notes.items():
            for note in notes:
                click.echo(f"  {run_id}: {note}", err=True)
        for run_id, reason in summary.problems.items():
            click.echo(f"  {run_id}: {reason}", err=True)
        if gather:
            from seqmix_study.results import collect

            for name, plan in plans.items():
                collect.collect(plan, tier, name, paths=paths)
    except KeyboardInterrupt:
        sys.exit(130)
    except (engine.EngineError, RecordError, ValueError) as error:
        click.echo(f"seqmix train: {error}", err=True)
        sys.exit(1)
    sys.exit(0 if summary.ok else 1)


def _accelerated(config, how: str):
    """Return the run with its steps computed another way; speed measurements stay as they are."""
    if how == "none" or config.kind != "train":
        return config
    return config.model_copy(update={"train": config.train.model_copy(update={"accelerate": how})})
