"""``seqmix collect``: run records -> result tables."""

import click

from seqmix_study.commands._common import say


@click.command("collect")
@click.argument("chapter", default="all")
@click.option("--tier", default="quick", show_default=True, help="quick, laptop or gpu")
@click.option("--replace", is_flag=True, help="Records here win over committed rows of another result or commit.")
@click.option("--prune", is_flag=True, help="Drop rows that no study asks for any more.")
def command(chapter: str, tier: str, replace: bool, prune: bool) -> None:
    """Write results/<tier>/*.csv from the records of a study (or "all") and the data dictionary beside them.

    Then the findings and verdicts of the tier are computed again (seqmix findings), unless it is the quick one.

    Refuses, naming the files: a record that contradicts the committed row, a corrupt record, two versions of a
    corpus in one study, an unknown column.
    """
    from seqmix.paths import Paths
    from seqmix_study.findings import study
    from seqmix_study.results import collect, published
    from seqmix_study.runs.selection import resolve

    paths = Paths()
    plans = resolve(chapter, tier, paths)
    with published.alone(paths.results / tier):  # the findings are those of these tables, whoever publishes beside
        for name, plan in plans.items():
            counts = collect.collect(plan.runs, tier, name, paths, replace, spare=plan.open if prune else None)
            if open_groups := ", ".join(sorted(plan.open)) if prune else "":
                say(f"{name}: nothing of {open_groups} is dropped while cells wait for results", err=True)
        rows = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
        say(f"{paths.results / tier}: {rows or 'no rows yet'}")
        if tier != "quick":
            findings, verdicts = study.write(tier, paths.results)
            say(f"findings: {len(findings)} rows; verdicts: {len(verdicts)}")
