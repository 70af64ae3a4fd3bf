"""Run records -> result tables: the narrow waist between what trains and what is published. No torch.

``collect`` writes ``results/<tier>/*.csv``; ``load`` gives an analysis exactly the rows of its plan, from the records
where they are on this machine and from the committed tables otherwise. Both go through the same rounding, so an
analysis sees the same numbers either way.
"""

import math
import sys
from pathlib import Path

import pandas as pd

from seqmix.files import atomic_write
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix.study import names
from seqmix_study.results import columns, configurations, published
from seqmix_study.results.published import CollectError
from seqmix_study.results.rows import Config, run_rows

# Table name -> its rows; every cell is text, as it stands in the file.
Frames = dict[str, pd.DataFrame]

# Columns that together may have one version of a corpus only.
CORPUS = ["study", "source", "tokenizer", "seq_len", "pairs"]


def _records(plan: list[Config], runs: Path) -> tuple[Frames, list[Config], list[Config]]:
    """Return the rows of the runs that have a result here, these runs and the others; a corrupt record raises."""
    found: dict[str, list[dict[str, str]]] = {name: [] for name in columns.TABLES}
    ended, others = [], []
    for config in plan:
        folder = RunFolder(runs / config.run_id)
        status = folder.status_unlocked()
        if status == "corrupt":
            raise CollectError(f"a record cannot be trusted: {folder.problem()}")
        if status not in ("finished", "diverged"):
            others.append(config)
            continue
        ended.append(config)
        for name, rows in run_rows(config, folder).items():
            found[name] += rows
    return {name: _ordered(name, as_text(name, rows)) for name, rows in found.items()}, ended, others


def as_text(table: str, rows: list[dict[str, str]]) -> pd.DataFrame:
    """Return rows as a table, every cell as it stands in the file."""
    return pd.DataFrame(rows, columns=[*columns.TABLES[table]], dtype=object)


def _committed(tier: str, paths: Paths) -> Frames:
    return {name: as_text(name, published.read_table(name, tier, paths)) for name in columns.TABLES}


