"""Run records -> result tables: the narrow waist between what trains and what is published. No torch.

``collect`` writes ``results/<tier>/*.csv``; ``load`` gives an analysis exactly the rows of its plan, from the records
where they are on this machine and from the committed tables otherwise. Both go through the same rounding, so an
analysis sees the same numbers either way.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seqmix.config import RunConfig, SpeedConfig
from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix.study import names
from seqmix_study.results import columns, configurations, published
from seqmix_study.results.published import CollectError
from seqmix_study.results.rows import Rows, run_rows
from seqmix_study.results.transaction import locked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CollectError", "collect", "load", "read_table", "run_rows"]


def _ended(plan: Iterable[RunConfig | SpeedConfig], runs: Path) -> tuple[list[tuple], list]:
    """Split a plan into (config, folder) of ended runs and configs without one; a corrupt record raises."""
    ended, others = [], []
    for config in plan:
        folder = RunFolder(runs / config.run_id)
        status = folder.status_unlocked()
        if status == "corrupt":
            raise CollectError(f"a record cannot be trusted: {folder.problem()}")
        if status in ("finished", "diverged", "failed"):
            ended.append((config, folder))
        else:
            others.append(config)
    return ended, others


def _gather(ended: list[tuple]) -> Rows:
    """Return the rows of many runs, sorted, every row once."""
    found: dict[str, dict[tuple, dict[str, str]]] = {name: {} for name in columns.TABLES}
    for config, folder in ended:
        for name, rows in run_rows(config, folder).items():
            for row in rows:
                found[name][_key(name, row)] = row
    return {name: _ordered(name, rows.values()) for name, rows in found.items()}


def _key(table: str, row: dict[str, str]) -> tuple:
    return tuple(row[name] for name in columns.KEYS[table])


def _ordered(table: str, rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    kinds = {column.name: column.kind for column in columns.TABLES[table]}

    def rank(row: dict[str, str]) -> tuple:
        return tuple(row[name] if kinds[name] == "text" else float(row[name] or "-inf") for name in columns.KEYS[table])

    return sorted(rows, key=rank)


def read_table(table: str, tier: str, paths: Paths) -> list[dict[str, str]]:
    """Return the rows of a published table ([] if there is none).

    Raises CollectError for a table that is damaged or has unknown columns.
    """
    path = paths.results / tier / f"{table}.csv"
    text = published.content(path)
    if text is None:
        return []
    reader = csv.DictReader(io.StringIO(text.decode(), newline=""))
    rows, known = list(reader), [column.name for column in columns.TABLES[table]]
    if unknown := sorted(set(reader.fieldnames or ()) - set(known)):
        raise CollectError(f"{path} has unknown column(s) {', '.join(unknown)}; {published.REMEDY}")
    return [{name: row.get(name, "") for name in known} for row in rows]


def _refuse_conflicts(old: list[dict[str, str]], new: list[dict[str, str]], table: Path, runs: Path) -> set[str]:
    """Return the runs whose committed rows stay; raises if a record and the table hold different results.

    The same run trained twice gives the same loss on the same machine and torch. A record that repeats what is
    committed changes nothing (the tables do not churn); one that contradicts it is not published by accident.
    """
    committed = {_key("runs", row): row for row in old}
    stay = set()
    for row in new:
        before = committed.get(_key("runs", row))
        if before is None or before["finished_at"] == row["finished_at"] or before["status"] == "failed":
            continue
        if (before["status"], before["loss"]) == (row["status"], row["loss"]):
            stay.add(row["run_id"])
            continue
        raise CollectError(
            f"{table} has run {row['run_id']} {before['status']} with loss {before['loss']}, but "
            f"{runs / row['run_id']} is {row['status']} with loss {row['loss']}: delete that folder to keep the table, "
            "or collect with --replace to publish the new record (seqmix compare says whether they agree)"
        )
    return stay


def _refuse_mixed_corpora(rows: list[dict[str, str]], table: Path) -> None:
    seen: dict[tuple, dict[str, str]] = {}
    for row in rows:
        if not row["corpus_sha256"]:
            continue
        place = (row["study"], row["source"], row["tokenizer"], row["seq_len"], row["pairs"])
        first = seen.setdefault(place, row)
        if first["corpus_sha256"] != row["corpus_sha256"]:
            raise CollectError(
                f"{table}: study {row['study']!r} mixes two versions of source {row['source']!r}: run "
                f"{first['run_id']} was trained on {first['corpus_sha256'][:12]}, run {row['run_id']} on "
                f"{row['corpus_sha256'][:12]}; train the study on one corpus, or collect with --mixed-corpora"
            )


def _csv(table: str, rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [column.name for column in columns.TABLES[table]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def collect(
    plan: list[RunConfig | SpeedConfig],
    tier: str,
    study: str = "",
    *,
    paths: Paths | None = None,
    replace: bool = False,
    mixed_corpora: bool = False,
    prune: bool = False,
) -> dict[str, int]:
    """Merge the ended runs of a plan into ``results/<tier>/*.csv``, all or none; return the rows of each table.

    Where nothing changes, nothing is written. Rows of other studies stay. ``prune``: rows of this study's runs that
    the plan no longer names are dropped, and those of studies that are no more. Raises CollectError for contradictions
    (see ``replace`` and ``mixed_corpora``) and RecordError for the disk.
    """
    paths = paths or Paths()
    folder = paths.results / tier
    ended, _ = _ended(plan, paths.runs)
    fresh = _gather(ended)
    planned = {(config.study, config.run_id) for config in plan}

    def files() -> tuple[dict[str, str], dict[str, int]]:
        merged = _merged(fresh, {name: read_table(name, tier, paths) for name in columns.TABLES}, paths, tier, replace)
        if prune:
            others = set(names(paths)) - {study}
            merged = {
                name: [row for row in rows if row["study"] in others or (row["study"], row["run_id"]) in planned]
                for name, rows in merged.items()
            }
        if not mixed_corpora:
            _refuse_mixed_corpora(merged["runs"], folder / "runs.csv")
        known = published.manifest(folder)
        texts = {f"{n}.csv": _csv(n, rows) for n, rows in merged.items() if rows or f"{n}.csv" in known}
        kept = {row["run_id"] for name in ("runs", "speed") for row in merged[name]}
        if texts:
            texts[configurations.NAME] = configurations.text(tier, (config for config, _ in ended), kept, paths)
        return texts, {name: len(rows) for name, rows in merged.items()}

    texts, counts = files()
    if published.differs(folder, texts):
        with locked(folder / ".collect.lock"):  # what another process has published meanwhile is kept
            texts, counts = files()
            published.write(folder, texts)
    guide = paths.results / "README.md"
    if not guide.exists() or guide.read_text("utf-8") != columns.dictionary():
        atomic_write(guide, columns.dictionary())
    return counts


def _merged(fresh: Rows, old: Rows, paths: Paths, tier: str, replace: bool) -> Rows:
    """Return the published rows with the fresh ones in their place, in their order."""
    table = paths.results / tier / "runs.csv"
    stay = set() if replace else _refuse_conflicts(old["runs"], fresh["runs"], table, paths.runs)
    merged = {}
    for name in columns.TABLES:
        new = [row for row in fresh[name] if row["run_id"] not in stay or name == "speed"]
        renewed = {(row["study"], row["run_id"]) for row in new}
        kept = [row for row in old[name] if (row["study"], row["run_id"]) not in renewed]
        merged[name] = _ordered(name, kept + new)
    return merged


def frame(table: str, rows: list[dict[str, str]]) -> "pd.DataFrame":
    """Return rows as a DataFrame with the column kinds of the data dictionary (missing numbers are NaN)."""
    import pandas as pd

    data = {}
    for column in columns.TABLES[table]:
        values = [row[column.name] for row in rows]
        if column.kind == "text":
            data[column.name] = pd.Series(values, dtype=object)
        elif column.kind == "int" and all(values):
            data[column.name] = pd.Series([int(value) for value in values], dtype="int64")
        else:
            data[column.name] = pd.Series([float(value or "nan") for value in values], dtype="float64")
    return pd.DataFrame(data)


def _relabelled(table: str, rows: list[dict[str, str]], plan: list[RunConfig | SpeedConfig]) -> list[dict[str, str]]:
    """Return the committed rows of the plan's runs under the plan's labels, whichever study they were trained for."""
    by_run: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in rows:
        by_run.setdefault(row["run_id"], {}).setdefault(row["study"], []).append(row)
    out: dict[tuple, dict[str, str]] = {}
    for config in plan:
        of_run = by_run.get(config.run_id, {})
        for row in of_run.get(config.study) or next(iter(of_run.values()), []):
            labels = {"study": config.study}
            if table == "runs":
                labels |= {"tier": config.tier, "group": config.group, "arm": config.arm}
            out[_key(table, row | labels)] = row | labels
    return list(out.values())


def load(
    study: str,
    tier: str,
    plan: list[RunConfig | SpeedConfig] | None = None,
    paths: Paths | None = None,
) -> "dict[str, pd.DataFrame]":
    """Return the tables of a study, table name -> DataFrame.

    With a plan: exactly the rows of its runs, from the records where they have ended on this machine, else from
    the committed tables; runs that are in neither are missing (``tables["runs"].attrs["missing"]`` names them).
    Without: the committed rows of the study.
    """
    paths = paths or Paths()
    if plan is None:
        committed = {name: read_table(name, tier, paths) for name in columns.TABLES}
        return {name: frame(name, [row for row in rows if row["study"] == study]) for name, rows in committed.items()}
    ended, others = _ended(plan, paths.runs)
    rows = _gather(ended)
    wanted, found = {config.run_id for config in others}, set()
    for name in columns.TABLES if others else ():
        more = _relabelled(name, read_table(name, tier, paths), others)
        found |= {row["run_id"] for row in more}
        rows[name] = _ordered(name, rows[name] + more)
    tables = {name: frame(name, table) for name, table in rows.items()}
    tables["runs"].attrs |= {
        "from_records": len({config.run_id for config, _ in ended}),
        "from_results": len(found),
        "missing": sorted(wanted - found),
    }
    return tables
