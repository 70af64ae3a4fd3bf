"""``seqmix pack``: the records of this machine in one archive."""

from pathlib import Path

import click

from seqmix_study.commands._common import Named, say


@click.command("pack")
@click.argument("out", type=Named(".tar.xz"))
@click.option("--weights", is_flag=True, help="Take the weights too (needed to measure more from a run).")
def command(out: Path, weights: bool) -> None:
    """Write all ended runs to OUT (.tar.xz), without checkpoints; see seqmix unpack."""
    from seqmix.paths import Paths
    from seqmix_study.runs.archive import pack

    done = pack(out, Paths().runs, weights)
    say(f"{out}: {done['runs']} runs, {done['files']} files, {done['bytes'] / 1e6:.2f} MB")
