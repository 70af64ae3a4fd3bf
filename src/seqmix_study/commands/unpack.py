"""``seqmix unpack``: take in the records of another machine."""

from pathlib import Path

import click

from seqmix_study.commands._common import Named, say


@click.command("unpack")
@click.argument("archive", type=Named(".tar.xz", exists=True))
def command(archive: Path) -> None:
    """Move the records of ARCHIVE (see seqmix pack) into the runs folder; a record that is there is never replaced.

    Refuses a torn, altered or foreign archive; nothing is unpacked then.
    """
    from seqmix.paths import Paths
    from seqmix_study.runs.archive import unpack

    done = unpack(archive, Paths().runs)
    say(f"{len(done['added'])} runs added, {len(done['known'])} were there already")
    for run_id in done["different"]:
        say(f"  kept the record that was here: {run_id} (delete its folder to take the other)", err=True)
