"""Answers in further styles, right and wrong, asked of the checks as taught and of the checks as students get them."""

import ast
import builtins
import decimal
import functools
import importlib
import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from classroom_answers import (
    fit_by_curve,
    lstm_width_by_search,
    luck_in_a_loop,
    norms_with_backward,
    told,
    unbound_by_counting,
)
from seqmix.paths import Paths
from seqmix_study.classroom import lesson as source

grader = importlib.import_module("seqmix_study.classroom.grader")  # the package has a class of that name
CHECKS = Paths().notebooks / "lessons" / "checks"


def steepness(E, A, alpha, sizes):
    x, y = pd.Series(np.log2(sizes)), pd.Series(np.log2(E + A * np.asarray(sizes) ** -alpha))
    return abs(x.cov(y) / x.var())


def binned_by_pandas(losses, edges):
    long = pd.DataFrame(losses, columns=range(1, losses.shape[1] + 1)).melt()
    return long.groupby(pd.cut(long["variable"].astype(int), edges, right=False), observed=False)["value"].mean()


def delta_by_loops(S, k, v, beta):
    read = [sum(S[i, j] * k[i] for i in range(len(k))) for j in range(len(v))]
    by = [beta * k[i] / sum(x * x for x in k) for i in range(len(k))]
    return [[float(S[i, j] + by[i] * (v[j] - read[j])) for j in range(len(v))] for i in range(len(k))]


def best_by_pandas(losses):
    table = pd.DataFrame(losses)
    gaps = table.sub(table[table.mean().idxmin()], axis=0)
    return gaps.columns[gaps.mean() <= stats.t.ppf(0.975, len(table) - 1) * gaps.sem()]


def answered(scene):
    where = {}
    for word, *rest in scene:
        if word == "put":
            where[rest[0]] = rest[1]
        elif word == "swap":
            where = {key: {rest[0]: rest[1], rest[1]: rest[0]}.get(box, box) for key, box in where.items()}
        else:
            yield where[rest[0]]


def tuned_by_pandas(trials):
    table = pd.DataFrame(trials)
    return {arm: (c.idxmin(), c.idxmin() in (c.index.min(), c.index.max())) for arm, c in table.items()}


def seeds(sd, effect, q=0.975, degrees=lambda n: 2 * n - 2, whole=1):
    widths = ((n, whole * stats.t.ppf(q, degrees(n)) * sd * math.sqrt(2 / n)) for n in itertools.count(2))
    return next(float(n) for n, width in widths if width <= effect)


def pairs(curves, tolerance):
    sides = ([size for family, size in curves if family[0] == letter] for letter in "LT")
    return [pair for pair in itertools.product(*sides) if max(pair) <= (1 + tolerance) * min(pair)]


def interval(before, after):
    found = stats.ttest_rel(after, before).confidence_interval(0.95)
    return found.low, found.high


def line(n, s):
    return np.polyfit(np.log(n), np.log(s), 1)[0]


LETTERED = ("context", "hybrids", "layers", "recall", "scaling", "speed")
LUCK = {"luck": luck_in_a_loop, "prediction": ("grow", "grow")}
SLOPES = {"prediction": {"short": 0, "middle": 1, "long": 2}, "observed": {"short": 0, "middle": 1, "long": 2}}

