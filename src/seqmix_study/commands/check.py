"""seqmix check: is the book whole, and do its slides show it?"""

import click

from seqmix_study.commands._common import say


@click.command("check")
def command() -> None:
    """Check executed chapters and built pages; each finding names file and line.

    Stale or missing chapters, error outputs, dead links and anchors, outside requests, alt text, foreign code, weight,
    slides that are older than what they show.
    """
    from seqmix.paths import Paths
    from seqmix_study.book.check_chapters import check_chapters
    from seqmix_study.book.check_pages import check_pages
    from seqmix_study.classroom.slides import stale

    findings = [*check_chapters(Paths()), *check_pages(Paths()), *stale(Paths())]
    for finding in findings:
        say(str(finding))
    say(f"checks: {len(findings)} findings" if findings else "checks: the book is whole")
    raise SystemExit(1 if findings else 0)
