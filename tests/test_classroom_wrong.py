"""The checks of the lessons: wrong answers get the hint that helps."""

import math
import re
import time
import timeit
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from classroom_answers import (
    answers_backwards,
    fit_by_curve,
    follow_by_lists,
    halve_by_search,
    lstm_width_by_search,
    luck_in_a_loop,
    plateau_forward,
    seeds_by_counting,
    stopwatch_with_timeit,
    told,
    unbound_by_counting,
    width_by_search,
    worst_by_projection,
)
from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study.findings.fits import fit_power


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


def any_change(model, tokens, position):
    other = tokens.clone()
    other[0, position] = (tokens[0, position] + 1) % 32
    changed = (model(other) != model(tokens)).any(-1)[0].nonzero()
    return int(changed[0]) if len(changed) else None


def norms_of(score):
    def gradient_norms(model, tokens, answer, rival):
        x = model.embed(tokens).detach().requires_grad_()
        return torch.autograd.grad(score(model.from_embeddings(x), answer, rival), x)[0][0].norm(dim=-1)

    return gradient_norms


def unpaired(losses):
    best = min(losses, key=lambda arm: np.mean(losses[arm]))
    return {arm for arm in losses if np.mean(losses[arm]) - np.mean(losses[best])
            <= 2 * math.hypot(stats.sem(losses[arm]), stats.sem(losses[best]))}  # fmt: skip


def best_with(losses, factor):
    best = min(losses, key=lambda arm: np.mean(losses[arm]))
    gaps = {arm: np.subtract(values, losses[best]) for arm, values in losses.items()}
    return {arm for arm, gap in gaps.items() if arm == best or gap.mean() <= factor(len(gap)) * stats.sem(gap)}


def greedy_depth(name):
    for layers in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48):
        if f"stack_{layers}" in name:
            return layers
    return 36 if name == "teacher" else 0


def alone(N, first, second, choose):
    """Two calls of the package's own fit, of one law each, for an exponent that both share."""
    one, two = (fit_power(N, losses, seeds=np.zeros(len(N))).estimates for losses in (first, second))
    return one["E"], two["E"], choose(one["alpha"], two["alpha"])


def BACK(rounds):
    return 1 / 6 + 5 / 6 * 0.4**rounds


