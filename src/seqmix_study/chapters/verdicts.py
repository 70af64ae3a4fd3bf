"""The verdicts chapter: claims as tiles and as folded entries, and why rows decide nothing. All read from rows.

``found`` are rows of verdicts.csv, ``rows`` those of findings.csv.
"""

import json

import pandas as pd

from seqmix.paths import Paths
from seqmix_study.chapters.common import interval, put, template
from seqmix_study.chapters.style import FILE, PALETTE
from seqmix_study.findings import claims, study
from seqmix_study.findings import verdict as v
from seqmix_study.findings.questions import Part, Questions

COLOURS = {word: PALETTE.get(colour, colour) for word, colour in FILE["verdicts"].items()}
ANSWERS = {"yes": v.MARKS[v.SUPPORTED], "no": v.MARKS[v.REFUTED], "too close": v.MARKS[v.CLOSE],
           "invalid": v.MARKS[v.UNTESTED]}  # fmt: skip


def judged(tier: str, paths: Paths | None = None) -> pd.DataFrame:
    """Return the verdicts on all claims from ``results/<tier>``, a row for each, with the place of their tiles."""
    found = study.verdicts(tier, paths)
    kind = found["verdict"].map(v.word_of)
    number = found["id"].str.split(".").str[1].astype(int)
    name = "document " + found["document"].astype(str)
    return found.assign(tier=tier, kind=kind, mark=kind.map(v.MARKS), number=number, Document=name)


def entries(found: pd.DataFrame, document: int) -> None:
    """Display a folded entry for each claim of a document: rule and number side by side, a mark for each condition."""
    rows = study.rows(found["tier"].iloc[0]).fillna({"condition": "", "why": ""})
    shown = [_entry(claim, rows) for claim in found[found["document"] == document].to_dict("records")]
    put(template("verdicts.html").render(claims=shown, marks=ANSWERS))


def contradictions(found: pd.DataFrame) -> None:
    """Display the questions that the documents answer differently, with the verdicts that settle each."""
    asked, found = study.asked().contradictions, found.to_dict("index")
    put(template("contradictions.html").render(asked=asked, found=found))


def _entry(found: dict, rows: pd.DataFrame) -> dict:
    """Return what the template shows of a claim: what was asked, what was found, the rows and the checks behind it."""
    asked = study.asked()
    claim = asked.claim(found["id"])
    said = dict(part.rsplit(": ", 1) for part in found["rows"].split("; ") if part)
    parts = [_part(part, says, rows.loc[list(said)], said, asked) for part, says in claims.readings(claim, asked)]
    checks = [study.check(name) for name in dict.fromkeys((claim.ill_posed, claim.by_arithmetic, *claim.flaws)) if name]
    return {"asked": claim, "found": found, "parts": [part for part in parts if part["rows"]], "checks": checks}


def _part(part: Part, says: str, rows: pd.DataFrame, said: dict[str, str], asked: Questions) -> dict:
    """Return one question of a claim with the rows that the claim speaks about."""
    question = asked.questions[part.question]
    shown = [
        row | {"word": said[row["row"]], "number": interval(row)}
        for row in rows[rows["id"] == part.question].to_dict("records")
        if claims.about(json.loads(row["key"]), part.only)
    ]
    return {"asks": question.asks, "reading": question.reading(says), "rows": shown}
