"""The checks of the lessons: mistakes that once passed or got the hint of another, right answers once refused."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from classroom_answers import (
    fit_by_curve,
    follow_by_lists,
    halve_by_search,
    lstm_width_by_search,
    luck_in_a_loop,
    seeds_by_counting,
    told,
    unbound_by_counting,
)
from seqmix_study.classroom.hints import Hint, hidden, value_is


@pytest.mark.parametrize(
    "want", [1.0, -1.0, 2.0, 0.25, math.e, 16.0, 1e-6, *np.random.default_rng(0).lognormal(0, 3, 40)]
)
@pytest.mark.parametrize("rtol", [1e-6, 1e-3, 1e-2])
def test_a_right_number_is_right_with_its_last_digits_off(want, rtol):
    right, known = hidden(want, rtol=rtol)
    for off in (0, 1e-12, -1e-12, rtol / 2, -rtol / 2, 0.99 * rtol, -0.99 * rtol):
        value_is("x", want * (1 + off), right, known, rtol=rtol)
    for off in (3 * rtol, -3 * rtol):
        if not any(math.isclose(round(want, n), want * (1 + off), rel_tol=2 * rtol) for n in range(7)):
            with pytest.raises(Hint):
                value_is("x", want * (1 + off), right, known, rtol=rtol)


def test_float32_has_a_half_life():
    def half_life(b):
        return torch.tensor(0.5).log() / torch.tensor(float(b)).sigmoid().log()

    assert told("recall", "half_life", {"half_life": half_life})[0]


def test_other_ways_to_write_what_was_asked_for_pass():
    def tuned(trials):
        return pd.Series({arm: (c.idxmin(), c.idxmin() in (c.index.min(), c.index.max()))
                          for arm, c in pd.DataFrame(trials).items()})  # fmt: skip

    def single(*case):
        return float(np.float32(stored(*case, lambda error: error.abs().max())) + np.float32(2e-6))  # as float32 is off

    for lesson, exercise, answers in (
        ("hybrids", "luck", {"luck": noise_of_ones_own, "observed": "shrink, grow"}),
        ("hybrids", "luck", {"luck": noise_of_scipy, "observed": "shrink, grow"}),
        ("scaling", "tuned", {"tuned": tuned}),
        ("recall", "capacity", {"worst_error": single, "exact_pairs": 16}),
        ("hybrids", "luck", {"luck": luck_in_a_loop, "observed": "shrink and grow"}),
    ):
        passed, text = told(lesson, exercise, answers)
        assert passed, text


def steepness(E, A, alpha, sizes):
    return -np.polyfit(np.log(sizes), np.log(E + A * np.array(sizes) ** -alpha), 1)[0]


def stored(pairs, K, V, seed, judge):
    """The lesson's experiment, and ``judge`` of its table of errors."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(K, K, generator=generator, dtype=torch.float64))[0]
    more = torch.randn(max(0, pairs - K), K, generator=generator, dtype=torch.float64)
    keys = torch.cat([basis, more / more.norm(dim=1, keepdim=True)])[:pairs]
    values = torch.randn(pairs, V, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    state = torch.zeros(K, V, dtype=torch.float64)
    for key, value in zip(keys, values, strict=True):
        state = state + torch.outer(key, value - state.T @ key)
    return float(judge(keys @ state - values))


def capacity(judge):
    return {"worst_error": lambda *case: stored(*case, judge), "exact_pairs": 16}


def timed(pick):
    def stopwatch(run, repeats, warmup):
        import time

        seconds = []
        for _ in range(warmup + repeats):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return pick(seconds[warmup:])

    return {"stopwatch": stopwatch}


def best(losses, start, degrees=lambda n: n - 1, strict=False):
    first = min(losses, key=lambda arm: start(losses[arm]))
    found = set()
    for arm, values in losses.items():
        gap = np.subtract(values, losses[first])
        limit = stats.t.ppf(0.975, degrees(len(gap))) * stats.sem(gap)
        if gap.mean() < limit or (gap.mean() == limit and not strict):
            found.add(arm)
    return found


def seeds(degrees):
    def seeds_needed(sd, effect):
        return next(n for n in range(1, 999) if stats.t.ppf(0.975, degrees(n)) * sd * (2 / n) ** 0.5 <= effect)

    return {"seeds_needed": seeds_needed}


def change(differs, new=lambda old: (old + 1) % 32, choose=min):
    def first_change(model, tokens, position):
        other = tokens.clone()
        other[0, position] = new(tokens[0, position])
        found = torch.nonzero(differs((model(other) - model(tokens))[0])).flatten().tolist()
        return choose(found) if found else None

    return {"first_change": first_change}


def any_logit(difference):
    return (difference.abs() > 1e-4).any(-1)


def tuned(trials):
    found = {}
    for arm, losses in trials.items():
        ended = {rate: loss for rate, loss in losses.items() if loss == loss}
        rate = min(ended, key=ended.get)
        found[arm] = rate, rate not in (min(losses), max(losses))
    return found


def names_of(arm):
    return int(arm.split("_")[-1]) if "_" in arm else 0


def scenes(scene):
    """Keeps one key a box, and loses the other."""
    inside, found = {}, []
    for word, *rest in scene:
        if word == "put":
            inside[rest[1]] = rest[0]
        elif word == "swap":
            inside[rest[0]], inside[rest[1]] = inside.get(rest[1]), inside.get(rest[0])
        else:
            found.append(next((box for box, key in inside.items() if key == rest[0]), None))
    return found


def largest_is_best(arms, sd, rng, trials):
    tables = -np.sort(-rng.normal(0, sd, (trials, arms)), axis=1)
    return (tables[:, 0] - tables[:, 1]).mean(), (tables[:, 0] - tables[:, -1]).mean()


def noise_of_ones_own(arms, sd, rng, trials):
    """Box and Muller: never asks the generator for normal noise."""
    radius = np.sqrt(-2 * np.log(1 - rng.random((trials, arms))))
    tables = np.sort(sd * radius * np.cos(2 * np.pi * rng.random((trials, arms))), axis=1)
    return [(tables[:, place] - tables[:, 0]).mean() for place in (1, -1)]


def noise_of_scipy(arms, sd, rng, trials):
    tables = np.sort(stats.norm(4, sd).rvs((trials, arms), random_state=rng), axis=1)
    return [(tables[:, place] - tables[:, 0]).mean() for place in (1, -1)]


def norms(score):
    def gradient_norms(model, tokens, answer, rival):
        x = model.embed(tokens).detach().requires_grad_()
        last = model.from_embeddings(x)[0, -1]
        return torch.autograd.grad(score(last, answer, rival), x)[0][0].norm(dim=-1)

    return {"gradient_norms": gradient_norms}


def over_scenes(keys, sizes, rng, trials):
    return rng.multinomial(keys, np.array(sizes) / sum(sizes), size=trials).max(axis=0).mean() / keys


def product(bits, a):
    return float(np.prod([a * bit for bit in bits]))


def half(before, after):
    ends = stats.ttest_rel(after, before).confidence_interval()
    return (ends.high + ends.low) / 2, ends.high - ends.low


SAW = {"observed": "shrink, grow"}
SEEN = {"observed": {"short": 0, "middle": 1, "long": 2}}

WRONG = [
    ("hybrids", "luck", {"luck": largest_is_best, "observed": ("shrink", "grow")}, "the largest loss for the best"),
    ("scaling", "halving", {"to_halve": lambda *law: math.log10(halve_by_search(*law))}, "the logarithm of what"),
    ("scaling", "halving", {"to_halve": lambda *law: halve_by_search(*law) + 7}, "not half of it"),
    ("scaling", "offset", {"observed": "smaller", "apparent": lambda E, A, a, n: -np.mean(np.log(
        E + A * np.array(n) ** -a) / np.log(n))}, "through the origin"),
    ("context", "binned", {"binned": lambda x, e: x.mean(0)[np.array(e[:-1]) - 1]}, "the lower edge alone"),
    ("context", "binned", {"binned": lambda x, e: [x[:, : b - 1].mean() for b in e[1:]]}, "begins at the first token"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b - 1].sum() / (b - a) for a, b in pairwise(e)]},
     "the tokens of one sequence"),
    ("context", "binned", {"binned": lambda x, e: [x[:, a - 1 : b - 1].max() for a, b in pairwise(e)]},
     "for the indices 2 and 3 you say 3"),
    ("context", "truncated", {"truncated": lambda x, y, n: (x[-n:], y[:, -1])}, "You cut sequences"),
    ("context", "truncated", {"truncated": lambda x, y, n: (x[:, -n - 1 : -1], y[:, -1])}, "the last input token"),
    ("context", "leak", {"first_change": lambda model, tokens, position: position + 1}, "positions count from 0"),
    ("context", "leak", change(any_logit, choose=max), "the last position that changes"),
    ("context", "leak", {"first_change": lambda model, tokens, position: next((t for t in range(12) if (model(
        31 - tokens).argmax(-1) != model(tokens).argmax(-1))[0, t]), None)}, "Compare all logits, one by one"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves for g, b in curves
                                                          if f < g and abs(math.log10(a / b)) <= t]}, "1.25 times"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: (1 - b) * S + b * torch.outer(k, v) / (k @ k)}, "fades"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.T @ k) / len(k)},
     "it reads 3 in your state, not v"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.T @ k / (k @ k))},
     "it reads 24 in your state"),
    ("recall", "half_life", {"half_life": lambda b: (1 + math.exp(b)) / 2}, "of what is *left*"),
    ("recall", "half_life", {"half_life": lambda b: math.log(0.5) / math.log(abs(math.tanh(b or 9)))}, "not the tanh"),
    ("recall", "half_life", {"half_life": lambda b: 3.3}, "after that many steps 0.514 is left"),
    ("recall", "chrono", {"bias_for": lambda T, s: 2.0}, "leave 0.281 of the content"),
    ("recall", "gradient", norms(lambda z, a, r: z.softmax(-1)[a] - z.softmax(-1)[r]), "leave the softmax out"),
    ("recall", "gradient", norms(lambda z, a, r: z[a] / z[r]), "You divide the two logits"),
    ("recall", "progress", {"progress": lambda loss, n, b: (n - math.exp(loss)) / (n - math.exp(b))}, "perplexities"),
    ("recall", "progress", {"progress": lambda loss, n, b: ((math.log(n) - loss) / (math.log(n) - b)) ** 3},
     "0.125 half way between"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 100 * math.log(old / new), "against_transformer": 15.7},
     "a difference of logarithms"),
    ("hybrids", "lower", {"lower_by": lambda new, old: 30.0, "against_transformer": 15.7}, "percent of 4.0 are 1.2;"),
    ("layers", "follow", {"follow": lambda box, swaps: follow_by_lists(box, swaps[:-1])}, "moves what is in its first"),
    ("layers", "unmoved", {"unmoved": lambda r: 1 / 6 + 5 / 6 * 0.4 ** max(0, r - 1), "observed": 0}, "too few"),
    ("layers", "unmoved", {"unmoved": lambda r: 0.6 if r else 1, "observed": 0}, "leave the key's own box"),
    ("layers", "unmoved", {"unmoved": lambda r: (1, 0.5, 0.4)[min(r, 2)], "observed": 0}, "The first round is right"),
    ("layers", "unbound", {"unbound": over_scenes}, "is the largest taken over *scenes*"),
    ("layers", "unbound", {"unbound": lambda *case: unbound_by_counting(*case) + 0.07}, "the fullest box whose keys"),
    ("layers", "parity", {"state": lambda bits, a: 1 + a * sum(bits), "switch": -1}, "you add it"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) - np.mean(b), stats.t.ppf(0.975, len(a) - 1) * stats.sem(a))},
     "one list alone"),
    ("speed", "exponent", SEEN | {"exponent": lambda n, s: np.mean(np.log(s) / np.log(n))}, "through the origin"),
    ("speed", "exponent", SEEN | {"exponent": lambda n, s: 1.5}, "2 to the power of yours is 2.83"),
    ("scaling", "fit", {"fit": lambda *law: (*fit_by_curve(*law)[:2], fit_by_curve(*law)[2] * math.log(10))},
     "but for a base of logarithms"),
    ("scaling", "difference", {"apart": 0.001}, "That is a probability"),
    ("scaling", "difference", {"apart": 6.179}, "divided by a root of n"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: max(2, seeds_by_counting(sd, e) - 1)}, "the smallest n"),
    ("context", "truncated", {"truncated": lambda x, y, n: (np.where(np.arange(12) >= 12 - n, x, 0), y[:, -1])},
     "cut off, not masked"),
    ("context", "leak", change(lambda d: d.mean(-1).abs() > 1e-4), "the mean of the logits"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [
        (a, b) for f, a in curves if f == "LSTM"
        for b in [min((size for g, size in curves if g != "LSTM"), key=lambda size: abs(size - a))]
        if max(a, b) <= (1 + t) * min(a, b)]}, "more than one partner"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.sum(0)) / (k @ k)},
     "what you read and take off"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: S + b * torch.outer(k, v - S.T @ k) / sum(abs(k)) ** 2},
     "of length 5 reads 0"),
    ("recall", "gradient", norms(lambda z, a, r: z.max()), "the largest logit"),
    ("recall", "gradient", norms(lambda z, a, r: 3 * (z[a] - z[r])), "every norm is 3 times what"),
    ("recall", "gradient", norms(lambda z, a, r: z[a] - z[r] + z[0]), "Logits of other tokens have a say"),
    ("recall", "gradient", norms(lambda z, a, r: z[a].detach() - 2 * z[r]), "`answer` at the last position has no say"),
    ("hybrids", "luck", SAW | {"luck": lambda *case: np.multiply(luck_in_a_loop(*case), (1, 1 / case[0]))},
     "not divided by the arms"),
    ("hybrids", "luck", SAW | {"luck": lambda *case: np.multiply(luck_in_a_loop(*case), (1.5, 1))},
     "the gap to the second is not"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: math.inf if A * N**-a <= E else (
        (A * N**-a - E) / 2) ** (-1 / a) / N}, "A is missing"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: seeds_by_counting(sd, e) * 3 + 1}, "and the half-width 0.0"),
    ("scaling", "offset", SAW | {"apparent": lambda E, A, a, n: 0.4}, "for alpha = 0.7 you return 0.4"),
    ("layers", "gain", {"gain": lambda b, a: (np.mean(a) - np.mean(b), np.ptp(np.subtract(a, b)) / 2)},
     "how sure their mean is"),
    ("speed", "stopwatch", timed(lambda seconds: 0), "You return 0"),
    ("speed", "matched", {"count": lambda m: 7, "matched_width": lstm_width_by_search}, "there you count 7"),
    ("hybrids", "match", {"mlp_width_for": lambda p, n, T: 1}, "the least there is"),
    ("hybrids", "luck", SAW | {"luck": lambda n, sd, rng, trials: [np.sort(rng.uniform(-sd, sd, (trials, n)))[
        :, [i, 0]].mean(0) @ (1, -1) for i in (1, -1)]}, "Uniform noise"),
    ("layers", "gain", {"gain": lambda b, a: (sum(a) - sum(b), 0.1)}, "the sum of the differences"),
    ("speed", "exponent", SEEN | {"exponent": lambda n, s: s[-1] / s[0] / (n[-1] / n[0])}, "a ratio of ratios"),
    ("speed", "matched", {"count": lambda m: sum(sum(p.shape) for p in m.parameters()),
                          "matched_width": lstm_width_by_search}, "add the numbers of a shape"),
    ("speed", "crossover", {"crossover": lambda n, a, b: 200.5}, "none of the lengths that were measured"),
    ("speed", "double", {"factors": {"prefill": 300, "decode": 100, "recurrent": 0}}, "by how much it grows"),
    ("speed", "double", {"factors": {"prefill": 6.4e7, "decode": 8000, "recurrent": 1}}, "a number of scores"),
    ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters()), "matched_width":
                          lambda i, n: round(n / (4 * i))}, "those of the inputs alone"),
    ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters()), "matched_width":
                          lambda i, n: lstm_width_by_search(i, 1.1 * n)}, "By your own count nn.LSTM(128, 3"),
    ("recall", "capacity", capacity(lambda error: error.max()), "below zero is an error, too"),
    ("recall", "capacity", capacity(lambda error: error.abs().mean()), "one bad pair hides"),
    ("recall", "capacity", capacity(lambda error: error.pow(2).mean().sqrt()), "one bad pair hides"),
    ("speed", "stopwatch", timed(lambda seconds: seconds[len(seconds) // 2]), "the middle by size, not by order"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: best(losses, min)}, "not the smallest single loss"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: best(losses, np.mean, strict=True)}, "'a', is missing"),
    ("hybrids", "best_set", {"may_be_best": lambda losses: {min(losses, key=lambda arm: np.mean(losses[arm]))}},
     "the best alone"),
    ("hybrids", "depth", {"layers_of": lambda arm: 36 if arm == "teacher" else names_of(arm)},
     "`layers_of('stack_3_late')` stopped with ValueError: invalid literal for int() with base 10: 'late'."),
    ("hybrids", "depth", {"layers_of": lambda arm: int(arm.split("_")[1]) if "_" in arm else 0},
     "a name without one"),
    ("hybrids", "spread", {"spread": lambda k, layers: "D" * (layers // k)}, "`spread(0, 12)` stopped with"),
    ("scaling", "seeds", seeds(lambda n: 2 * n - 1), "each spends one on its mean"),
    ("scaling", "tuned", {"tuned": tuned}, "at no edge"),
    ("context", "leak", change(any_logit, new=lambda old: 0), "where the token was 0"),
    ("context", "leak", change(any_logit, new=lambda old: old + 1), "Token ids are 0 to 31"),
    ("context", "leak", change(lambda d: (d > 1e-4).any(-1)), "A logit that falls differs"),
    ("context", "leak", change(lambda d: (d < -1e-4).any(-1)), "A logit that rises differs"),
    ("scaling", "tuned", {"tuned": lambda t: dict.fromkeys(t, (0.002, "yes"))}, "True or False"),
    ("recall", "half_life", {"half_life": lambda b: round(math.log(2) / math.log1p(math.exp(-b)), 1)}, "Do not round"),
    ("context", "leak", change(lambda d: d[:, 0].abs() > 1e-4), "do you look at every logit"),
    ("context", "leak", change(lambda d: d.abs().amax(-1) >= d.abs().max().clamp(min=1e-4)), "the largest change"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves for g, b in curves
                                                          if a != b and max(a, b) <= (1 + t) * min(a, b)]},
     "one LSTM and one Transformer"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves for g, b in curves
                                                          if f < g and abs(a - b) <= t]}, "a share in your code"),
    ("layers", "parity", {"state": product, "switch": -1}, "it is no factor"),
    ("layers", "parity", {"state": lambda bits, a: 0.0, "switch": -1}, "where it starts"),
    ("layers", "gain", {"gain": half}, "the whole width"),
    ("layers", "answers", {"answers": scenes}, "A box may hold many keys"),
    ("scaling", "halving", {"to_halve": lambda E, A, a, N: math.inf if A * N**-a < 2 * E else halve_by_search(
        E, A, a, N)}, "there is such a size"),
    ("scaling", "offset", {"observed": {"E": "smaller"}, "apparent": steepness}, '"larger" or "same"'),
    ("scaling", "fit", {"fit": lambda N, a, b: (min(a), min(b), fit_by_curve(N, a, b)[2])}, "were measured"),
    ("scaling", "difference", {"apart": 3}, "three figures"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: max(2, seeds(lambda n: 2 * n)["seeds_needed"](
        sd, e))}, "each spends one on its mean"),
    ("scaling", "seeds", {"seeds_needed": lambda sd, e: 2 * seeds_by_counting(sd, e)}, "runs of both arms"),
    ("scaling", "tuned", {"tuned": lambda t: {arm: {"best_lr": 1, "at_edge": True} for arm in t}}, "return a pair"),
    ("scaling", "tuned", {"tuned": lambda t: dict.fromkeys(t, (True, 0.002))}, "The pair is exchanged"),
    ("scaling", "tuned", {"tuned": lambda t: dict.fromkeys(t, (1, False))}, "the rate, not its place"),
    ("context", "culprit", {"culprit": lambda m, b, d: "none" if m[-2] - m[-1] >= d else (
        "model" if m[-1] - b[-1] - m[-2] + b[-2] >= d else "data")}, "each curve alone"),
    ("context", "fair", {"fair_pairs": lambda curves, t: [(a, b) for f, a in curves for g, b in curves
                                                          if f < g and max(a, b) < (1 + t) * min(a, b)]}, "*at most*"),
    ("context", "leak", {"first_change": lambda model, tokens, position: torch.ones(12)}, "should be one number"),
    ("recall", "delta_step", {"delta_step": lambda S, k, v, b: (S, k)}, "one tensor"),
    ("recall", "capacity", capacity(torch.norm), "one number for many errors"),
    ("recall", "capacity", capacity(lambda error: error[0].abs().max()), "error of the first pair"),
    ("recall", "chrono", {"bias_for": lambda T, s: float(torch.logit(torch.tensor((1 - s) ** (1 / T))))}, "is lost"),
    ("hybrids", "lower", {"lower_by": lambda new, old: round(100 - 100 * new / old), "against_transformer": 15.7},
     "whole percents"),
    ("hybrids", "depth", {"layers_of": lambda arm: int(arm.split("_")[1]) if arm.count("_") == 1 else (
        36 if arm == "teacher" else 0 if arm == "bigram" else None)}, "whatever follows the number"),
    ("layers", "diagnose", {"diagnose": lambda x, u, m, d: "both" if x > u + m + d else "one" if x > min(u, m) + d else
                            "neither"}, "each taken alone"),
    ("layers", "unbound", {"unbound": lambda keys, sizes, rng, trials: float(np.mean((rng.multinomial(
        keys, np.array(sizes) / sum(sizes), trials) / keys) ** 2 * len(sizes)))}, "scene by scene"),
    ("layers", "gain", {"gain": lambda b, a: (half(b, a)[1] / 2, half(b, a)[0])}, "are exchanged"),
    ("speed", "stopwatch", {"stopwatch": lambda run, n, warmup: timed(np.median)["stopwatch"](run, warmup, n)},
     "exchanged"),
    ("speed", "stopwatch", {"stopwatch": lambda run, n, warmup: timed(np.median)["stopwatch"](run, n + warmup, 0)},
     "warm-up calls are in your times"),
    ("speed", "exponent", {"exponent": lambda n, s: np.median(np.diff(np.log(s)) / np.diff(np.log(n))),
                           "observed": {"short": 0, "middle": 1, "long": 2}}, "least-squares"),
    ("speed", "matched", {"count": lambda m: sum(p.numel() for p in m.parameters()), "matched_width":
                          lambda i, n: round((math.sqrt(i * i + n) - i) / 2)}, "both vectors of biases"),
]  # fmt: skip


@pytest.mark.parametrize(("lesson", "exercise", "answers", "fragment"), WRONG)
def test_a_mistake_is_named(lesson, exercise, answers, fragment):
    passed, text = told(lesson, exercise, answers)
    assert not passed
    assert fragment in text
