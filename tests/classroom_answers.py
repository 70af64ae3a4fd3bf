"""Answers to the exercises of the lessons: right ones that look nothing like the model solutions, and how to ask."""

import math
import timeit

import numpy as np
import torch
from scipy import optimize, stats

from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study import classroom


def told(lesson: str, exercise: str, answers: dict) -> tuple[bool, str]:
    """Return whether the answers pass, and what the check says, in one line."""
    report = classroom.grader(lesson).check(exercise, answers)
    return report.passed_all, " ".join(report.summary().split())


def halve_by_search(E, A, alpha, N):
    target = (E + A * N**-alpha) / 2
    if target <= E:
        return np.inf
    root = optimize.brentq(lambda x: E + A * math.exp(-alpha * x) - target, 0, 200)
    return np.float64(math.exp(root) / N)


def fit_by_curve(N, first, second):
    def error(alpha):
        x = N**-alpha
        lines = [np.polyfit(x, losses, 1) for losses in (first, second)]
        return sum(((np.polyval(line, x) - y) ** 2).sum() for line, y in zip(lines, (first, second), strict=True))

    alpha = optimize.minimize_scalar(error, bounds=(0.01, 2), method="bounded").x
    return [*(np.polyfit(N**-alpha, losses, 1)[1] for losses in (first, second)), alpha]


def seeds_by_counting(sd, effect):
    return next(np.int64(n) for n in range(2, 9999) if stats.t.isf(0.025, 2 * n - 2) * sd * (2 / n) ** 0.5 <= effect)


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
    size = (k * k).sum()
    erase = torch.eye(len(k), dtype=S.dtype) - beta * torch.outer(k, k) / size
    return erase @ S + beta / size * k[:, None] * v[None, :]


def delta_in_numpy(S, k, v, beta):
    S, k, v = S.numpy(), k.numpy(), v.numpy()
    return S + beta * k[:, None] * (v - k @ S) / np.linalg.norm(k) ** 2


def worst_by_projection(pairs, K, V, seed):
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(K, K)))[0]
    keys = np.concatenate([basis, rng.normal(size=(max(0, pairs - K), K))])[:pairs]
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    values, state = rng.normal(size=(pairs, V)), np.zeros((K, V))
    for k, v in zip(keys, values, strict=True):
        state += np.outer(k, v - state.T @ k)
    return np.abs(keys @ state - values).max()


def norms_with_backward(model, tokens, answer, rival):
    x = model.embed(tokens).detach().clone().requires_grad_(True)
    logits = model.from_embeddings(x)[0, -1]
    odds = torch.log_softmax(logits, 0)  # a difference of logits is one of log-probabilities
    (odds[answer] - odds[rival]).backward()
    return [float(row.norm()) for row in x.grad[0]]


def spread_with_ends(k, layers):
    letters = ["D"] * layers
    for j in range(k):
        letters[j * layers // k] = "A"
    return "".join(letters)


def width_by_search(pattern, target, length):
    work = [
        accounting.train_flops_per_token(ModelConfig(pattern=pattern, d_model=64, n_heads=4, mlp_width=w), length)
        for w in range(1, 600)
    ]
    return 1 + int(np.abs(np.array(work) - target).argmin())


def luck_in_a_loop(arms, sd, rng, trials):
    tables = [sorted(rng.normal(0, sd, arms)) for _ in range(trials)]
    return np.mean([t[1] - t[0] for t in tables]), np.mean([t[-1] - t[0] for t in tables])


def best_set_with_scipy(losses):
    best = min(losses, key=lambda arm: np.mean(losses[arm]))
    gaps = {arm: np.subtract(values, losses[best]) for arm, values in losses.items()}
    return [
        arm
        for arm, gap in gaps.items()
        if arm == best or gap.mean() <= stats.t.isf(0.025, len(gap) - 1) * stats.sem(gap)
    ]


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


def follow_by_lists(box, swaps):
    contents = list(range(5))
    for one, other in swaps:
        contents[one], contents[other] = contents[other], contents[one]
    return contents.index(box)


def answers_backwards(scene):
    def now(key, upto):
        start = next(what[2] for what in scene if what[:2] == ("put", key))
        return follow_by_lists(start, [what[1:] for what in scene[:upto] if what[0] == "swap"])

    return np.array([now(what[1], i) for i, what in enumerate(scene) if what[0] == "ask"])


def unmoved_by_simulation(rounds):
    rng = np.random.default_rng(0)
    box = np.zeros(20_000, dtype=int)
    for _ in range(rounds):
        one, two, three = rng.permuted(np.tile(np.arange(6), (box.size, 1)), axis=1)[:, :3].T
        box = np.select([box == one, box == two, box == three], [two, three, one], box)
    return (box == 0).mean()


def unbound_by_counting(keys, sizes, rng, trials):
    labels = [box for box, size in enumerate(sizes) for _ in range(size)]
    return np.mean([np.bincount(rng.choice(labels, keys)).max() for _ in range(trials)]) / keys
