"""The checks of the lessons: wrong answers get the hint that helps."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from classroom_answers import (
    fit_by_curve,
    halve_by_search,
    lstm_width_by_search,
    luck_in_a_loop,
    plateau_forward,
    seeds_by_counting,
    stopwatch_with_timeit,
    told,
    worst_by_projection,
)
from seqmix import accounting


def sleepy_mean(run, repeats, warmup):
    for _ in range(warmup):
        run()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats


def in_place(S, k, v, beta):
    S += beta * torch.outer(k, v - S.T @ k)
    return S


def every_position(model, tokens, answer):
    x = model.embed(tokens).detach().requires_grad_()
    loss = F.cross_entropy(model.from_embeddings(x)[0], torch.full((tokens.shape[1],), answer))
    return torch.autograd.grad(loss, x)[0][0].norm(dim=-1)


def unpaired(losses):
    best = min(losses, key=lambda arm: np.mean(losses[arm]))
    return {arm for arm in losses if np.mean(losses[arm]) - np.mean(losses[best])
            <= 2 * math.hypot(stats.sem(losses[arm]), stats.sem(losses[best]))}  # fmt: skip


def greedy_share(name):
    for share in (8, 17, 25, 33, 42, 50, 58, 67, 75, 83, 92):
        if f"hybrid_{share}" in name:
            return share
    return 100 if name == "full_transformer" else 0


WRONG = [
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: 2 ** (1 / a)}, "halves only the part above the floor"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: ((E + A * N**-a) / 2 - E) ** (-1 / a) * A ** (1 / a)},
     "divided by N"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: (((E + A * N**-a) / 2 - E) / A) ** (-1 / a) / N},
     "complex number"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: abs((abs((E + A * N**-a) / 2 - E) / A) ** (-1 / a) / N)},
     "return math.inf"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: None if E > 1.9 else halve_by_search(E, A, a, N)},
     "Where no size does it, return math.inf"),
    ("scaling", "offset", {"prediction": "larger", "apparent": lambda E, A, a, n: a}, "E included"),
    ("scaling", "offset", {"prediction": "yes", "apparent": None}, '"smaller", "larger" or "same"'),
    ("scaling", "fit", {"fit": lambda N, L: (0, 1, -np.polyfit(np.log(N), np.log(L), 1)[0])}, "no floor"),
    ("scaling", "fit", {"fit": lambda N, L: fit_by_curve(N, L)[::-1]}, "another order"),
    ("scaling", "fit", {"fit": lambda N, L: 0.4}, "three numbers"),
    ("scaling", "difference", {"z": 0.8799}, "squares"),
    ("scaling", "difference", {"z": 0.2419}, "mind the sign"),
    ("scaling", "difference", {"z": 0.887879}, "divide it by the standard error"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: max(2, math.ceil((1.96 * sd / e) ** 2))}, "Both arms vary"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: 2 * (1.96 * sd / e) ** 2}, "Round up"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: seeds_by_counting(sd, e) + 1}, "a smaller n"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: (min(x, key=x.get), False) for arm, x in t.items()}}, "edge"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: (min(x.values()), False) for arm, x in t.items()}}, "not the loss"),
    ("scaling", "flaws", {"unsupported": "ABCDEF"}, "B does not belong"),
    ("scaling", "flaws", {"unsupported": "ACF"}, "is that above the floor"),
    ("scaling", "flaws", {"unsupported": "ACDFX"}, "the statements are A, B, C"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a:b].mean() for a, b in pairwise(e)]}, "one off"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b - 1].sum() for a, b in pairwise(e)]}, "sums"),
    ("context", "plateau", {"plateau": lambda e, x, d: next(
        (e[j] for j in range(len(x) - 1) if x[j] - x[j + 1] < d), math.inf)}, "falls again"),
    ("context", "plateau", {"plateau": lambda e, x, d: e[next(j for j in range(len(x)) if x[j] - x[-1] < d)]},
     "proves nothing"),
    ("context", "plateau", {"plateau": lambda *a: None if plateau_forward(*a) == np.inf else plateau_forward(*a)},
     "nothing was seen to be flat, return math.inf"),
    ("context", "culprit", {"culprit": lambda m, b, d: "none" if m[-2] - m[-1] >= d else (
        "model" if m[-1] - b[-1] > d else "data")}, "is another question"),
    ("context", "truncated", {"truncated": lambda x, y, c: (x[:, :c], y[:, c - 1])}, "*last* tokens stay visible"),
    ("context", "truncated", {"truncated": lambda x, y, c: (x[:, -c:], y[:, -c:])}, "one target a sequence"),
    ("context", "truncated", {"truncated": lambda x, y, c: (x[:, -c:], x[:, -1])}, "the token after it"),
    ("context", "leak", {"first_change": lambda model, tokens, position: position}, "looks ahead"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and b <= (1 + t) * a]}, "does not belong"),
    ("context", "flaws", {"unsupported": "ABE"}, "the larger model"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v)}, "only adds"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(v - S.T @ k, k)}, "transposed"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + torch.outer(k, v - S.T @ k)}, "beta is missing"),
    ("recall", "delta_step", {"delta_step": in_place}, "in place"),
    ("recall", "capacity", {"exact_pairs": 64, "worst_error": worst_by_projection}, "how many numbers the state has"),
    ("recall", "capacity", {"exact_pairs": 4, "worst_error": worst_by_projection}, "width of a value"),
    ("recall", "half_life", {"half_life": lambda b: math.log(0.5) / math.log(1 - 1 / (1 + math.exp(-b)))}, "*kept*"),
    ("recall", "half_life", {"half_life": lambda b: -1 / math.log(1 / (1 + math.exp(-b)))}, "1/e"),
    ("recall", "chrono", {"bias_for": lambda T: 1 - 1 / T}, "invert the sigmoid"),
    ("recall", "chrono", {"bias_for": lambda T: 1.0}, "raise the bias"),
    ("recall", "gradient", {"gradient_norms": every_position}, "only the last position"),
    ("recall", "progress", {"progress": lambda loss, n: 1 - loss / math.log2(n)}, "nats"),
    ("recall", "progress", {"progress": lambda loss, n: max(0, 1 - loss / math.log(n))}, "do not clip"),
    ("recall", "flaws", {"unsupported": "ABCD"}, "one LSTM, one rate, 500 steps"),
    ("hybrids", "spread", {"spread": lambda k, n: "A" * k + "D" * (n - k)}, "hold no A"),
    ("hybrids", "spread", {"spread": lambda k, n: "".join(
        "A" if j in np.linspace(0, n - 1, k).round() else "D" for j in range(n))}, "too wide a hole"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n: round(n / (3 * 64))}, "non-embedding"),
    ("hybrids", "share", {"share_of": greedy_share}, "the very bug"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 * (old - new) / new, "against_transformer": 26.9},
     "divide by the new loss"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 - 100 * new / old, "against_transformer": 26.9}, "*higher*"),
    ("hybrids", "luck", {"luck": lambda n, sd, rng, trials: luck_in_a_loop(n, 1.0, rng, trials)}, "shrink with sd"),
    ("hybrids", "luck", {"luck": lambda *a: luck_in_a_loop(*a)[::-1]}, "exchanged"),
    ("hybrids", "best_set", {"may_be_best": unpaired}, "seed by seed"),
    ("hybrids", "flaws", {"unsupported": "BDF"}, "ranks third"),
    ("speed", "stopwatch", {"stopwatch": sleepy_mean}, "median"),
    ("speed", "stopwatch", {"stopwatch": lambda run, n, warmup: stopwatch_with_timeit(run, n, 0)}, "times, not"),
    ("speed", "exponent", {"exponent": lambda n, s: np.polyfit(n, s, 1)[0]}, "logarithm of both"),
    ("speed", "exponent", {"exponent": lambda n, s: np.polyfit(np.log(s), np.log(n), 1)[0]}, "1/p"),
    ("speed", "crossover", {"crossover": lambda n, a, b: next(
        (x for x, p, q in zip(n, a, b, strict=True) if q < p), math.inf)}, "from which length *on*"),
    ("speed", "state", {"outgrows": lambda a, d: next(
        t for t in range(1, 10_000) if accounting.state_bytes(a, t) >= accounting.state_bytes(d, t))}, "equal"),
    ("speed", "double", {"factors": {"prefill": 4, "decode": 4, "recurrent": 1}}, "That is the whole pass"),
    ("speed", "double", {"factors": {"prefill": 4, "decode": 2}}, "no entry 'recurrent'"),
    ("speed", "matched", {"count": lambda m: len(list(m.parameters())), "matched_width": lstm_width_by_search},
     "number of tensors"),
    ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters() if p.requires_grad),
                          "matched_width": lambda i, n: int((math.sqrt(i * i + n) - i) / 2)}, "frozen"),
    ("speed", "flaws", {"unsupported": "ABCDE"}, "Count the pairs"),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "exercise", "answers", "fragment"), WRONG)
def test_wrong_answers_get_their_hint(lesson, exercise, answers, fragment):
    passed, text = told(lesson, exercise, answers)
    assert not passed
    assert "Not yet." in text
    assert fragment.replace(">", "›") in text
