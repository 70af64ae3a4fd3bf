"""``seqmix verify``: train a sample of the published runs again."""

import click

from seqmix_study.commands._common import TIERS, say, tell_agreement


@click.command("verify")
@click.option("--sample", "count", type=click.IntRange(1), default=3, show_default=True, help="How many runs.")
@click.option("--tier", type=TIERS, default="laptop", show_default=True, help="The published tables to verify.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which sample.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; default: from the machine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(count: int, tier: str, seed: int, jobs: int | None, as_json: bool) -> None:
    """Train published runs again and say whether they reproduce (the words are those of seqmix compare).

    Exit code 1 if a run lies outside its seeds, diverges or fails.
    """
    from seqmix.paths import Paths
    from seqmix_study.results.agreement import BAD
    from seqmix_study.runs.verify import verify

    points, problems = verify(tier, count, seed, jobs)
    tell_agreement(tier, points, Paths().cache / "verify", as_json)
    for run_id, reason in problems.items():
        say(f"failed    {run_id}: {reason}", err=True)
    raise SystemExit(1 if problems or points["verdict"].isin(BAD).any() else 0)
