"""``seqmix doctor``: is this machine ready?"""

import json
import sys
from dataclasses import asdict

import click


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(as_json: bool) -> None:
    """Check Python, torch, device, kernels, versions, disk, folders, records; say what to do about each finding.

    Exit code 1 if something will not work.
    """
    from seqmix_study.runs.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            click.echo(f"{finding.level:<8} {finding.subject:<9} {finding.finding}")
            if finding.remedy:
                click.echo(f"{'':<18} -> {finding.remedy}")
    sys.exit(1 if any(finding.level == "problem" for finding in findings) else 0)
