"""``seqmix status``: the runs on this machine and how they are."""

import json

import click


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@click.option("--all", "show_all", is_flag=True, help="List finished runs too (in text).")
def command(as_json: bool, show_all: bool) -> None:
    """List the run records of this machine: running, interrupted, finished, diverged, failed, corrupt.

    A corrupt record is one that was edited, emptied or torn after its run ended: the line names the file and what
    to do. Exit code 1 if there is one.
    """
    import sys
    from collections import Counter

    from seqmix.paths import Paths
    from seqmix.record import run_folders

    rows = [_row(folder) for folder in run_folders(Paths().runs)]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        counts = Counter(row["status"] for row in rows)
        for row in rows:
            if show_all or row["status"] != "finished" or row["notes"]:
                what = row["problem"] or row["reason"] or (f"step {row['step']}" if row["step"] else "")
                click.echo(f"{row['status']:<12} {row['study']:<10} {row['run_id']}  {what}".rstrip())
                for note in row["notes"]:
                    click.echo(f"{'':<12} note: {note}")
        click.echo(", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "no runs yet")
    sys.exit(1 if any(row["status"] == "corrupt" for row in rows) else 0)


def _row(folder) -> dict:
    from seqmix.files import RecordError

    row = {"run_id": folder.run_id, "status": folder.status(), "study": "", "tier": "", "arm": "", "step": 0}
    row |= {"reason": "", "problem": "", "notes": folder.notes(), "loss": None}
    if row["status"] == "corrupt":
        return row | {"problem": folder.problem()}
    if row["status"] == "new":
        return row
    try:
        config = folder.config()
        row |= {"study": config.study, "tier": config.tier, "arm": getattr(config, "arm", "")}
        row |= {"step": folder.step(), "reason": folder.outcome().get("reason", "")}
        loss = folder.metrics().get("loss")
        row["loss"] = loss if loss == loss else None
    except RecordError as error:
        row |= {"problem": str(error)}
    return row