RIGHT = [
    ("scaling", "offset", {"prediction": "'larger'", "observed": "Smaller.", "apparent": steepness}),
    ("scaling", "offset", {"prediction": "same", "observed": "smaller", "apparent":
     lambda E, A, a, n: round(steepness(E, A, a, n), 3)}),
    ("scaling", "fit", {"fit": lambda *given: pd.Series(fit_by_curve(*given), index=["E1", "E2", "alpha"])}),
    ("scaling", "difference", {"apart": 3.1}),
    ("scaling", "difference", {"apart": decimal.Decimal("3.09")}),
    ("scaling", "difference", {"apart": np.array([3.0897])}),
    ("scaling", "seeds", {"seeds_needed": seeds}),
    ("scaling", "tuned", {"tuned": tuned_by_pandas}),
    ("scaling", "flaws", {"unsupported": ["A, D", "or E"]}),
    ("scaling", "flaws", {"unsupported": pd.Series(list("ade"))}),
    ("context", "binned", {"binned": binned_by_pandas}),
    ("context", "binned", {"binned": lambda x, e: np.round(binned_by_pandas(x, e), 2)}),
    ("context", "fair", {"fair_pairs": pairs}),
    ("context", "truncated", {"truncated": lambda x, y, n: (pd.DataFrame(x).iloc[:, -n:], pd.Series(y[:, -1]))}),
    ("recall", "delta_step", {"delta_step": delta_by_loops}),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: (
        S + b * torch.outer(k, v - S.T @ k) / k.dot(k)).float()}),
    ("recall", "half_life", {"half_life": lambda b: round(-1 / np.log2(stats.logistic.cdf(b)), 2)}),
    ("recall", "progress", {"progress": lambda loss, n, best: round((math.log(n) - loss) / (math.log(n) - best), 3)}),
    ("hybrids", "lower", {"lower_by": lambda new, old: Fraction(old - new) / Fraction(old) * 100,
                          "against_transformer": 15.7}),
    ("hybrids", "luck", LUCK | {"observed": ("it shrinks", "it grows")}),
    ("hybrids", "best_set", {"may_be_best": best_by_pandas}),
    ("speed", "double", {"factors": pd.Series({"prefill": 4, "decode": 8000 / 4000, "recurrent": 1})}),
    ("speed", "matched", {"matched_width": lstm_width_by_search, "count": lambda m: sum(
        functools.reduce(int.__mul__, p.shape, 1) for _, p in m.named_parameters())}),
    ("layers", "answers", {"answers": answered}),
    ("layers", "unmoved", {"unmoved": lambda s: np.linalg.matrix_power(np.full((6, 6), 0.1) + 0.4 * np.eye(6), s)[0, 0],
                           "prediction": 0, "observed": Fraction(1, 6)}),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(interval(b, a)), np.ptp(interval(b, a)) / 2)}),
]  # fmt: skip

