"""seqmix findings: one row for every effect, one verdict for every claim, from this study's tables or any others."""

from pathlib import Path

import click

from seqmix_study.commands._common import TIERS, say


@click.command("findings")
@click.argument("runs", required=False, type=click.Path(path_type=Path))
@click.argument("questions", nargs=-1, type=click.Path(path_type=Path))
@click.option("--tier", type=TIERS, default="laptop", show_default=True,
              help="Whose tables of this study are judged, where no table is named.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results; default: beside the table.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Print only this claim or question; may be repeated.")
def command(runs: Path | None, questions: tuple[Path, ...], tier: str, out: Path | None, ids: tuple[str, ...]) -> None:
    """Answer every question of QUESTIONS (YAML) on the table RUNS (CSV) and judge every claim.

    Without arguments: this study. Writes findings.csv, verdicts.csv and the same as JSON, and prints the verdicts.
    The format of QUESTIONS is explained in book/findings.md.

    Exit code 2: a file is missing or wrong; the message names it and the entry.
    """
    from seqmix_study.findings import claims, study
    from seqmix_study.findings.questions import QuestionsError, load

    try:
        if runs is not None and (not runs.is_file() or not questions):
            raise QuestionsError(f"{runs}: no such file" if not runs.is_file() else "name a questions file (YAML) too")
        asked = study.asked() if runs is None else load(*questions)
        known = [*asked.questions, *(claim.id for claim in asked.claims)]
        if unknown := [name for name in ids if name.partition("/")[0] not in known]:
            raise QuestionsError(f"--id {unknown[0]}: no such claim or question; known: {', '.join(known)}")
        if runs is None:
            rows, verdicts = study.write(tier, out=out)
        else:
            rows, verdicts = claims.from_files(runs, *questions, out=out)
    except (QuestionsError, ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    for row in rows[rows["id"].isin(ids) | rows["row"].isin(ids)].itertuples():
        say(f"{row.row}: {row.estimate:.4g} ({row.lo:.4g} to {row.hi:.4g}) {row.unit}: {row.verdict}. {row.why}")
    for row in verdicts[verdicts["id"].isin(ids) | (not ids)].itertuples():
        say(f"{row.id:>6}  {row.verdict:<20} {row.claim}\n        {row.text}")
    if not ids:
        counts = verdicts["verdict"].value_counts()
        say("; ".join(f"{word}: {count}" for word, count in counts.items()) or f"{len(rows)} rows, no claims")
