"""The checks of the lessons: right answers written otherwise pass, wrong ones get the hint that helps."""

import math
import time
import timeit
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import optimize, stats
from torch import nn
from torch.nn import functional as F

from seqmix import accounting, classroom
from seqmix.classroom.grader import exercises
from seqmix.config import ModelConfig

# Right answers that look nothing like the model solutions --------------------------------------------------------


def halve_by_search(E, A, alpha, N):
    target = (E + A * N**-alpha) / 2
    if target <= E:
        return np.inf
    root = optimize.brentq(lambda x: E + A * math.exp(-alpha * x) - target, 0, 200)
    return np.float64(math.exp(root) / N)


def fit_by_curve(N, L):
    start = [L.min() * 0.9, (L.max() - L.min()) * N.min() ** 0.3, 0.3]
    found, _ = optimize.curve_fit(lambda n, e, a, p: e + a * n**-p, N, L, p0=start, maxfev=20_000)
    return list(found)


def seeds_by_counting(sd, effect):
    n = 2
    while 1.96 * sd * math.sqrt(2 / n) > effect:
        n += 1
    return np.int64(n)


def tuned_with_sorted(trials):
    out = {}
    for arm in trials:
        pairs = sorted(trials[arm].items())
        rates = [lr for lr, _ in pairs]
        place = int(np.nanargmin([loss for _, loss in pairs]))
        out[arm] = [rates[place], np.bool_(place in (0, len(rates) - 1))]
    return out


def binned_with_loops(losses, edges):
    means = np.zeros(len(edges) - 1)
    for j in range(len(edges) - 1):
        means[j] = np.mean([losses[s][i - 1] for s in range(len(losses)) for i in range(edges[j], edges[j + 1])])
    return means


def plateau_forward(edges, losses, delta):
    for start in range(len(losses) - 1):
        if all(x - losses[-1] < delta for x in losses[start:]):
            return float(edges[start])
    return np.inf


def delta_by_projection(S, k, v, beta):
    erase = torch.eye(len(k), dtype=S.dtype) - beta * torch.outer(k, k)
    return erase @ S + beta * k[:, None] * v[None, :]


def delta_in_numpy(S, k, v, beta):
    S, k, v = S.numpy(), k.numpy(), v.numpy()
    return S + beta * k[:, None] * (v - k @ S)


def worst_by_projection(pairs, K, V, seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(K, K)))[0]
    keys = np.concatenate([basis, rng.normal(size=(max(0, pairs - K), K))])[:pairs]
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    values, state = rng.normal(size=(pairs, V)), np.zeros((K, V))
    for k, v in zip(keys, values, strict=True):
        state += np.outer(k, v - state.T @ k)
    return np.abs(keys @ state - values).max()


def norms_with_backward(model, tokens, answer):
    x = model.embed(tokens).detach().clone().requires_grad_(True)
    logits = model.from_embeddings(x)[0, -1]
    (-torch.log_softmax(logits, 0)[answer]).backward()
    return [float(row.norm()) for row in x.grad[0]]


