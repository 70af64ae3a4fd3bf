"""The checks of the lessons: right answers written otherwise pass, nonsense gets a hint, wrong names are refused."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from classroom_answers import (
    answers_backwards,
    best_set_with_scipy,
    binned_with_loops,
    change_by_rows,
    crossover_forward,
    delta_by_projection,
    delta_in_numpy,
    fit_by_curve,
    follow_by_lists,
    halve_by_search,
    lstm_width_by_search,
    luck_in_a_loop,
    norms_with_backward,
    plateau_forward,
    seeds_by_counting,
    spread_with_ends,
    stopwatch_with_timeit,
    told,
    tuned_with_sorted,
    unbound_by_counting,
    unmoved_by_simulation,
    width_by_search,
    worst_by_projection,
)
from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study import classroom
from seqmix_study.classroom.grader import exercises

RIGHT = [
    ("scaling", "halving", {"to_halve": halve_by_search}),
    ("scaling", "offset", {"prediction": "LARGER", "observed": " Smaller",
     "apparent": lambda E, A, a, n: -stats.linregress(np.log(n), np.log(E + A * np.array(n) ** -a)).slope}),
    ("scaling", "fit", {"fit": fit_by_curve}),
    ("scaling", "difference", {"apart": -3.09}),
    ("scaling", "difference", {"apart": torch.tensor(3.0897)}),
    ("scaling", "seeds", {"seeds_needed": seeds_by_counting}),
    ("scaling", "fit", {"fit": lambda N, a, b: (x for x in fit_by_curve(N, a, b))}),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: float("inf") if A * N**-a <= E else (
        (A * N**-a - E) / (2 * A)) ** (-1 / a) / N}),
    ("scaling", "flaws", {"unsupported": "A, D and E"}),
    ("scaling", "flaws", {"unsupported": ("a", "d", "e")}),
    ("context", "fair", {"fair_pairs": lambda curves, t: ((a, b) for f, a in curves for g, b in curves if (f, g) == (
        "LSTM", "Transformer") and abs(a - b) / min(a, b) <= t)}),
    ("context", "binned", {"binned": lambda x, e: (
        torch.tensor(x).mean(0)[a - 1 : b - 1].mean() for a, b in pairwise(e))}),
    ("speed", "flaws", {"unsupported": "A C E F"}),
    ("scaling", "tuned", {"tuned": tuned_with_sorted}),
    ("scaling", "flaws", {"unsupported": {"e", "d", "a"}}),
    ("scaling", "flaws", {"unsupported": "A, D, E"}),
    ("context", "binned", {"binned": binned_with_loops}),
    ("context", "plateau", {"plateau": plateau_forward}),
    ("context", "culprit", {"culprit": lambda m, b, d: (
        "none" if m[-2] - m[-1] >= d else ("DATA", "model")[b[-2] - b[-1] >= d])}),
    ("context", "truncated", {"truncated": lambda x, y, c: [x[:, -c:].tolist(), y[:, -1:]]}),
    ("context", "leak", {"first_change": change_by_rows}),
    ("context", "fair", {"fair_pairs": lambda curves, t: {(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and 1 / (1 + t) <= a / b <= 1 + t}}),
    ("context", "flaws", {"unsupported": ["F", "D", "C"]}),
    ("recall", "delta_step", {"delta_step": delta_by_projection}),
    ("recall", "delta_step", {"delta_step": delta_in_numpy}),
    ("recall", "capacity", {"prediction": 5, "exact_pairs": 16.0, "worst_error": worst_by_projection}),
    ("recall", "half_life", {"half_life": lambda b: math.log(2) / math.log1p(math.exp(-b))}),
    ("recall", "chrono", {"bias_for": lambda T, s: -math.log(math.expm1(-math.log(s) / T))}),
    ("recall", "chrono", {"bias_for": lambda T, s: np.log(T / np.log(1 / s))}),
    ("recall", "gradient", {"gradient_norms": norms_with_backward}),
    ("recall", "progress", {"progress": lambda loss, n, best: 1 - (loss - best) / (np.log(n) - best)}),
    ("recall", "flaws", {"unsupported": ("A", "C", "E")}),
    ("hybrids", "spread", {"spread": spread_with_ends}),
    ("hybrids", "match", {"mlp_width_for": width_by_search}),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: ModelConfig(
        pattern=p, d_model=64, n_heads=4, mlp_width=width_by_search(p, n, T))}),
    ("hybrids", "depth", {"layers_of": lambda name: float(name.removeprefix("stack_").split("_")[0]) if "_" in name
                          else 36 * (name == "teacher")}),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 - 100 * new / old, "against_transformer": 15.7}),
    ("hybrids", "luck", {"luck": luck_in_a_loop, "prediction": ("same", "same"), "observed": ["Shrinks", "grow"]}),
    ("hybrids", "best_set", {"may_be_best": best_set_with_scipy}),
    ("hybrids", "flaws", {"unsupported": "acd"}),
    ("layers", "follow", {"follow": lambda b, s: follow_by_lists(b, s)}),
    ("layers", "answers", {"answers": answers_backwards}),
    ("layers", "unmoved", {"unmoved": lambda r: 1 / 6 + 5 / 6 * 0.4**r, "prediction": 1, "observed": 0.1669}),
    ("layers", "unmoved", {"unmoved": unmoved_by_simulation, "observed": 1 / 6}),
    ("layers", "unbound", {"unbound": unbound_by_counting}),
    ("layers", "parity", {"state": lambda bits, a: a ** list(bits).count(1), "switch": -0.9999}),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: "BOTH" if x - d > max(u, m) else (
        "one" if x - d > min(u, m) else "neither")}),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) - np.mean(b), stats.sem(np.array(a) - b) * stats.t.isf(
        0.025, len(a) - 1))}),
    ("layers", "flaws", {"unsupported": ["e", "B", "c"]}),
    ("speed", "stopwatch", {"stopwatch": stopwatch_with_timeit}),
    ("speed", "exponent", {"exponent": lambda n, s: stats.linregress(np.log10(n), np.log10(s)).slope,
                           "prediction": {"short": 2, "middle": 2, "long": 2},
                           "observed": {"short": 0.03, "middle": 1.0, "long": np.float64(1.99)}}),
    ("speed", "crossover", {"crossover": crossover_forward}),
    ("speed", "state", {"outgrows": lambda a, d: next(
        t for t in range(1, 10_000) if accounting.state_bytes(a, t) > accounting.state_bytes(d, t))}),
    ("speed", "double", {"factors": {"prefill": 4.0, "decode": 2.0, "recurrent": 1.0}}),
    ("speed", "matched", {"count": lambda m: np.sum([math.prod(p.shape) for p in m.parameters()]),
                          "matched_width": lstm_width_by_search}),
    ("speed", "flaws", {"unsupported": "FECA"}),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "exercise", "answers"), RIGHT)
def test_right_answers_written_otherwise_pass(lesson, exercise, answers):
    passed, text = told(lesson, exercise, answers)
    assert passed, text


PREDICTIONS = ("grow", "larger than before", -3, None, ..., {}, {"short": "?"}, [1, 2, 3], math.nan, print)


@pytest.mark.parametrize(("lesson", "exercise", "answers"), [case for case in RIGHT if "prediction" in case[2]])
def test_a_prediction_is_never_judged(lesson, exercise, answers):
    for prediction in PREDICTIONS:
        passed, text = told(lesson, exercise, answers | {"prediction": prediction})
        assert passed, text
    passed, text = told(lesson, exercise, {name: value for name, value in answers.items() if name != "prediction"})
    assert passed, text


CHECKS = [
    (lesson, exercise)
    for lesson in ("scaling", "context", "recall", "hybrids", "speed", "layers")
    for exercise in exercises(lesson)
]


def broken(*arguments):
    raise KeyError("a name")


@pytest.mark.parametrize(("lesson", "exercise"), CHECKS)
def test_whatever_a_student_leaves_there_is_a_hint(lesson, exercise):
    names = set().union(*(answers for where, what, answers in RIGHT if (where, what) == (lesson, exercise)))
    for nonsense in (None, ..., "?", 3, [], broken, lambda *a: None, lambda *a: "text", lambda *a: [None], nn.Linear):
        passed, text = told(lesson, exercise, dict.fromkeys(names, nonsense))
        assert not passed, nonsense
        assert "Not yet." in text, (nonsense, text)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no check 'scalign/.*scaling"):
        classroom.grader("scalign").check("fit", {})
    with pytest.raises(ValueError, match=r"no check 'scaling/halve'.*halving"):
        classroom.grader("scaling").check("halve", {})


def test_the_calling_notebook_is_what_is_checked():
    namespace = {"check": classroom.grader("scaling").check, "apart": 3.0897}
    assert eval("check('difference').passed_all", namespace)
