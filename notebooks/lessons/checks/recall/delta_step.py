"""One step of the delta rule for keys of any length: against known states, and by what it must do."""

import math

import torch
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect, withheld

OK_FORMAT = False
name = "delta_step"
points = 1

CASES = ((4, 4, 0.3), (6, 3, 1.0), (3, 5, 0.7))


def draw(K, V, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((K, V), (K,), (V,))]


@withheld
def VALUES():
    from torch.nn import functional as F

    from seqmix.models.delta_rule import delta_rule

    found = []
    for K, V, beta in CASES:
        S, k, v = draw(K, V)
        shape, unit, length = (1, 1, 1, -1), F.normalize(k, dim=0), k.norm()
        betas = torch.full((1, 1, 1), beta).double()
        parts = (unit.view(shape), unit.view(shape), (v / length).view(shape), betas, None, S[None, None])
        want = delta_rule(*parts)[1][0, 0]
        stored, adds = S.T @ k, "It only adds. Subtract what the key holds now from the value first."
        write = beta * torch.outer(k, v - stored)
        known = [
            [S + write, "That is right for a unit key. What does a key twice as long read after your step?"],
            [
                S + write / length,
                "What does a key twice as long read after your step? You do not undo all of its length.",
            ],
            [
                S + beta * torch.outer(unit, v - S.T @ unit),
                "That writes `v` under the unit key: what does `k` itself read?",
            ],
            [
                S + beta * torch.outer(unit, v - stored),
                "You write with a unit key and read with `k`: both have its length.",
            ],
            [S + beta * torch.outer(k, v), adds],
            [S + beta * torch.outer(k, v) / length**2, adds],
            *[
                [
                    fades * S + beta * torch.outer(k, v) / by,
                    "The whole state fades: only what this key holds may change.",
                ]
                for fades in (1 - beta, beta)
                for by in (1.0, length, length**2)
            ],
            [
                S + beta * torch.outer(k, v - stored) / length**4,
                "You undo the length of the key once too often: once for reading and writing together.",
            ],
            [want.T, "Rows belong to the key, columns to the value: your state is transposed."],
        ]
        for scale in (1.0, length**2):
            known += [
                [S + torch.outer(k, v - stored) / scale, "beta is missing: it scales the whole correction."],
                [
                    S + torch.outer(k, beta * v - stored) / scale,
                    "beta scales the whole difference, not the value alone.",
                ],
                [
                    S + torch.outer(k, v - beta * stored) / scale,
                    "beta scales the whole difference, not one part of it.",
                ],
                [S - write / scale, "The sign is wrong: move towards v, not away from it."],
                [write / scale, "That is the change alone; add it to the old state."],
                [
                    S - beta * torch.outer(k, stored) / scale,
                    "That erases the old value, but does not write the new one.",
                ],
            ]
            if K == V:
                outer = "Rows belong to the key, columns to the value: the outer product is transposed."
                reads = "Reading is S^T k, not S k: the result has the size of a value."
                known.append([S + beta * torch.outer(v - stored, k) / scale, outer])
                known.append([S + beta * torch.outer(k, v - S @ k) / scale, reads])
        found.append([want.tolist(), [[wrong.tolist(), why] for wrong, why in known]])
    return found


def step(function, S, k, v, beta):
    before = S.clone()
    got = call("delta_step", function, S, k, v, beta)
    expect(torch.equal(S, before), "You changed the old state in place (`S +=` does): return a new one.")
    try:
        return torch.as_tensor(got).double()
    except (TypeError, ValueError, RuntimeError):
        raise Hint("Return the new state alone: one tensor with a row for each key dimension.") from None


def sized(got, S):
    expect(
        got.shape == S.shape, f"The new state should be {list(S.shape)} like the old one; yours is {list(got.shape)}."
    )
    return got


@test_case(name="the rule")
def rule(delta_step):
    for (K, V, beta), (want, known) in zip(CASES, VALUES(), strict=True):
        S, k, v = draw(K, V)
        got = step(delta_step, S, k, v, beta)

        def alike(other, got=got):
            other = torch.tensor(other, dtype=torch.float64)
            return got.shape == other.shape and torch.allclose(got, other, atol=1e-5)

        if alike(want):
            continue
        for wrong, why in known:
            expect(not alike(wrong), why)
        sized(got, S)
        tried(delta_step)
        expect(
            False, f"For K={K}, V={V}, beta={beta} the state is not right. In words: what is read, and what written?"
        )


def tried(delta_step):
    """The smallest case in which a step does not do what was asked for: key, what it reads at first, value, beta."""
    for key, held, value, beta in (
        ([1.0, 0.0], 0.0, 6.0, 1.0),
        ([1.0, 0.0], 0.0, 6.0, 0.5),
        ([1.0, 0.0], 3.0, 6.0, 1.0),
        ([2.0, 0.0], 0.0, 6.0, 1.0),
        ([2.0, 0.0], 0.0, 6.0, 0.5),
        ([2.0, 0.0], 4.0, 6.0, 1.0),
        ([2.0, 0.0], 4.0, 6.0, 0.5),
        ([3.0, 4.0], 0.0, 6.0, 1.0),
        ([3.0, 4.0], 6.0, 9.0, 1.0),
    ):
        k, v, S = torch.tensor(key).double(), torch.tensor([value]).double(), torch.zeros(2, 1).double()
        S[0, 0] = held / k[0]
        reads = float((sized(step(delta_step, S, k, v, beta), S) * k[:, None]).sum())
        asked = "v" if beta == 1 else "the middle between the two"
        where = "into an empty state you write rightly, so look at what you read and take off"
        part = where if held else "the state was empty, so look at what you write"
        case = f"The key {key} of length {math.hypot(*key):g} reads {held:g}, v is {value:g}, beta {beta:g}"
        right = abs(reads - held - beta * (value - held)) < 1e-5
        expect(right, f"{case}: after a step it reads {reads:.3g} in your state, not {asked}; {part}.")


@test_case(name="what it must do")
def behaviour(delta_step):
    S, k, v = draw(5, 3, seed=3)
    new = sized(step(delta_step, S, k, v, 1.0), S)
    expect(torch.allclose(new.T @ k, v, atol=1e-5), "With beta=1 reading the key must give exactly v.")
    other = torch.linalg.qr(torch.stack([k, draw(5, 3, seed=4)[1]], dim=1))[0][:, 1]
    same = torch.allclose(new.T @ other, S.T @ other, atol=1e-5)
    expect(same, "What is stored under an orthogonal key must not change.")
    expect(torch.allclose(step(delta_step, S, k, v, 0.0), S), "With beta=0 nothing must change.")
