"""``seqmix pack``: the records of this machine in one archive."""

from pathlib import Path

import click


@click.command("pack")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--weights", is_flag=True, help="Take the weights too (needed to measure more from a run).")
@click.option("--study", "chapter", default="", help="Only the runs of this study (with --tier).")
@click.option("--tier", default="", help="quick, laptop or gpu; with --study, or alone for all studies.")
def command(out: Path, weights: bool, chapter: str, tier: str) -> None:
    """Write the ended runs to OUT (.tar.xz or .tar.gz), without checkpoints; see seqmix unpack."""
    from seqmix.paths import Paths
    from seqmix_study.runs.archive import pack

    only = None
    if chapter or tier:
        from seqmix_study.runs.selection import select

        plans = select(chapter or "all", tier or "quick")
        only = {config.run_id for plan in plans.values() for config in plan}
    done = pack(out, Paths().runs, weights, only)
    click.echo(f"{out}: {done['runs']} runs, {done['files']} files, {done['bytes'] / 1e6:.2f} MB")
