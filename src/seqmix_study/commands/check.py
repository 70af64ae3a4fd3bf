"""seqmix check: is the book whole?"""

import sys

import click


@click.command("check")
def command() -> None:
    """Check sources, executed chapters and built pages; each finding names file and line.

    Dead links and anchors, outside requests, alt text, error outputs, stale or missing chapters, typed numbers, weight.
    """
    from seqmix.paths import Paths
    from seqmix_study.book.checks import everything

    findings = everything(Paths())
    for finding in findings:
        click.echo(str(finding))
    click.echo(f"checks: {len(findings)} findings" if findings else "checks: the book is whole")
    sys.exit(1 if findings else 0)