SAW = {"prediction": ("grow", "grow"), "observed": ("shrink", "grow")}
SLOPES = {part: {"short": 0, "middle": 1, "long": 2} for part in ("prediction", "observed")}
LINE = {"exponent": lambda n, s: stats.linregress(np.log(n), np.log(s)).slope}

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
    ("scaling", "offset", {"prediction": "larger", "observed": "smaller", "apparent": lambda E, A, a, n: a},
     "E included"),
    ("scaling", "offset", {"observed": "yes", "apparent": lambda E, A, a, n: a}, '"larger" or "same"'),
    ("scaling", "fit", {"fit": lambda N, a, b: (0, 1, -np.polyfit(np.log(N), np.log(a), 1)[0])}, "no floor"),
    ("scaling", "fit", {"fit": lambda N, a, b: fit_by_curve(N, a, b)[::-1]}, "another order"),
    ("scaling", "fit", {"fit": lambda N, a, b: 0.4}, "3 numbers: E1, E2, alpha"),
    ("scaling", "fit", {"fit": lambda N, a, b: fit_by_curve(N, a, a)}, "E2="),
    ("scaling", "fit", {"fit": lambda N, a, b: alone(N, a, b, lambda one, two: one)}, "that of one"),
    ("scaling", "fit", {"fit": lambda N, a, b: alone(N, a, b, lambda one, two: (one + two) / 2)}, "their mean"),
    ("scaling", "difference", {"apart": 2.211}, "squares"),
    ("scaling", "difference", {"apart": 7.474}, "the sum of the estimates"),
    ("scaling", "difference", {"apart": 0.241}, "divide it by the standard error"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: max(2, math.ceil((1.96 * sd / e) ** 2))}, "Both arms vary"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: max(2, math.ceil(2 * (1.96 * sd / e) ** 2))}, "fixed 1.96"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: next(n for n in range(2, 9999) if stats.t.ppf(
        0.95, 2 * n - 2) * sd * (2 / n) ** 0.5 <= e)}, "one side"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: 2 * (1.96 * sd / e) ** 2}, "Round up"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: seeds_by_counting(sd, e) + 1}, "a smaller n"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: (min(x, key=x.get), False) for arm, x in t.items()}}, "edge"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: (min(x.values()), False) for arm, x in t.items()}}, "not the loss"),
    ("scaling", "flaws", {"unsupported": "ABCDE"}, "Among A, B and C"),
    ("scaling", "flaws", {"unsupported": "ACDE"}, "half of the best loss"),
    ("scaling", "flaws", {"unsupported": "ADEX"}, "the statements are A, B, C"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a:b].mean() for a, b in pairwise(e)]}, "one off"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b - 1].sum() for a, b in pairwise(e)]}, "sums"),
    ("context", "plateau", {"plateau": lambda e, x, d: next(
        (e[j] for j in range(len(x) - 1) if x[j] - x[j + 1] < d), math.inf)}, "falls again"),
    ("context", "plateau", {"plateau": lambda e, x, d: next(
        (e[j] for j in range(len(x) - 1) if abs(x[j] - x[-1]) <= d), math.inf)}, "rises again"),
    ("hybrids", "depth", {"layers_of": lambda arm: 36 * (arm == "teacher") or next(
        (n for n in (48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1) if f"stack_{n}" in arm), 0)}, "a part of another"),
    ("hybrids", "depth", {"layers_of": lambda arm: 36 * (arm == "teacher") + sum(
        int(part) for part in re.findall(r"\d+", arm))}, "Which of its parts"),
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
    ("context", "flaws", {"unsupported": "CF"}, "Which sizes does it compare"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v)}, "only adds"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(v - S.T @ k, k) / (k @ k)},
     "transposed"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + torch.outer(k, v - S.T @ k) / (k @ k)},
     "beta is missing"),
    ("recall", "delta_step", {"delta_step": in_place}, "in place"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.T @ k)}, "twice as long"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.T @ k) / k.norm()},
     "all of its length"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(F.normalize(k, dim=0), v - S.T @ (
        k / k.norm()))}, "under the unit key"),
    ("recall", "capacity", {"prediction": 1, "exact_pairs": 64, "worst_error": worst_by_projection},
     "how many numbers the state has"),
    ("recall", "capacity", {"prediction": 1, "exact_pairs": 4, "worst_error": worst_by_projection}, "width of a value"),
    ("recall", "half_life", {"half_life": lambda b: math.log(0.5) / math.log(1 - 1 / (1 + math.exp(-b)))}, "*kept*"),
    ("recall", "half_life", {"half_life": lambda b: -1 / math.log(1 / (1 + math.exp(-b)))}, "1/e"),
    ("recall", "chrono", {"bias_for": lambda T, s: s ** (1 / T)}, "before the sigmoid"),
    ("recall", "chrono", {"bias_for": lambda T, s: 1.0}, "10 steps leave"),
    ("recall", "chrono", {"bias_for": lambda T, s: -math.log(s ** (-1 / T) - 1) * -1}, "*loses*"),
    ("recall", "chrono", {"bias_for": lambda T, s: math.log(T - 1)}, "1/e, whatever the share"),
    ("recall", "chrono", {"bias_for": lambda T, s: math.log(s / (1 - s)) if s != 0.5 else 0.0}, "after one step"),
    ("recall", "gradient", {"gradient_norms": norms_of(lambda z, a, r: (z[0, :, a] - z[0, :, r]).sum())},
     "only the last one"),
    ("recall", "gradient", {"gradient_norms": norms_of(lambda z, a, r: (z[0, :, a] - z[0, :, r]).mean())},
     "every position"),
    ("recall", "gradient", {"gradient_norms": norms_of(lambda z, a, r: F.cross_entropy(z[:, -1], torch.tensor([a])))},
     "differentiate a loss"),
    ("recall", "gradient", {"gradient_norms": norms_of(lambda z, a, r: z[0, -1, a])}, "where is the rival"),
    ("recall", "gradient", {"gradient_norms": norms_of(lambda z, a, r: z[0, 0, a] - z[0, 0, r])}, "first position"),
    ("recall", "progress", {"progress": lambda loss, n, b: (math.log2(n) - loss) / (math.log2(n) - b)}, "nats"),
    ("recall", "progress", {"progress": lambda loss, n, b: max(0, (math.log(n) - loss) / (math.log(n) - b))},
     "Do not clip"),
    ("recall", "progress", {"progress": lambda loss, n, b: 1 - loss / math.log(n)}, "not at zero"),
    ("recall", "flaws", {"unsupported": "ABCE"}, "than six numbers show"),
    ("hybrids", "spread", {"spread": lambda k, n: "A" * k + "D" * (n - k)}, "hold no A"),
    ("hybrids", "spread", {"spread": lambda k, n: "".join(
        "A" if j in np.linspace(0, n - 1, k).round() else "D" for j in range(n))}, "too wide a hole"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: round(n / (3 * 64))}, "twice the width"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: accounting.match(
        ModelConfig(pattern=p, d_model=64, n_heads=4), n)}, "number of parameters"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: accounting.match(
        ModelConfig(pattern=p, d_model=64, n_heads=4), round(n / 6))}, "Six FLOPs a parameter"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: width_by_search(p, n, 256)}, "changes nothing"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: width_by_search(p, 3 * n, T)}, "the forward pass"),
    ("hybrids", "depth", {"layers_of": greedy_depth}, "a part of another"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 * (old - new) / new, "against_transformer": 18.6},
     "divide by the new loss"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 - 100 * new / old, "against_transformer": 18.6}, "*higher*"),
    ("hybrids", "luck", {"luck": lambda n, sd, rng, trials: luck_in_a_loop(n, 1.0, rng, trials), **SAW},
     "shrink with sd"),
    ("hybrids", "luck", {"luck": lambda *a: luck_in_a_loop(*a)[::-1], **SAW}, "exchanged"),
    ("hybrids", "best_set", {"may_be_best": unpaired}, "seed by seed"),
    ("hybrids", "flaws", {"unsupported": "AD"}, "that it speaks about"),
    ("speed", "stopwatch", {"stopwatch": sleepy_mean}, "median"),
    ("speed", "stopwatch", {"stopwatch": lambda run, n, warmup: stopwatch_with_timeit(run, n, 0)}, "times, not"),
    ("speed", "exponent", {"exponent": lambda n, s: np.polyfit(n, s, 1)[0], **SLOPES}, "logarithm of both"),
    ("speed", "exponent", {"exponent": lambda n, s: np.polyfit(np.log(s), np.log(n), 1)[0], **SLOPES}, "1/p"),
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
    ("speed", "flaws", {"unsupported": "ACDEF"}, "Count the keys"),
    ("layers", "follow", {"follow": lambda b, s: next((y for x, y in s if x == b), b)}, "both directions"),
    ("layers", "follow", {"follow": lambda b, s: follow_by_lists(b, s[::-1])}, "order of the swaps"),
    ("layers", "follow", {"follow": lambda b, s: b}, "moves what is in its first box"),
    ("layers", "answers", {"answers": lambda scene: [{w[1]: w[2] for w in scene if w[0] == "put"}[w[1]]
                                                     for w in scene if w[0] == "ask"]}, "Red is in a box of the swap"),
    ("layers", "answers", {"answers": lambda scene: answers_backwards(scene)[-1:]}, "One box for every question"),
    ("layers", "answers", {"answers": lambda scene: 3}, "a list of boxes"),
    ("layers", "unmoved", {"unmoved": lambda r: 0.5**r, "observed": 0}, "never come back"),
    ("layers", "unmoved", {"unmoved": lambda r: 1 - BACK(r), "observed": 0}, "nothing has moved"),
    ("layers", "unmoved", {"unmoved": lambda r: 1 - BACK(r) if r else 1, "observed": 0}, "share of *wrong* answers"),
    ("layers", "unmoved", {"unmoved": lambda r: 1 / 6 + 5 / 6 * 0.6**r, "observed": 0}, "a round moves three"),
    ("layers", "unmoved", {"unmoved": lambda r: 1 / 6 + 5 / 6 * 0.5**r, "observed": 0}, "never to its own"),
    ("layers", "unmoved", {"unmoved": lambda r: 100 * BACK(r), "observed": 0}, "between 0 and 1"),
    ("layers", "unmoved", {"unmoved": BACK, "observed": 0.0}, "Zero would mean"),
    ("layers", "unmoved", {"unmoved": BACK, "observed": 0.2}, "another number of boxes"),
    ("layers", "unbound", {"unbound": lambda keys, sizes, rng, trials: max(sizes) / sum(sizes)}, "*fixed* box"),
    ("layers", "unbound", {"unbound": lambda keys, sizes, rng, trials: keys * unbound_by_counting(
        keys, sizes, rng, trials)}, "divide by all keys"),
    ("layers", "unbound", {"unbound": lambda keys, sizes, rng, trials: unbound_by_counting(
        keys, [1] * len(sizes), rng, trials)}, "not equally likely"),
    ("layers", "parity", {"state": lambda bits, a: a ** len(bits), "switch": -1}, "multiply at the ones only"),
    ("layers", "parity", {"state": lambda bits, a: a ** sum(bits), "switch": 1}, "never changes its sign"),
    ("layers", "parity", {"state": lambda bits, a: a ** sum(bits), "switch": -0.5}, "must not fade"),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: "both" if x > 0.5 else "neither"}, "smaller line only"),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: "both" if x > u + d else "one" if x > m + d else "neither"},
     "either of the two"),
    ("context", "culprit", {"culprit": lambda m, b, d: "none" if m[-2] - m[-1] > d else (
        "model" if b[-2] - b[-1] >= d else "data")}, "the model falls by exactly delta"),
    ("context", "culprit", {"culprit": lambda m, b, d: "none" if m[-2] - m[-1] >= d else (
        "model" if b[-2] - b[-1] > d else "data")}, "the Bayes loss falls by exactly delta"),
    ("context", "plateau", {"plateau": lambda e, x, d: next((e[j] for j in range(len(x) - 1) if all(
        v - x[-1] <= d for v in x[j:])), math.inf)}, "exactly delta above"),
    ("context", "leak", {"first_change": any_change}, "less than 1e-4"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: math.inf if A * N**-a < E else (
        ((A * N**-a - E) / 2 + 1e-12) / A) ** (-1 / a) / N}, "not above the floor"),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: ("neither", "one", "both")[(x - d >= u) + (x - d >= m)]},
     "exactly the margin"),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: "both" if x - d > max(u, m) else (
        "one" if x - d >= min(u, m) else "neither")}, "Exactly the margin above the smaller"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) - np.mean(b), 1.96 * stats.sem(np.array(a) - b))}, "is known"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(b) - np.mean(a), stats.sem(np.array(a) - b))},
     "after minus before"),
    ("layers", "gain", {"gain": lambda b, a: np.mean(a) - np.mean(b)}, "2 numbers"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) - np.mean(b), stats.t.ppf(0.975, len(a) - 1) * np.hypot(
        stats.sem(a), stats.sem(b)))}, "independent"),
    ("layers", "flaws", {"unsupported": "BE"}, "without knowing which key"),
    ("speed", "stopwatch", {"stopwatch": lambda run, n, warmup: min(
        timeit.repeat(run, number=1, repeat=n + warmup)[warmup:])}, "the fastest call"),
    ("context", "binned", {"binned": lambda x, e: [np.median(x[:, a - 1 : b - 1]) for a, b in pairwise(e)]}, "medians"),
    ("hybrids", "luck", {"luck": lambda n, sd, rng, trials: np.median(np.diff(np.sort(rng.normal(0, sd, (trials, n)))[
        :, [0, 1]], axis=1)), **SAW}, "2 numbers"),
    ("hybrids", "luck", {"luck": lambda n, sd, rng, trials: [np.median(t[:, j] - t[:, 0]) for t in [np.sort(rng.normal(
        0, sd, (trials, n)))] for j in (1, -1)], **SAW}, "medians"),
    # answers of another kind or shape, and half-right ideas
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: {"factor": 7.0}}, "a dictionary"),
    ("scaling", "fit", {"fit": lambda N, a, b: dict(zip("EFa", fit_by_curve(N, a, b), strict=True))}, "a dictionary"),
    ("scaling", "fit", {"fit": lambda N, a, b: "2, 1.2, 0.4"}, "a text"),
    ("scaling", "difference", {"apart": {"z": 3.09}}, "one number, not a dictionary"),
    ("scaling", "difference", {"apart": 4.3695}, "averaged the variances"),
    ("scaling", "offset", {"prediction": "smaller", "observed": "larger", "apparent":
     lambda E, A, a, n: -stats.linregress(np.log(n), np.log(E + A * np.array(n) ** -a)).slope}, "E = 0"),
    ("scaling", "tuned", {"tuned": lambda t: [(min(x, key=x.get), False) for x in t.values()]}, "a dictionary arm"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: (list(x)[int(np.nanargmin(list(x.values())))], int(np.nanargmin(
        list(x.values()))) in (0, len(x) - 1)) for arm, x in t.items()}}, "not their places"),
    ("scaling", "flaws", {"unsupported": "ABCDEF"}, "names every statement"),
    ("scaling", "flaws", {"unsupported": {"A": True, "B": False}}, "not a dictionary"),
    ("scaling", "flaws", {"unsupported": ""}, "is empty"),
    ("context", "binned", {"binned": lambda x, e: dict.fromkeys(e, 0.0)}, "a dictionary"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b].mean() for a, b in pairwise(e)]}, "not including"),
    ("context", "plateau", {"plateau": lambda e, x, d: next((j for j in range(len(x) - 1) if all(
        v - x[-1] < d for v in x[j:])), math.inf)}, "lower edge"),
    ("context", "plateau", {"plateau": lambda e, x, d: next((e[j] for j in range(len(x) - 1) if all(
        abs(v - w) < d for v, w in pairwise(x[j:]))), math.inf)}, "not with its neighbour"),
    ("context", "culprit", {"culprit": lambda m, b, d: "model" if m[-2] - m[-1] < d else "none"}, "both are level"),
    ("context", "culprit", {"culprit": lambda m, b, d: "both"}, '"none", "data" or "model"'),
    ("context", "truncated", {"truncated": lambda x, y, c: x[:, -c:]}, "Return two arrays"),
    ("context", "leak", {"first_change": lambda model, tokens, position: None}, "You found no change"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and abs(a - b) / a <= t]},
     "your difference a share"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and abs(a - b) / b <= t]},
     "your difference a share"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves if f == "LSTM" for g, b in curves
                                                          if g != "LSTM" and abs(a - b) <= t * (a + b) / 2]},
     "your difference a share"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: {"S": S}}, "a dictionary"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S - b * torch.outer(k, v - S.T @ k)}, "sign is wrong"),
    ("recall", "capacity", {"prediction": 64, "exact_pairs": 17, "worst_error": worst_by_projection},
     "is the next one not"),
    ("recall", "capacity", {"prediction": 16, "exact_pairs": 16, "worst_error": lambda pairs, K, V, seed: 0.0},
     "cannot all come back"),
    ("recall", "half_life", {"half_life": lambda b: math.ceil(math.log(2) / math.log1p(math.exp(-b)))}, "Do not round"),
    ("recall", "half_life", {"half_life": lambda b: math.log1p(math.exp(-b)) / math.log(2)}, "other way round"),
    ("recall", "chrono", {"bias_for": lambda T, s: math.log(T / math.log(2) - 1) if s != 0.5 else 2.63},
     "a half, whatever"),
    ("recall", "progress", {"progress": lambda loss, n, b: (loss - b) / (math.log(n) - b)}, "still to go"),
    ("recall", "progress", {"progress": lambda loss, n, b: 100 * (math.log(n) - loss) / (math.log(n) - b)}, "percent"),
    ("hybrids", "spread", {"spread": lambda k, n: ["A"] * k + ["D"] * (n - k)}, "a string"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: n / (len(p) * 191)}, "a whole number"),
    ("hybrids", "depth", {"layers_of": lambda name: {"layers": 8}}, "a dictionary"),
    ("hybrids", "luck", {"luck": luck_in_a_loop, "prediction": ("grow", "grow"), "observed": ("grow", "shrink")},
     "exchanged"),
    ("hybrids", "luck", {"luck": luck_in_a_loop, "observed": "shrink"}, "two words"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: best_with(losses, lambda n: 2.0)}, "well above 2"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: best_with(losses, lambda n: stats.norm.ppf(0.975))},
     "Student's"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: dict(losses)}, "a dictionary"),
    ("speed", "exponent", {"exponent": lambda n, s: math.log(s[-1] / s[0]) / math.log(n[-1] / n[0]), **SLOPES},
     "Two points decide"),
    ("speed", "exponent", {"exponent": lambda n, s: np.diff(np.log(s)).sum() / np.diff(np.log(n)).sum(), **SLOPES},
     "Two points decide"),
    ("speed", "exponent", {**LINE, **SLOPES, "observed": {"short": 2, "middle": 1, "long": 0}}, "what was printed"),
    ("speed", "crossover", {"crossover": lambda n, a, b: {"length": 64}}, "a dictionary"),
    ("speed", "double", {"factors": [4, 2, 1]}, "stay a dictionary"),
    ("speed", "double", {"factors": {"prefill": 2, "decode": 2, "recurrent": 1}}, "scored are pairs"),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "exercise", "answers", "fragment"), WRONG)