def _ordered(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the order of the table's key, the last of those that share one."""
    key = list(columns.KEYS[table])

    def rank(column: pd.Series) -> pd.Series:
        text = columns.TABLES[table][column.name] == "text"
        return column if text else column.replace("", -math.inf).astype(float)

    return rows.drop_duplicates(key, keep="last").sort_values(key, key=rank, ignore_index=True)


def _published_before(old: pd.DataFrame, new: pd.DataFrame, tier: str, paths: Paths, replace: bool) -> list[pd.Series]:
    """Return of the runs that both have: those whose record repeats the row, at another commit, or contradicts it.

    The same run trained twice gives the same loss on the same machine and torch. A record that repeats what is
    committed changes nothing (the tables do not churn); one that contradicts it is not published by accident: raises
    unless it is to ``replace`` the row.
    """
    both = new.merge(old, on=list(columns.KEYS["runs"]), suffixes=("", "_before"))
    again = both[both["finished_at"] != both["finished_at_before"]]
    differs = (again["status"] != again["status_before"]) | (again["loss"] != again["loss_before"])
    for row in again[differs & (not replace)].itertuples():
        raise CollectError(
            f"{paths.results / tier}/runs.csv has run {row.run_id} {row.status_before} with loss {row.loss_before}, "
            f"but {paths.runs / row.run_id} is {row.status} with loss {row.loss}: delete that folder to keep the "
            "table, or collect with --replace to publish the new record (seqmix compare says whether they agree)"
        )
    same = again["role"] == again["role_before"]  # a trial that became evidence is published as that
    repeated = again[same & ~differs & (not replace)]
    foreign = repeated[repeated["code_commit"] != repeated["code_commit_before"]]
    return [rows["run_id"] for rows in (repeated, foreign, again[differs])]


def _refuse_mixed_corpora(runs: pd.DataFrame, table: Path) -> None:
    for (study, source, *_), hashes in runs[runs["corpus_sha256"] != ""].groupby(CORPUS)["corpus_sha256"]:
        if len(versions := hashes.unique()) > 1:
            both = ", ".join(version[:12] for version in versions)
            text = f"{table}: study {study!r} mixes two versions of source {source!r} ({both})"
            raise CollectError(f"{text}: train all of its runs on one")


def collect(
    plan: list[Config], tier: str, study: str, paths: Paths, replace: bool = False, spare: set[str] | None = None
) -> dict[str, int]:
    """Merge the ended runs of a plan into ``results/<tier>/*.csv``, all or none; return the rows of each table.

    Where nothing changes, nothing is written. Rows of other studies stay. With ``spare``, rows of this study's runs
    that the plan no longer names are dropped (but of these groups), and those of studies that are no more. It says
    in a line of the error stream how many measurements of runs that were published before are new. Raises
    CollectError for contradictions (see ``replace``) and for a study on two versions of a corpus, RecordError for the
    disk.
    """
    folder = paths.results / tier
    fresh, ended, _ = _records(plan, paths.runs)

    def files() -> tuple[dict[str, str], dict[str, int], tuple[int, int]]:
        merged, *measured = _merged(fresh, _committed(tier, paths), paths, tier, replace)
        if spare is not None:
            others, runs = set(names(paths)) - {study}, merged["runs"]
            asked = {(config.study, config.run_id) for config in plan}
            asked |= {*_runs(runs[(runs["study"] == study) & runs["group"].isin(spare)])}
            merged = {n: rows[rows["study"].isin(others) | _runs(rows).isin(asked)] for n, rows in merged.items()}
        _refuse_mixed_corpora(merged["runs"], folder / "runs.csv")
        known = published.manifest(folder)
        filled = {f"{n}.csv": rows for n, rows in merged.items() if len(rows) or f"{n}.csv" in known}
        texts = {name: rows.to_csv(index=False, lineterminator="\n") for name, rows in filled.items()}
        kept = {*merged["runs"]["run_id"], *merged["speed"]["run_id"]}
        if texts:
            texts[configurations.NAME] = configurations.text(tier, ended, kept, paths)
        return texts, {name: len(rows) for name, rows in merged.items()}, measured

    texts, counts, (taken, left) = files()
    if published.differs(folder, texts):
        with published.alone(folder):  # what another process has published meanwhile is kept
            texts, counts, (taken, left) = files()
            published.write(folder, texts)
    if taken or left:
        print(f"{study}: {taken} measurements of published runs added, {left} left out (--replace)", file=sys.stderr)
    guide = paths.results / "README.md"
    if not guide.exists() or guide.read_text("utf-8") != columns.dictionary():
        atomic_write(guide, columns.dictionary())
    return counts


def _runs(rows: pd.DataFrame) -> pd.Index:
    """Return (study, run_id) of every row."""
    return pd.MultiIndex.from_frame(rows[["study", "run_id"]])


def _parts(rows: pd.DataFrame) -> pd.Index:
    """Return (study, run_id) of every row, and of a table of several measurements which one it is of."""
    return pd.MultiIndex.from_frame(rows[["study", "run_id", *({"measure"} & {*rows})]])


def _merged(fresh: Frames, old: Frames, paths: Paths, tier: str, replace: bool) -> tuple[Frames, int, int]:
    """Return the published rows with the fresh ones in their place, in their order.

    Of a training that is published, a record gives the measurements that are not, and takes none away: how many it
    gives, and how many stay out because that training was of another commit.
    """
    repeated, foreign, other = _published_before(old["runs"], fresh["runs"], tier, paths, replace)
    merged, taken, left = {}, 0, 0
    for name, new in fresh.items():
        run, more = new["run_id"], ~_parts(new).isin(_parts(old[name]))
        measured = more & _runs(new).isin(_runs(old["curves"]))
        taken += _parts(new[measured & ~run.isin(foreign)]).nunique()
        left += _parts(new[measured & run.isin(foreign)]).nunique()
        new = new[~run.isin(repeated) | (more & ~run.isin(foreign))]
        stale = old[name]["run_id"].isin(other) & old[name]["study"].isin(fresh["runs"]["study"])
        merged[name] = _ordered(name, pd.concat([old[name][~stale & ~_parts(old[name]).isin(_parts(new))], new]))
    return merged, taken, left


def _typed(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the column kinds of the data dictionary (missing numbers are NaN)."""
    kinds = {}
    for name, kind in columns.TABLES[table].items():
        whole = kind == "int" and (rows[name] != "").all()
        kinds[name] = object if kind == "text" else "int64" if whole else "float64"
    missing = {name: {"": "nan"} for name, kind in kinds.items() if kind == "float64"}
    return rows.replace(missing).astype(kinds).reset_index(drop=True)


def _relabelled(table: str, rows: pd.DataFrame, plan: list[Config]) -> pd.DataFrame:
    """Return the committed rows of the plan's runs under the plan's labels, whichever study they were trained for."""
    labels = ["study", "tier", "group", "arm"] if table == "runs" else ["study"]
    asked = pd.DataFrame([{name: getattr(config, name, "") for name in ("run_id", *labels)} for config in plan])
    asked = asked.drop_duplicates()
    found = rows.rename(columns={"study": "of"}).drop(columns=labels[1:]).merge(asked, on="run_id")
    own = found["of"] == found["study"]
    return pd.concat([found[~own], found[own]])[list(rows)]  # of rows with one key the last will count


def load(study: str, tier: str, plan: list[Config] | None = None, paths: Paths | None = None) -> Frames:
    """Return the tables of a study (or of all), table name -> DataFrame, numbers as numbers.

    With a plan: exactly the rows of its runs, from the records where they have ended on this machine, else from
    the committed tables. Without: the committed rows of the study.
    """
    paths = paths or Paths()
    if plan is None:
        tables = _committed(tier, paths).items()
        return {name: _typed(name, rows if study == "all" else rows[rows["study"] == study]) for name, rows in tables}
    rows, _, others = _records(plan, paths.runs)
    for name, table in _committed(tier, paths).items() if others else ():
        rows[name] = _ordered(name, pd.concat([rows[name], _relabelled(name, table, others)]))
    return {name: _typed(name, table) for name, table in rows.items()}
