"""``seqmix verify``: train a sample of the published runs again."""

import json
import sys
from dataclasses import asdict

import click


@click.command("verify")
@click.option("--sample", "count", type=click.IntRange(1), default=3, show_default=True, help="How many runs.")
@click.option("--tier", default="laptop", show_default=True, help="The published tables to verify.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which sample.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; default: from the machine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(count: int, tier: str, seed: int, jobs: int | None, as_json: bool) -> None:
    """Re-train published runs and say whether they reproduce: identical, reproduced (rounding), within seeds, differs.

    Exit code 1 if a run differs by more than its seeds do, or fails.
    """
    from seqmix.files import RecordError
    from seqmix_study.results.collect import CollectError
    from seqmix_study.runs.launch import EngineError
    from seqmix_study.runs.verify import VerifyError, verify

    try:
        checks = verify(tier, count, seed, jobs)
    except KeyboardInterrupt:
        sys.exit(130)
    except (VerifyError, CollectError, RecordError, EngineError) as error:
        click.echo(f"seqmix verify: {error}", err=True)
        sys.exit(2 if isinstance(error, VerifyError) else 1)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        for check in checks:
            loss = f"{check.published:.5f} published, {check.again:.5f} now"
            click.echo(f"{check.verdict:<12} {check.run_id}  {loss}  {check.reason}".rstrip())
    sys.exit(1 if any(check.verdict in ("differs", "failed") for check in checks) else 0)
