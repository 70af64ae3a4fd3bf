"""``seqmix compare``: the runs of this machine over the published intervals."""

import click

from seqmix_study.commands._common import TIERS, tell_agreement


@click.command("compare")
@click.option("--tier", type=TIERS, default="laptop", show_default=True, help="The published tables to compare with.")
@click.option("--fresh", is_flag=True, help="The records that --fresh of run and train left, not the usual ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(tier: str, fresh: bool, as_json: bool) -> None:
    """Say of every run on this machine whether it falls where the published runs say it should, or why not.

    The interval is the 95 % prediction interval over seeds of the same configuration. Exit code 1 if more runs
    fall outside than chance allows.
    """
    from seqmix_study.results.agreement import compare
    from seqmix_study.runs import fresh as from_nothing

    paths = from_nothing.paths(fresh)
    summary = tell_agreement(tier, compare(tier, paths), paths.runs, as_json)
    raise SystemExit(0 if summary["agrees"] else 1)
