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

COLOURS = {word: PALETTE.get(colour, colour) for word, colour in FILE["verdicts"].items()}
ANSWERS = {"yes": v.MARKS[v.SUPPORTED], "no": v.MARKS[v.REFUTED], "too close": v.MARKS[v.CLOSE]}


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
    shown = [_entry(claim, rows) for _, claim in found[found["document"] == document].iterrows()]
    put(template("verdicts.html").render(claims=shown, open=v.MARKS[v.UNTESTED]))


def contradictions(found: pd.DataFrame) -> None:
    """Display the questions that the documents answer differently, with the verdicts that settle each."""
    asked, found = study.asked().contradictions, found.to_dict("index")
    put(template("contradictions.html").render(asked=asked, found=found, anchor=anchor))


def anchor(claim: str) -> str:
    """Return the anchor of a claim's entry."""
    return f"claim-{claim.replace('.', '-')}"


def _entry(found: pd.Series, rows: pd.DataFrame) -> dict:
    asked = study.asked()
    claim = asked.claim(found["id"])
    said = dict(part.rsplit(": ", 1) for part in found["rows"].split("; ") if part)
    parts = [_part(part, says, rows.loc[list(said)], said, asked) for part, says in claims.readings(claim, asked)]
    checks = [study.check(name) for name in dict.fromkeys((claim.ill_posed, claim.by_arithmetic, *claim.flaws)) if name]
    texts = [claim.rule, claim.scope and f"Scope: {claim.scope}", claim.not_testable]
    texts += [claim.not_tested and f"It would take {claim.not_tested}."]
    return {
        "id": claim.id, "anchor": anchor(claim.id), "claim": claim.claim, "verdict": found["verdict"],
        "mark": found["mark"], "shade": found["verdict"].split()[0], "parts": [part for part in parts if part],
        "checks": checks, "texts": [text for text in texts if text], "link": claim.link,
        "runs": len(found["runs"].split()), "scope": f" ({found['scope']})" if found["scope"] else "",
    }  # fmt: skip


def _part(part, says: str, rows: pd.DataFrame, said: dict[str, str], asked) -> dict | None:
    """Return one question of a claim with its rows; None where it has none."""
    question, shown, invalid = asked.questions[part.question], [], {}
    for row in rows[rows["id"] == part.question].to_dict("records"):
        word, where = said[row["row"]], row["condition"] or "the whole table"
        if not claims.about(json.loads(row["key"]), part.only):
            continue
        if word == "invalid":
            invalid.setdefault(row["why"] or "not under this reading", []).append(where)
        else:
            shown.append({"mark": ANSWERS[word], "word": word, "condition": where, "number": interval(row)})
    if not shown and not invalid:
        return None
    return {"asks": question.asks, "reading": question.reading(says), "rows": shown, "invalid": invalid}
