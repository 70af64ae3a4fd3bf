"""From questions and tables to rows of findings: one for every effect and condition."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from seqmix_study.findings import laws, shapes  # noqa: F401  they register their estimators
from seqmix_study.findings.effects import ESTIMATORS, Effect
from seqmix_study.findings.questions import Question, QuestionsError, Side, short
from seqmix_study.findings.select import NotDecided, Sample, Tables, named, samples
from seqmix_study.findings.validity import power_of, problems, too_weak
from seqmix_study.findings.values import prepare
from seqmix_study.findings.verdict import Answer, reads, side_of

# Columns of findings.csv, in their order; what they mean stands in book/findings.md.
COLUMNS = (
    *("row", "id", "asks", "key", "condition", "corpus", "size", "tokens", "length", "mode", "arm", "against"),
    *("estimate", "lo", "hi", "n", "unit", "direction", "margin", "around", "says", "verdict", "why"),
    *("power", "false_positive", "regret", "p", "p_adjusted", "method", "notes", "scope"),
    *("device", "threads", "precision", "commit", "runs"),
)

# How numbers of a condition are said: exactly, or shortened.
WORDS = {"length": "T = {:g}", "threads": "threads: {:g}", "batch": "batch {:g}", "size": "N = {short}",
         "tokens": "{short} tokens", "train_tokens": "{:g} tokens of text"}  # fmt: skip


@dataclass
class Row:
    """One effect in one condition, valid or not, with everything that a reading needs."""

    name: str
    id: str
    question: Question
    key: dict[str, Any]
    condition: str
    effect: Effect | None
    why: str
    plain: dict[str, Any]
    p: float = math.nan
    p_adjusted: float = math.nan

    def read(self, says: str | None = None, rules: Any = None) -> tuple[str, str]:
        """Return the word (yes, no, too close, invalid) and why, for this reading (default: the question's)."""
        says = says or self.question.says
        if self.effect is None or self.why:
            return "invalid", self.why
        question = self.question.model_copy(update={"says": says})
        word = reads(side_of(self.effect, question), says)
        if weak := too_weak(self.effect, question, rules):
            return "invalid", weak
        if word == "yes" and says == self.question.says and self.p_adjusted > (1 - rules.level) / 2:
            return "too close", f"not after the correction over the rows of {self.id}"
        return word, ""

    def answer(self, says: str | None, rules: Any) -> Answer:
        """Return what this row says to one reading of a claim."""
        word, why = self.read(says, rules)
        return Answer(self.name, word, self.condition, self.key, why, self.question.kind == "architecture")


class Findings:
    """All rows of a questions file on some tables; each question is answered once."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.questions = tables, tables.questions
        self._rows: dict[str, list[Row]] = {}

    def rows(self, id: str) -> list[Row]:
        """Return the rows of one question; raises QuestionsError for an unknown estimator or a circle of needs."""
        if id in self._rows:
            if self._rows[id] is None:
                raise QuestionsError(f"question {id} needs itself, by way of others")
            return self._rows[id]
        self._rows[id] = None  # marks that it is being answered
        question = self.questions.questions[id]
        if question.estimator not in ESTIMATORS:
            known = ", ".join(sorted(ESTIMATORS))
            raise QuestionsError(f"question {id}: no estimator {question.estimator!r}; known: {known}")
        try:
            there = list(samples(self.tables, question))
            keys = [sample.key for sample in there]
            axes = {c for c in keys[0] if c == "corpus" or len({str(key[c]) for key in keys}) > 1} or set(keys[0])
            rows = [self._row(id, sample, axes) for sample in there]
        except NotDecided as gap:
            rows = [Row(id, id, question, {}, "", None, str(gap), {})]
        self._corrected(rows, question)
        self._rows[id] = rows
        return rows

    def _row(self, id: str, sample: Sample, axes: set[str]) -> Row:
        question, rules = sample.question, self.questions.rules
        words = [self._word(column, value) for column, value in sample.key.items() if column in axes]
        name = "/".join([id, *(_slug(value) for value in sample.key.values())])
        effect, why, notes = None, self._needs(question, sample.key), {}
        try:
            sample = prepare(self.tables, sample)
            effect = ESTIMATORS[question.estimator](sample, rules, self.tables)
            why = "; ".join([*([why] if why else []), *problems(sample, effect, rules)])
            notes = {"notes": "; ".join(sample.notes)}
        except NotDecided as gap:
            why = why or str(gap)
        plain = self._scope(sample) | notes
        p = math.nan if effect is None else _p(effect, question)
        said = re.sub(r"\w+", lambda found: self.questions.names.get(found[0], found[0]), why)
        return Row(name, id, question, sample.key, ", ".join(words), effect, said, plain, p)

    def _word(self, column: str, value: Any) -> str:
        if isinstance(value, str) or str(value) in self.questions.names:
            return self.questions.readable(value)
        uncut = (column, value) == ("train_tokens", 0)
        return "all the text" if uncut else WORDS.get(column, "{short}").format(value, short=short(value))

    def _needs(self, question: Question, key: dict[str, Any]) -> str:
        """Return what is missing of the questions that must be answered yes in this condition; "" if nothing is."""
        for id, meaning in question.needs.items():
            there = [row for row in self.rows(id) if all(row.key.get(c, v) == v for c, v in key.items())]
            words = [row.read(None, self.questions.rules) for row in there]
            if not words:
                return f"{meaning} ({id} was not asked there)"
            if bad := [(word, why) for word, why in words if word != "yes"]:
                return f"{meaning} ({id}: {bad[0][1] or bad[0][0]})"
        return ""

    def _side(self, side: Side, rows: pd.DataFrame) -> str:
        arms = sorted(set(rows["arm"].astype(str))) if "arm" in rows and len(rows) else [named(side)]
        return side.name or ", ".join(self.questions.readable(arm) for arm in arms)

    def _scope(self, sample: Sample) -> dict[str, Any]:
        """Return where a sample was measured, as columns of the table."""
        rows, question = sample.rows, sample.question
        found = {
            "corpus": self.questions.readable(sample.key["corpus"]) if "corpus" in sample.key else "",
            "arm": self._side(question.first, sample.first),
            "against": self._side(question.second, sample.second) if question.second else "",
        }
        for column in ("size", "tokens", "length", "threads", "mode", "device", "precision", "commit"):
            found[column] = _range(rows[column].dropna()) if column in rows else ""
        ids = "run" if "run" in rows else "process" if "process" in rows else None
        found["runs"] = " ".join(dict.fromkeys(rows[ids].astype(str))) if ids else ""
        says = {"size": "N ", "length": "T ", "tokens": "tokens ", "threads": "threads ", "device": "", "precision": ""}
        found["scope"] = ", ".join(f"{word}{found[c]}" for c, word in says.items() if found[c])
        return found

    def _corrected(self, rows: list[Row], question: Question) -> None:
        """Fill in p corrected over the rows, where the question asks for it."""
        valid = [row for row in rows if not row.why and math.isfinite(row.p)]
        if not question.family or not valid:
            return
        p = np.array([row.p for row in valid])
        adjusted = stats.false_discovery_control(p) if question.family == "fdr" else holm(p)
        for row, value in zip(valid, adjusted, strict=True):
            row.p_adjusted = float(value)

    def table(self, *ids: str) -> pd.DataFrame:
        """Return the rows of these questions (default: all) with the columns of findings.csv."""
        rules = self.questions.rules
        out = []
        for id in ids or self.questions.questions:
            question = self.questions.questions[id]
            for row in self.rows(id):
                word, why = row.read(None, rules)
                effect = {} if row.effect is None else vars(row.effect) | {
                    "direction": side_of(row.effect, question), "power": power_of(row.effect, question, rules),
                    "regret": max(row.effect.regret),
                }  # fmt: skip
                own = {"row": row.name, "key": json.dumps(row.key), "verdict": word, "why": why}
                out.append(dict(question) | vars(row) | row.plain | effect | own)
        return pd.DataFrame(out).reindex(columns=COLUMNS)  # what is no column of findings.csv is left out


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's step-down adjusted p-values (1979)."""
    order = np.argsort(p)
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    return np.minimum(steps, 1.0)[np.argsort(order)]


def _p(effect: Effect, question: Question) -> float:
    """One-sided p against the margin, for the readings that name a side."""
    known = math.isfinite(effect.se) and effect.se > 0 and (effect.estimate > 0 or not effect.log)
    if question.says not in ("above", "below") or not known:
        return math.nan
    value, around, margin = effect.estimate, question.around, question.margin
    if effect.log:
        value, around, margin = math.log(value), math.log(around or 1.0), math.log1p(margin)
    sign = 1 if question.says == "above" else -1
    gap = sign * (value - around) - margin - (effect.regret[0] if sign > 0 else effect.regret[1])
    return float(stats.t.sf(gap / effect.se, effect.df))


def _slug(value: Any) -> str:
    return re.sub(r"[^\w.+-]+", "_", value) if isinstance(value, str) else f"{value:.9g}"


def _range(values: pd.Series) -> str:
    if not len(values) or not pd.api.types.is_numeric_dtype(values):
        return ", ".join(sorted(set(map(str, values)) - {""}))
    return "–".join(dict.fromkeys((short(float(values.min())), short(float(values.max())))))
