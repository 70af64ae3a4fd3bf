"""Classes of mistakes: every slip in a formula is made, and a mistake must explain every wrong number."""

import math
import runpy

import pytest
from scipy import stats

from classroom_answers import told
from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix.paths import Paths
from seqmix_study.classroom.hints import Hint, hidden, values_are

FILE = Paths().notebooks / "lessons" / "checks" / "mistakes.py"
MISTAKES = runpy.run_path(str(FILE))
CASES = ({"a": 5.0, "b": 2.0, "c": 3.0}, {"a": 1.5, "b": 7.0, "c": 0.3})


@pytest.mark.parametrize(
    ("slip", "fragment"),
    [
        ("(b - a) / ln(c)", "wrong way round"),
        ("ln(c) / (a - b)", "upside down"),
        ("(a - b) * ln(c)", "You multiply where"),
        ("(a + b) / ln(c)", "You add where"),
        ("a - b / ln(c)", "Brackets"),
        ("(a - b) / c", "goes through a logarithm"),
        ("(a - b) / log10(c)", "natural logarithm"),
        ("a / ln(c)", "holds `b` is missing"),
        ("a - b", "holds `c` is missing"),
        ("(a - c) / ln(c)", "`c` stands in one place"),
    ],
)
def test_every_single_slip_is_known_by_its_class(slip, fragment):
    formula, named = "(a - b) / ln(c)", []
    for case in CASES:
        wrong = MISTAKES["value_of"](slip, case)
        named.append({why for value, why in MISTAKES["mutants"](formula, **case) if math.isclose(value, wrong)})
    assert any(fragment in why for why in set.intersection(*named))
    assert not any(formula in why for why in named[0])


@pytest.mark.parametrize(
    ("formula", "slip", "fragment"),
    [
        ("a**(1 / b)", "a**b", "powers"),
        ("a**-b", "a**b", "powers"),
        ("a**b", "a * b", "powers"),
        ("-a / b", "a / b", "A minus is missing"),
        ("a / (b + 1)", "a / (b + 2)", "off by one"),
    ],
)
def test_powers_signs_and_numbers_have_classes_too(formula, slip, fragment):
    wrong = MISTAKES["value_of"](slip, CASES[0])
    found = [why for value, why in MISTAKES["mutants"](formula, **CASES[0]) if math.isclose(value, wrong)]
    assert any(fragment in why for why in found)


def test_a_formula_without_a_number_is_no_slip():
    assert math.isnan(MISTAKES["value_of"]("a**b", {"a": -1.0, "b": 0.5}))
    assert math.isnan(MISTAKES["value_of"]("1 / a", {"a": 0}))
    assert all(math.isfinite(value) for value, _ in MISTAKES["mutants"]("ln(a) / a", a=1e-3))


def judged(values: list[float]) -> str:
    """What is said of values of which 10, 20 and 30 are right; doubled, or the first alone, they are known mistakes."""
    hashes = [
        [
            *hidden(x, [(2 * x, "Half.")] if x > 10 else [(20.0, "First."), (2 * x, "Half.")]),
            hidden(x, [(x / 3, "Slip.")])[1],
        ]
        for x in (10.0, 20.0, 30.0)
    ]
    with pytest.raises(Hint) as caught:
        values_are(dict(zip("abc", values, strict=True)), hashes, "Hint of {}.".format)
    return str(caught.value)


def test_a_mistake_that_explains_every_wrong_number_is_named_first():
    assert judged([20, 40, 60]).endswith("Half.")
    assert judged([20, 50, 70]).endswith("First.")  # known for the first number alone
    assert judged([10 / 3, 20 / 3, 10]).endswith("Slip.")
    assert judged([10 / 3, 20, 30]).endswith("Hint of 0.")  # one number may meet a slip by chance
    assert judged([10, 33, 44]) == "`b` is 33, which is not it. Hint of 1."


def last_of_two(E, A, alpha, sizes):
    losses = [math.log(E + A * N**-alpha) for N in sizes]
    return (losses[-2] - losses[-1]) / math.log(sizes[-1] / sizes[-2])


def doubled(E, A, alpha, N):
    factor = 1
    while E + A * (factor * N) ** -alpha > (E + A * N**-alpha) / 2:
        factor *= 2
        if factor > 1e12:
            return math.inf
    return factor


def last_that_fails(sd, effect):
    n = 2
    while stats.t.ppf(0.975, 2 * n - 2) * sd * math.sqrt(2 / n) > effect:
        n += 1
    return n - 1


def work(pattern, width, length):
    config = ModelConfig(pattern=pattern, d_model=64, n_heads=4, mlp_width=width)
    return accounting.train_flops_per_token(config, length)


def nearest(pattern, target, length):
    return min(range(1, 1500), key=lambda width: abs(work(pattern, width, length) - target))


def one_bias(inputs, target):
    return next(h for h in range(1, 3000) if 4 * h * (inputs + h) + 4 * h >= target)


@pytest.mark.parametrize(
    ("lesson", "exercise", "answers", "fragment"),
    [
        ("recall", "progress", {"progress": lambda loss, c, best: math.log(c) - loss / math.log(c) - best}, "Brackets"),
        ("recall", "half_life", {"half_life": lambda b: math.log(2) / b}, "the rate of a decay"),
        ("recall", "half_life", {"half_life": lambda b: math.log(2) * (1 + math.exp(b))}, "what is *left*"),
        ("scaling", "halving", {"to_halve": doubled}, "whole steps only"),
        ("scaling", "offset", {"apparent": last_of_two, "observed": "smaller"}, "between two neighbours"),
        ("scaling", "seeds", {"seeds_needed": last_that_fails}, "last n that does not suffice"),
        ("speed", "state", {"outgrows": lambda one, _: one.d_model // one.n_heads + 1}, "a key *and* a value"),
        ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters()),
                              "matched_width": one_bias}, "both vectors of biases"),
        ("hybrids", "match", {"mlp_width_for": lambda p, t, _: nearest(p, t, 128)}, "`length` changes nothing"),
        ("hybrids", "match", {"mlp_width_for": lambda p, t, n: round(100 * t / work(p, 100, n))}, "twice the width"),
        ("layers", "unmoved", {"unmoved": lambda r: 0.5**r + (1 - 0.5**r) / 6, "observed": 1 / 6}, "never to its own"),
    ],
)  # fmt: skip
def test_classes_of_mistakes_are_named(lesson, exercise, answers, fragment):
    passed, text = told(lesson, exercise, answers)
    assert not passed
    assert fragment in text
