"""What the pictures and traces of the chapter that looks inside show, in words computed from them."""

import pandas as pd

from seqmix_study.chapters.common import listing, several, span
from seqmix_study.chapters.gates import by_class, gate_name
from seqmix_study.chapters.inside import METHODS, contrast
from seqmix_study.chapters.looking import models, once
from seqmix_study.chapters.marks import label
from seqmix_study.chapters.style import order
from seqmix_study.chapters.words.inside import difference, most_often

__all__ = ["gates", "one_picture", "picture", "sources"]

NONE = "There are no traces: neither the weights of these models nor published traces are on this machine."


def _points(run: dict, question: dict) -> dict[str, bool]:
    """Return for each method whether its first highlight on the question lies on the true source."""
    source = (question["stated"] - 1, question["stated"])
    scores = run["highlights"].items()
    return {method: max(range(len(row)), key=row.__getitem__) in source for method, row in scores}


def picture(traces: dict) -> list[str]:
    """Say which methods point at the source in the picture, and in how many of the other models they would."""
    if not traces:
        return [NONE]
    question, lines = traces["question"], []
    for run in models(traces):
        found = _points(run, question)
        right = [METHODS[method] for method in METHODS if found.get(method)]
        said = listing(right) if right else "no method"
        answered = "rightly" if run["right"] else "wrongly"
        lines.append(f"{label(run['arm'])} (answered {answered}): {said} {_verb(right)} at the source.")
        others = [r for r in traces["runs"] if r["arm"] == run["arm"] and r["run_id"] != run["run_id"]]
        same = [r for r in others if _points(r, question) == found]
        if others:
            lines.append(
                f"{label(run['arm'])}: of {several(len(others), 'more model')} with another seed, "
                f"{len(same)} would give the same list for the same question."
            )
    return lines


def _verb(subjects: list[str]) -> str:
    return "point" if len(subjects) > 1 else "points"


def gates(traces: dict) -> list[str]:
    """Say for every gate whether it opens further at facts than at the tokens of global sentences."""
    each = by_class(traces)
    if not traces:
        return [NONE]
    if not len(each):
        return ["No architecture of this execution has gates."]
    lines = [f"Gates were read along {traces['documents']} held-out documents a model."]
    for arm in order(each["arm"]):
        here = each[each["arm"] == arm]
        for (layer, gate), cell in here.groupby(["layer", "gate"]):
            wide = cell.pivot_table(index="seed", columns="class", values="mean")
            for kind in ("key", "value"):
                text = f"{label(arm)}, {gate_name(gate, layer)}, opening at a {kind} minus at filler"
                lines.append(difference(_minus(wide, kind, "filler"), text))
    return [line for line in lines if line]


def _minus(wide: pd.DataFrame, first: str, second: str) -> pd.Series:
    return (wide[first] - wide[second]).dropna() if {first, second} <= set(wide) else pd.Series(dtype=float)


def sources(traces: dict) -> list[str]:
    """Say which method finds the only source most often, and whether a head does as well as occlusion."""
    each = once(traces)
    if not traces:
        return [NONE]
    asked = [run["once"] for run in traces["runs"]]
    lines = [
        f"Questions a model for facts that were stated once: {span([row['questions'] for row in asked])}; answered "
        f"rightly: {span([row['answered'] for row in asked])}."
    ]
    for arm in order(each["arm"]):
        cell = each[each["arm"] == arm]
        lines.append(most_often(cell, "found", "questions that were answered rightly")[1])
        heads = cell[cell["method"] == "attention_best_head"]["found"]
        if len(heads) > 1:
            low, high = f"{heads.min():.2f}", f"{heads.max():.2f}"
            ends = f"{low} to {high}" if low != high else f"{low} with each of {several(len(heads), 'seed')}"
            lines.append(f"{label(arm)}, share of them that the best head finds, by seed: {ends}.")
        text = f"{label(arm)}, best attention head minus occlusion"
        lines.append(difference(contrast(each, arm, "attention_best_head", "occlusion", "found"), text))
    return [line for line in lines if line]


def one_picture(traces: dict) -> list[str]:
    """Say what a picture is worth."""
    if not traces:
        return [NONE]
    question = traces["question"]
    return [
        f"A picture shows one model of each architecture (of {several(len(traces['runs']), 'model')} in all) and one "
        f"question: the first held-out one that asks, at its end, for a fact stated once and long before "
        f"({question['position'] - question['stated'] + 1} tokens). The rule depends on no model. A picture is an "
        "illustration and proves nothing: the measurements decide."
    ]
