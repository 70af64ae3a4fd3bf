"""seqmix claims: every claim of the founding documents with its verdict, computed from the tables."""

import json
import sys
from pathlib import Path

import click


@click.command("claims")
@click.option("--tier", type=click.Choice(["quick", "laptop", "gpu"]), default="laptop", show_default=True,
              help="Whose tables decide; the quick tier is never evidence.")  # fmt: skip
@click.option("--results", type=click.Path(path_type=Path), help="Folder with a folder a tier; default: results/.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this claim, e.g. 1.9; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Everything: rule, interval, runs, arithmetic.")
def command(tier: str, results: Path | None, ids: tuple[str, ...], as_json: bool) -> None:
    """Compute the verdict on every claim of the five founding documents from results/TIER/*.csv.

    Verdicts: supported, refuted, too close to call, not tested at this scale, ill-posed. A missing table is no error:
    what it should have decided is "not tested at this scale", with the reason.
    """
    from seqmix.paths import Paths
    from seqmix_study.findings.decide_tables import Evidence
    from seqmix_study.findings.judge import judge, summary
    from seqmix_study.findings.ledger import load
    from seqmix_study.findings.report import spoken

    results = results or Paths().results
    if not results.is_dir() and results != Paths().results:
        click.echo(f"seqmix claims: --results {results}: no such folder", err=True)
        sys.exit(2)
    ledger = load()
    known = {claim.id for claim in ledger.claims}
    if unknown := sorted(set(ids) - known):
        click.echo(f"seqmix claims: no claim {', '.join(unknown)}; ids go from 0.1 to 4.12", err=True)
        sys.exit(2)
    try:
        evidence = Evidence.read(results, tier)
    except (OSError, ValueError) as error:
        click.echo(f"seqmix claims: {results / tier}: {error}", err=True)
        sys.exit(1)
    found = [judge(claim, evidence) for claim in ledger.claims if not ids or claim.id in ids]
    if as_json:
        plain = {"tier": tier, "rules": list(ledger.shared_rules), "counts": summary(found)}
        click.echo(json.dumps(plain | {"claims": [v.to_dict() for v in found]}, indent=1, ensure_ascii=False))
        return
    for verdict in found:
        click.echo(f"{verdict.claim.id:>5}  {verdict.verdict:<25}{verdict.claim.claim}")
        click.echo(f"       {spoken(verdict.decision.sentence)}")
        if verdict.decision.scope:
            click.echo(f"       ({verdict.decision.scope})")
        if verdict.instead:
            click.echo(f"       Behind it, {verdict.instead.verdict}: {spoken(verdict.instead.sentence)}")
    click.echo("  ".join(f"{kind}: {count}" for kind, count in summary(found).items()))
