"""One ended run -> its rows of the result tables, every cell as it stands in the file. No torch."""

import math
from functools import lru_cache
from pathlib import Path

from seqmix import accounting
from seqmix.config import DataConfig, RunConfig, SpeedConfig
from seqmix.data import CorpusError, corpus_name, open_source
from seqmix.files import printable
from seqmix.record import RunFolder
from seqmix_study.results import columns
from seqmix_study.results.published import CollectError

Config = RunConfig | SpeedConfig

# Table name -> rows; every cell as it stands in the file.
Rows = dict[str, list[dict[str, str]]]


# Roles whose curves and measurements are published; of a trial, a check or a losing sibling the row is enough.
PUBLISHED_WHOLE = ("", "evidence")


# Columns of runs.csv that a record's provenance gives.
PROVEN = ("device", "kernel", "precision", "threads", "hardware", "code_commit", "python")


# Characters with a meaning in a page -> harmless ones.
MARKUP = str.maketrans("`<>{}[]|$\\", "'‹›()()¦§/")


def plain(text: object) -> str:
    """Return words that no author of the book wrote (a machine's name, a reason, a parameter) as nothing but words.

    The one escape between data and pages: the characters of markup become harmless ones, what cannot be printed goes.
    """
    return printable(" ".join(str(text).split()).translate(MARKUP))


def cell(value: object, kind: str) -> str:
    """Return a value as it is written: six significant digits, empty for what does not exist."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return ""
    if kind == "int":
        return str(round(value))
    if kind == "float":
        return f"{float(value):.6g}"
    return plain(value)


def _written(table: str, row: dict, origin: Path) -> dict[str, str]:
    known = columns.TABLES[table]
    if unknown := sorted(set(row) - set(known)):
        text = f"{origin} has column(s) {', '.join(unknown)} that table {table!r} does not know"
        raise CollectError(f"{text}; describe them in src/seqmix_study/results/columns.yaml")
    return {name: cell(row.get(name), kind) for name, kind in known.items()}


def _metrics(metrics: dict) -> dict:
    """Return the metrics that are columns of runs.csv; reference lines lose their prefix."""
    references = {k.removeprefix("reference_"): v for k, v in metrics.items() if k.startswith("reference_")}
    lines = {name: value for name, value in references.items() if name in columns.TABLES["runs"]}
    left_out = {"evaluated", "bytes_per_token", "tokens_done", "grad_first", "grad_last"}
    kept = {k: v for k, v in metrics.items() if k not in left_out and not k.startswith("reference_")}
    return lines | kept


def _run_row(config: RunConfig, folder: RunFolder) -> dict:
    """Return a run's row: fields of the configuration, of the record and of the metrics, each under its own name."""
    metrics, proven, outcome = folder.metrics(), folder.provenance(), folder.outcome()
    model, counts = config.model, accounting.parameters(config.model)
    tokens = metrics.get("tokens_done", config.tokens)
    flops = accounting.train_flops_per_token(model, config.data.seq_len)
    parts = (config, config.train, config.data, model)
    row = {name: getattr(part, name) for part in parts for name in columns.TABLES["runs"] if hasattr(part, name)}
    row |= {"family": config.family or config.arm, "split": "test" if "test_tokens" in metrics else "valid"}
    row |= {"status": outcome["status"], "reason": outcome["reason"], "tokens": tokens}
    row |= {"source": corpus_name(config.data), "mlp_width": model.mlp_hidden if model.skeleton == "block" else 0}
    if config.data.source != "boxes":
        del row["keys_most"], row["swaps_most"]
    if config.rate is not None:
        told = config.rate.model_dump()
        row |= {"optimum": told.pop("where"), "lr_optimum": told.pop("optimum")} | told
    row |= {"corpus_sha256": proven.get("corpus_sha256", config.data.fingerprint), "train_flops": flops * tokens}
    row |= {"params_total": counts["total"], "params_non_embedding": counts["non_embedding"]}
    row |= {"state_bytes": accounting.state_bytes(model, config.data.seq_len), "finished_at": outcome["finished_at"]}
    row |= {name: proven.get(name) for name in PROVEN} | {"torch": proven.get("versions", {}).get("torch")}
    return _metrics(metrics) | row | _sizes(config.data)


@lru_cache
def _sizes(config: DataConfig) -> dict[str, int]:
    """Return the tokens of each part of the text that a run was planned on; {} where that very text is not here."""
    if not config.fingerprint:
        return {}
    try:
        streams = getattr(open_source(config), "streams", None)
    except CorpusError:
        return {}
    return {"train_size": 0} if streams is None else {f"{split}_size": len(part) for split, part in streams.items()}


def run_rows(config: Config, folder: RunFolder) -> Rows:
    """Return the rows of one ended run, labelled as ``config`` says; raises CollectError or RecordError."""
    try:
        return _rows(config, folder)
    except CollectError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, ArithmeticError) as error:
        raise CollectError(f"{folder.path}: a value is not of its column's kind: {error}") from error


def _rows(config: Config, folder: RunFolder) -> Rows:
    rows: Rows = {}
    labels = {"study": config.study, "run_id": config.run_id}
    if isinstance(config, RunConfig):
        rows["runs"] = [_written("runs", _run_row(config, folder), folder.path / "metrics.json")]
        if config.role not in PUBLISHED_WHOLE:
            return rows
        flops = accounting.train_flops_per_token(config.model, config.data.seq_len)
        curve = ({k: v for k, v in row.items() if k != "excess"} for row in folder.curve())
        curve = [row | labels | {"flops": flops * row["tokens"]} for row in curve if "tokens" in row]
        rows["curves"] = [_written("curves", row, folder.path / "progress.jsonl") for row in curve]
    else:
        proven = folder.provenance()
        labels |= {"tier": config.tier, "group": config.group}
        labels |= {name: proven.get(name) for name in ("device", "hardware")}
        labels |= {"torch": proven.get("versions", {}).get("torch")}
    for name, table in folder.tables().items():
        target, origin = name.partition("-")[0], folder.path / "tables" / f"{name}.csv"
        if target not in columns.TABLES or target == "runs":
            raise CollectError(f"{origin} belongs to no result table; known: {', '.join(columns.TABLES)}")
        arm = {"arm": config.arm} if target == "inside" else {}
        rows.setdefault(target, []).extend(_written(target, arm | row | labels, origin) for row in table)
    return rows