WRONG = [
    ("scaling", "offset", {"prediction": "same", "observed": "it does not grow smaller", "apparent": steepness},
     '"larger" or "same"'),
    ("scaling", "offset", {"prediction": "same", "observed": "smaller", "apparent":
     lambda E, A, a, n: -np.polyfit(np.log10(n), np.log(E + A * np.array(n) ** -a), 1)[0]}, "Two bases"),
    ("scaling", "offset", {"prediction": "same", "observed": "smaller", "apparent":
     lambda E, A, a, n: -np.polyfit(np.log(n), E + A * np.array(n) ** -a, 1)[0]}, "logarithm of *both*"),
    ("scaling", "offset", {"prediction": "same", "observed": "smaller", "apparent":
     lambda E, A, a, n: math.log((E + A * n[0] ** -a) / (E + A * n[-1] ** -a)) / math.log(n[-1] / n[0])}, "Two points"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: (E + A * N**-a) / 2}, "That is half the loss"),
    ("scaling", "difference", {"apart": "1.08"}, "should be a number"),
    ("scaling", "difference", {"apart": 1.2}, "By which error"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: seeds(sd, e, degrees=lambda n: n - 1)}, "2n - 2 degrees"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: seeds(sd, e, whole=2)}, "*half*-width"),
    ("context", "binned", {"binned": lambda x, e: binned_by_pandas(x[:1], e)}, "first sequence alone"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b - 1].mean(0) for a, b in itertools.pairwise(e)]},
     "one number for each bin"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: (1 - b) * S + b * torch.outer(k, v)}, "state fades"),
    ("recall", "half_life", {"half_life": lambda b: math.log10(0.5) / math.log(stats.logistic.cdf(b))}, "Two bases"),
    ("recall", "half_life", {"half_life": lambda b: int(-1 / np.log2(stats.logistic.cdf(b)))}, "Do not round"),
    ("recall", "gradient", {"gradient_norms": lambda *a: norms_with_backward(*a)[::-1]}, "The order"),
    ("recall", "gradient", {"gradient_norms": lambda *a: np.divide(norms_with_backward(*a), max(
        norms_with_backward(*a)))}, "by the largest"),
    ("recall", "progress", {"progress": lambda loss, n, best: (math.log(n) - loss) / loss}, "by the loss"),
    ("hybrids", "lower", {"lower_by": lambda new, old: old - new, "against_transformer": 15.7}, "difference in nats"),
    ("hybrids", "luck", LUCK | {"luck": lambda n, sd, rng, trials: luck_in_a_loop(n, sd**0.5, rng, trials),
                                "observed": ("shrink", "grow")}, "a variance"),
    ("speed", "exponent", SLOPES | {"exponent": lambda n, s: round(line(n, s))}, "Do not round"),
    ("speed", "exponent", SLOPES | {"exponent": lambda n, s: line(n, s) * math.log(10)}, "Two bases"),
    ("speed", "matched", {"count": lambda m: sum(len(p) for p in m.parameters()),
                          "matched_width": lstm_width_by_search}, "rows times columns"),
    ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters()), "matched_width":
     lambda i, n: int((math.sqrt(i * i + 4 * n) - i) / 2)}, "four gates"),
    ("layers", "unbound", {"unbound": lambda keys, sizes, rng, trials: unbound_by_counting(keys, sizes, rng, trials)
                            * keys / len(sizes)}, "not by the boxes"),
    ("layers", "parity", {"state": lambda bits, a: math.prod(a for bit in bits if bit), "switch": -0.999}, "fade"),
    ("layers", "gain", {"gain": interval}, "lower end of the interval"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) / np.mean(b) - 1, 0.1)}, "divide by the mean before"),
]  # fmt: skip


@pytest.fixture(scope="module")
def handed_out():
    """Every check as students get it."""
    return {
        f"{path.parent.name}/{path.stem}": grader.handed_out(path.read_text("utf-8")) for path in CHECKS.glob("*/*.py")
    }


@pytest.fixture(params=["taught", "handed out"])
def ask(request, monkeypatch, handed_out):
    if request.param == "handed out":
        monkeypatch.setattr(grader, "_checks", lambda: handed_out)
    return told


@pytest.mark.parametrize(("lesson", "exercise", "answers"), RIGHT)
def test_right_answers_in_further_styles_pass(ask, lesson, exercise, answers):
    passed, text = ask(lesson, exercise, answers)
    assert passed, text


@pytest.mark.parametrize(("lesson", "exercise", "answers", "fragment"), WRONG)
def test_typical_mistakes_are_named(ask, lesson, exercise, answers, fragment):
    passed, text = ask(lesson, exercise, answers)
    assert not passed
    assert fragment in text


def test_what_is_handed_out_holds_values_and_no_way_to_them(handed_out):
    assert len(handed_out) > 40
    marked = 0
    for path in CHECKS.glob("*/*.py"):
        given, taught = handed_out[f"{path.parent.name}/{path.stem}"], path.read_text("utf-8")
        assert "@withheld" not in given
        open_part = re.sub(r"^@withheld\ndef \w+\(\):\n(?:(?:    .*)?\n)+", "", taught, flags=re.M)
        lines, public, got = ({line.strip() for line in text.splitlines()} for text in (taught, open_part, given))
        marked += taught.count("@withheld")
        assert not {line for line in lines - public if "(" in line or "=" in line} & got, path
    assert marked > 25


