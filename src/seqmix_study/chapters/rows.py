"""Rows of findings as a figure wants them: one row a point, numbers as numbers, names for people.

A figure, a sentence and a verdict read the same rows; nothing here estimates anything.
"""

import json

import pandas as pd

from seqmix_study.chapters.style import look
from seqmix_study.findings import study
from seqmix_study.findings.answer import Findings
from seqmix_study.findings.questions import Questions
from seqmix_study.findings.select import Tables

# The tier whose findings the book argues from.
PUBLISHED = "laptop"

COLUMNS = ("row", "id", "condition", "estimate", "lo", "hi", "n", "unit", "direction", "verdict", "why", "power")

# Columns of a condition that would be taken for an end of the interval: the first swap or position of a bin.
RENAMED = {"lo": "at"}


def published(question: str) -> pd.DataFrame:
    """Return the published rows of a question, tidy; raises KeyError for a question that nobody asks."""
    asked = study.asked()
    if question not in asked.questions:
        raise KeyError(f"no question {question!r} in questions.yaml")
    rows = study.rows(PUBLISHED)
    return tidy(rows[rows["id"] == question], asked)


def described(frames: dict[str, pd.DataFrame]) -> Findings:
    """Put the questions to the tables of one execution.

    Its rates may be typed and its tier a code check: the rows describe it, and no verdict reads them.
    """
    asked = study.asked()
    rules = asked.rules.model_copy(update={"not_evidence": {}, "tuning": "ignored"})
    questions = asked.model_copy(update={"rules": rules})
    return Findings(Tables({name: f for name, f in frames.items() if len(f)}, questions))


def own(question: str, found: Findings) -> pd.DataFrame:
    """Return the rows of a question of one execution (see ``described``), tidy."""
    return tidy(found.table(question), study.asked())


def tidy(rows: pd.DataFrame, questions: Questions) -> pd.DataFrame:
    """Return the rows that hold an estimate, with the columns of their condition as numbers or as names.

    Columns: those of ``COLUMNS``, each column under ``per`` of the question, and for people ``Architecture`` (the arm
    or family, or the first side), ``Corpus`` and, for measurements of time, ``Mode``: what was timed.
    """
    out = []
    for row in rows[rows["estimate"].notna()].to_dict("records"):
        key = {RENAMED.get(column, column): value for column, value in json.loads(row["key"]).items()}
        arm = look(key.get("arm", key.get("family"))).label if {"arm", "family"} & set(key) else row["arm"]
        corpus = questions.readable(key["corpus"]) if "corpus" in key else row["corpus"]
        mode = {"Mode": questions.readable(key["mode"])} if "mode" in key else {}
        out.append({c: row[c] for c in COLUMNS} | key | {"Architecture": arm, "Corpus": corpus} | mode)
    if out:
        return pd.DataFrame(out)
    per = {RENAMED.get(column, column) for id in rows["id"] for column in questions.questions[id].per}
    return pd.DataFrame(columns=[*COLUMNS, *sorted(per), "Architecture", "Corpus"])


def where(found: pd.DataFrame, wanted: dict[str, list], strict: bool = True) -> pd.DataFrame:
    """Keep the rows with these values of columns.

    Unless ``strict``, where no row has them: all rows, or of numbers those nearest to the first one wanted.
    """
    for column, values in wanted.items():
        kept = found[found[column].isin(values)]
        if not strict and not len(kept):
            far = (found[column] - values[0]).abs() if pd.api.types.is_numeric_dtype(found[column]) else pd.Series()
            kept = found[far == far.min()] if len(far) else found
        found = kept
    return found


def agreement(theirs: pd.DataFrame, yours: pd.DataFrame) -> pd.DataFrame:
    """Compare an execution with the published rows of the same name: a row each, with what the two say together."""
    both = theirs.merge(yours, on="row", suffixes=("", "_yours"))
    apart = (both["lo_yours"] > both["hi"]) | (both["hi_yours"] < both["lo"])
    none = both[["lo_yours", "hi_yours"]].isna().any(axis=1)
    said = apart.map({True: "differs", False: "agrees"}).mask(none, "no interval of its own")
    return both.assign(said=said)
