"""``seqmix pack``: the records of this machine in one archive."""

import sys
from pathlib import Path

import click


@click.command("pack")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--weights", is_flag=True, help="Take the weights too (needed to measure more from a run).")
@click.option("--study", "chapter", default="", help="Only the runs of this study (with --tier).")
@click.option("--tier", default="", help="quick, laptop or gpu; with --study, or alone for all studies.")
def command(out: Path, weights: bool, chapter: str, tier: str) -> None:
    """Write the ended runs to OUT (.tar.xz, .tar.gz or .tar.zst), without checkpoints; see seqmix unpack."""
    from seqmix.paths import Paths
    from seqmix_study.runs.archive import pack

    only = None
    if chapter or tier:
        from seqmix.study import StudyError
        from seqmix_study.runs.selection import select

        try:
            plans = select(chapter or "all", tier or "quick")
        except StudyError as error:
            click.echo(f"seqmix pack: {error}", err=True)
            sys.exit(2)
        only = {config.run_id for plan in plans.values() for config in plan}
    done = pack(out, Paths().runs, weights, only)
    click.echo(f"{out}: {done['runs']} runs, {done['files']} files, {done['bytes'] / 1e6:.2f} MB")