def test_what_makes_mistakes_stays_with_the_teacher(handed_out):
    made = {line.strip() for line in (CHECKS / "mistakes.py").read_text("utf-8").splitlines() if "(" in line}
    assert len(made) > 50
    assert all(not made & {line.strip() for line in text.splitlines()} for text in handed_out.values())
    assert not any("mistakes" in name or "teachers(" in text for name, text in handed_out.items())


def called(code: str) -> set[str]:
    """Return the names of all functions that code calls, without those of the language."""
    calls = [node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls} - set(
        dir(builtins)
    )


PLAIN = {"append", "arange", "clone", "detach", "items", "tensor"}
GIVEN = {"hybrids/match": {"ModelConfig", "train_flops_per_token"}, "speed/state": {"state_bytes"}}
"""What the text of an exercise names itself, and asks of what is returned."""


def test_a_check_that_is_handed_out_computes_nothing_as_a_solution_does(handed_out):
    seen = 0
    for name in source.names(Paths()):
        exercise = ""
        for cell in source.load(name, Paths()).notebook.cells:
            if match := source.EXERCISE.search(cell.source):
                exercise = match["label"].replace("-", "/")
            if "solution" in cell.metadata.get("tags", []):
                bodies = re.findall(r"# BEGIN SOLUTION\n(.*?)# END SOLUTION", cell.source, re.S)
                lines = re.findall(r"^(.*)# SOLUTION$", cell.source, re.M)
                own = set().union(*(called(f"if 1:\n{body}") for body in bodies), *(called(line) for line in lines))
                assert own & called(handed_out[exercise]) <= PLAIN | GIVEN.get(exercise, set()), exercise
                seen += bool(own)
    assert seen > 20


def test_no_number_of_a_made_up_report_stands_in_an_installed_file():
    installed = (Paths().root / "src" / "seqmix_study" / "findings").glob("documents*.*")
    known = {n for path in installed for n in re.findall(r"\d[\d_]*\.?\d*", path.read_text("utf-8").replace("_", ""))}
    assert {"0.344289", "117504", "4.055"} <= known
    numbers = set()
    for lesson, exercise in [("scaling", "difference"), ("hybrids", "lower"), *((n, "flaws") for n in LETTERED)]:
        body = source.load(lesson, Paths()).exercise(exercise)[2].replace(",", "")
        numbers |= set(re.findall(r"\d+\.\d\d+|\d{4,}", body))
        assert "ounding document" not in body
    assert len(numbers) > 25
    assert numbers & known == set()


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ("scaling/difference", r"3\.0[89]"),
        ("scaling/offset", r'"smaller"(?!, "larger")'),
        ("recall/capacity", r"\b16\b"),
        ("hybrids/lower", r"15\.[67]"),
        ("hybrids/luck", r"shrink\W+grow"),
        ("speed/double", r"\b[24]\.?0?, "),
        ("speed/exponent", r"(short|middle|long)\W+[012]"),
        ("layers/unmoved", r"0\.1[67]|1 / 6"),
        ("layers/parity", r"switch\W+-1"),
    ],
)
def test_a_check_that_is_handed_out_holds_no_answer_in_clear(handed_out, check, answer):
    assert re.search(answer, handed_out[check]) is None
    assert check in ("layers/parity", "scaling/offset") or re.search(r"[0-9a-f]{16}", handed_out[check])


def test_checks_hold_no_line_and_no_letters_of_a_solution(handed_out):
    for name in source.names(Paths()):
        lesson = source.load(name, Paths())
        secret = {line for line in lesson.solution_lines() if len(line) > 24}
        for check, text in handed_out.items():
            assert secret & {line.strip() for line in text.splitlines()} == set(), check
        letters = re.search(r'unsupported = "([A-F]+)"  # SOLUTION', lesson.path.read_text("utf-8"))[1]
        assert f'"{letters}"' not in handed_out[f"{name}/flaws"]
        installed = (Paths().root / "src").rglob("*.py")
        assert [path for path in installed if f'"{letters}"' in path.read_text("utf-8")] == []