def test_wrong_answers_get_their_hint(lesson, exercise, answers, fragment):
    passed, text = told(lesson, exercise, answers)
    assert not passed
    assert "Not yet." in text
    assert fragment.replace(">", "›") in text


LETTERS = {("scaling", "ADE", 6), ("context", "CDF", 6), ("recall", "ACE", 5), ("hybrids", "ACD", 6),
           ("speed", "ACEF", 6), ("layers", "BCE", 6)}  # fmt: skip


@pytest.mark.parametrize(("lesson", "right", "count"), sorted(LETTERS))
def test_no_choice_is_found_letter_by_letter(lesson, right, count):
    statements = "ABCDEF"[:count]
    hints = {}
    for wrong in ("".join(s for s, bit in zip(statements, f"{n:0{count}b}", strict=True) if bit == "1")
                  for n in range(1, 2**count - 1)):  # fmt: skip
        passed, text = told(lesson, "flaws", {"unsupported": wrong})
        assert passed == (wrong == right)
        if not passed:
            hints.setdefault(text, set()).add(wrong)
    assert len(hints) == 2  # a hint names one half of the statements, so it is shared by many answers
    assert all(len(answers) > 2 for answers in hints.values())


@pytest.mark.parametrize(
    ("lesson", "exercise", "answers", "name", "secret"),
    [
        ("scaling", "difference", {}, "apart", "3.0"),
        ("hybrids", "lower", {"lower_by": lambda new, old: 100 - 100 * new / old}, "against_transformer", "15.6"),
        ("layers", "parity", {"state": lambda bits, a: a ** sum(bits)}, "switch", "-1"),
        ("speed", "double", {}, "factors", ": 4"),
        ("recall", "capacity", {"worst_error": worst_by_projection}, "exact_pairs", "16"),
        ("layers", "unmoved", {"unmoved": BACK}, "observed", "six"),
    ],
)
def test_no_hint_holds_the_number_itself(lesson, exercise, answers, name, secret):
    for wrong in (0.0, 0.2, 0.5, 0.9, 2.0, 4, 7.0, 15, 17, 20, 26.9, 64, 100.0, -3.0, [1], {"a": 1}, "x", None):
        value = {"prefill": wrong, "decode": wrong, "recurrent": wrong} if name == "factors" else wrong
        passed, text = told(lesson, exercise, answers | {name: value})
        assert not passed
        assert secret not in text.replace(f"{wrong}", "")
