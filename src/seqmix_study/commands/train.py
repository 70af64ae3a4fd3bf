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
    from seqmix.study import StudyError
    from seqmix_study.runs import cost as estimate
    from seqmix_study.runs import launch as engine
    from seqmix_study.runs import rounds
    from seqmix_study.runs.here import leads
    from seqmix_study.runs.known import Known
    from seqmix_study.runs.selection import by_value, resolve

    paths = Paths()
    try:
        known = Known(tier, paths)
        plans = resolve(chapter, tier, only, paths, known)
    except StudyError as error:
        click.echo(f"seqmix train: {error}", err=True)
        sys.exit(2)
    runs = by_value({name: plan.runs for name, plan in plans.items()})
    if ensemble and accelerate != "none":
        click.echo("seqmix train: --ensemble and --accelerate do not go together", err=True)
        sys.exit(2)
    if reasons := estimate.refusals(engine.unique(runs), paths.runs):
        click.echo("\n".join(f"seqmix train: {reason}" for reason in reasons), err=True)
        sys.exit(2)
    if ensemble and not quiet:
        from seqmix_study.runs.together import describe

        click.echo(describe(engine.unique(runs)), err=True)
    try:
        summary = rounds.train(
            lambda known: _accelerated(resolve(chapter, tier, only, paths, known), accelerate),
            known,
            jobs,
            engine_name,
            budget_minutes,
            progress=not quiet and leads(),
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

            for name, plan in resolve(chapter, tier, only, paths, known).items():
                collect.collect(plan.runs, tier, name, paths=paths)
    except KeyboardInterrupt:
        sys.exit(130)
    except (engine.EngineError, RecordError, ValueError) as error:
        click.echo(f"seqmix train: {error}", err=True)
        sys.exit(1)
    sys.exit(0 if summary.ok else 1)


def _accelerated(plans: dict, how: str) -> dict:
    """Return the plans with their steps computed another way; speed measurements stay as they are."""
    if how != "none":
        for plan in plans.values():
            plan.runs = [
                config.model_copy(update={"train": config.train.model_copy(update={"accelerate": how})})
                if config.kind == "train"
                else config
                for config in plan.runs
            ]
    return plans
