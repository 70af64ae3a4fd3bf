"""seqmix findings: one row for every effect, one verdict for every claim, from this study's tables or any others."""

from pathlib import Path

import click

from seqmix_study.commands._common import TIERS, say


@click.command("findings")
@click.argument("runs", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("questions", nargs=-1, type=click.Path(path_type=Path))
@click.option("--tier", type=TIERS, default="laptop", show_default=True,
              help="Whose tables of this study are judged, where no table is named.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default: beside the table.")
def command(runs: Path | None, questions: tuple[Path, ...], tier: str, out: Path | None) -> None:
    """Answer every question of QUESTIONS (YAML) on the table RUNS (CSV) and judge every claim.

    Without arguments: this study. Writes findings.csv, verdicts.csv and the same as JSON, and prints the verdicts.
    The format of QUESTIONS is explained in book/findings.md.

    Exit code 2: a file is missing or wrong; the message names it and the entry.
    """
    from seqmix_study.findings import claims, study

    if runs and not questions:
        raise click.UsageError("name a questions file (YAML) too")
    try:
        rows, verdicts = claims.from_files(runs, *questions, out=out) if runs else study.write(tier, out=out)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    for row in verdicts.itertuples():
        say(f"{row.id:>6}  {row.verdict:<20} {row.claim}\n        {row.text}")
    counts = verdicts["verdict"].value_counts()
    say("; ".join(f"{word}: {count}" for word, count in counts.items()) or f"{len(rows)} rows, no claims")