def spread_with_ends(k, layers):
    letters = ["D"] * layers
    for j in range(k):
        letters[j * layers // k] = "A"
    return "".join(letters)


def width_by_search(pattern, target):
    sizes = [
        accounting.parameters(ModelConfig(pattern=pattern, d_model=64, n_heads=4, mlp_width=w))["non_embedding"]
        for w in range(1, 1200)
    ]
    return 1 + int(np.abs(np.array(sizes) - target).argmin())


def luck_in_a_loop(arms, sd, rng, trials):
    tables = [sorted(rng.normal(0, sd, arms)) for _ in range(trials)]
    return np.mean([t[1] - t[0] for t in tables]), np.mean([t[-1] - t[0] for t in tables])


def best_set_with_scipy(losses):
    best = min(losses, key=lambda arm: np.mean(losses[arm]))
    gaps = {arm: np.subtract(values, losses[best]) for arm, values in losses.items()}
    return [arm for arm, gap in gaps.items() if arm == best or gap.mean() <= 2 * stats.sem(gap)]


def stopwatch_with_timeit(run, repeats, warmup):
    timeit.timeit(run, number=warmup)
    return sorted(timeit.repeat(run, number=1, repeat=repeats))[repeats // 2]


def crossover_forward(lengths, first, second):
    faster = np.array(second) < np.array(first)
    for j, length in enumerate(lengths):
        if faster[j:].all():
            return length
    return float("inf")


def change_by_rows(model, tokens, position):
    changed = torch.cat([tokens[:, :position], 31 - tokens[:, position : position + 1], tokens[:, position + 1 :]], 1)
    before, after = model(tokens).detach(), model(changed).detach()
    for t in range(tokens.shape[1]):
        if not torch.allclose(before[0, t], after[0, t], atol=1e-4):
            return t
    return None


def lstm_width_by_search(inputs, target):
    return min(range(1, 1500), key=lambda h: abs(4 * h * (inputs + h + 2) - target))


RIGHT = [
    ("scaling", "halving", {"to_halve": halve_by_search}),
    ("scaling", "offset", {"prediction": " Smaller", "apparent": lambda E, A, a, n: -stats.linregress(
        np.log(n), np.log(E + A * np.array(n) ** -a)).slope}),
    ("scaling", "fit", {"fit": fit_by_curve}),
    ("scaling", "difference", {"z": -1.077}),
    ("scaling", "difference", {"z": torch.tensor(1.0774)}),
    ("scaling", "seeds", {"seeds_needed": seeds_by_counting}),
    ("scaling", "tuned", {"tuned": tuned_with_sorted}),
    ("scaling", "flaws", {"unsupported": {"f", "d", "c", "a"}}),
    ("scaling", "flaws", {"unsupported": "A, C, D, F"}),
    ("context", "binned", {"binned": binned_with_loops}),
    ("context", "plateau", {"plateau": plateau_forward}),
    ("context", "culprit", {"culprit": lambda m, b, d: (
        "none" if m[-2] - m[-1] >= d else ("DATA", "model")[b[-2] - b[-1] >= d])}),
    ("context", "truncated", {"truncated": lambda x, y, c: [x[:, -c:].tolist(), y[:, -1:]]}),
    ("context", "leak", {"first_change": change_by_rows}),
    ("context", "fair", {"fair_pairs": lambda curves, t: {(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and 1 / (1 + t) <= a / b <= 1 + t}}),
    ("context", "flaws", {"unsupported": ["E", "D", "B", "A"]}),
    ("recall", "delta_step", {"delta_step": delta_by_projection}),
    ("recall", "delta_step", {"delta_step": delta_in_numpy}),
    ("recall", "capacity", {"exact_pairs": 16.0, "worst_error": worst_by_projection}),
    ("recall", "half_life", {"half_life": lambda b: math.log(2) / math.log1p(math.exp(-b))}),
    ("recall", "chrono", {"bias_for": lambda T: -math.log(math.expm1(1 / T))}),
    ("recall", "chrono", {"bias_for": lambda T: np.log(T)}),
    ("recall", "gradient", {"gradient_norms": norms_with_backward}),
    ("recall", "progress", {"progress": lambda loss, n: (np.log(n) - loss) / np.log(n)}),
    ("recall", "flaws", {"unsupported": ("A", "C", "D")}),
    ("hybrids", "spread", {"spread": spread_with_ends}),
    ("hybrids", "match", {"mlp_width_for": width_by_search}),
    ("hybrids", "match", {"mlp_width_for": lambda p, n: accounting.match(
        ModelConfig(pattern=p, d_model=64, n_heads=4), n)}),
    ("hybrids", "share", {"share_of": lambda name: {"transformer": 100, "deltanet": 0}.get(name[5:]) if name[0] == "f"
                          else float(name.removeprefix("hybrid_").split("_")[0])}),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 - 100 * new / old, "against_transformer": 21}),
    ("hybrids", "luck", {"luck": luck_in_a_loop}),
    ("hybrids", "best_set", {"may_be_best": best_set_with_scipy}),
    ("hybrids", "flaws", {"unsupported": "bcdf"}),
    ("speed", "stopwatch", {"stopwatch": stopwatch_with_timeit}),
    ("speed", "exponent", {"exponent": lambda n, s: stats.linregress(np.log10(n), np.log10(s)).slope}),
    ("speed", "crossover", {"crossover": crossover_forward}),
    ("speed", "state", {"outgrows": lambda a, d: next(
        t for t in range(1, 10_000) if accounting.state_bytes(a, t) > accounting.state_bytes(d, t))}),
    ("speed", "double", {"factors": {"prefill": 4.0, "decode": 2.0, "recurrent": 1.0}}),
    ("speed", "matched", {"count": lambda m: np.sum([math.prod(p.shape) for p in m.parameters()]),
                          "matched_width": lstm_width_by_search}),
    ("speed", "flaws", {"unsupported": "DCBA"}),
]  # fmt: skip


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


def told(lesson: str, exercise: str, answers: dict) -> tuple[bool, str]:
    report = classroom.grader(lesson).check(exercise, answers)
    return report.passed_all, " ".join(report.summary().split())


@pytest.mark.parametrize(("lesson", "exercise", "answers"), RIGHT)
def test_right_answers_written_otherwise_pass(lesson, exercise, answers):
    passed, text = told(lesson, exercise, answers)
    assert passed, text


@pytest.mark.parametrize(("lesson", "exercise", "answers", "fragment"), WRONG)
def test_wrong_answers_get_their_hint(lesson, exercise, answers, fragment):
    passed, text = told(lesson, exercise, answers)
    assert not passed
    assert "Not yet." in text
    assert fragment.replace(">", "›") in text


CHECKS = [
    (lesson, exercise)
    for lesson in ("scaling", "context", "recall", "hybrids", "speed")
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
    with pytest.raises(ValueError, match=r"no lesson 'scalign'.*scaling"):
        classroom.grader("scalign")
    with pytest.raises(ValueError, match=r"no check 'halve'.*halving"):
        classroom.grader("scaling").check("halve", {})


def test_the_calling_notebook_is_what_is_checked():
    namespace = {"check": classroom.grader("scaling").check, "z": 1.0774}
    assert eval("check('difference').passed_all", namespace)
