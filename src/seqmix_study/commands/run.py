"""seqmix run: execute chapters with checked parameters."""

import sys

import click


@click.command("run")
@click.argument("chapter")
@click.option("--tier", metavar="TIER", help="How much is trained: quick, laptop or gpu (= -p tier TIER).")
@click.option("-p", "--parameter", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--jobs", type=click.IntRange(1), help="Training processes at a time; default: one a core.")
@click.option("--force", is_flag=True, help="Execute even if nothing changed.")
@click.option("--train/--no-train", default=True, help="--no-train: only read results that are already there.")
def command(chapter, tier, pairs, jobs, force, train) -> None:
    """Execute CHAPTER (a file of notebooks/, without .md) or "all" chapters of the table of contents.

    Every value is checked before anything starts. A chapter that is up to date is skipped; one that fails leaves its
    published version untouched and does not stop the others.
    """
    from seqmix.paths import Paths
    from seqmix_study.book.parameters import ParameterError
    from seqmix_study.book.runner import prepare, run
    from seqmix_study.book.sources import ChapterError

    passed = dict(pairs)
    if tier is not None:
        passed["tier"] = tier
    paths = Paths()
    try:
        requests = prepare(chapter, passed, paths, jobs=jobs)
    except (ChapterError, ParameterError) as error:
        click.echo(f"seqmix run: {error}", err=True)
        sys.exit(2)
    sys.exit(0 if run(requests, paths, jobs=jobs, force=force, train=train) else 1)
