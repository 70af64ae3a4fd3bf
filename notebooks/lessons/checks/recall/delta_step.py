"""One step of the delta rule, against the library's recurrent form and by what it must do."""

import torch
from otter.test_files import test_case
from torch.nn import functional as F

from seqmix.models.delta_rule import delta_rule
from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "delta_step"
points = 1


def draw(K, V, seed=0):
    generator = torch.Generator().manual_seed(seed)
    S = torch.randn(K, V, generator=generator, dtype=torch.float64)
    k = F.normalize(torch.randn(K, generator=generator, dtype=torch.float64), dim=0)
    return S, k, torch.randn(V, generator=generator, dtype=torch.float64)


def step(function, S, k, v, beta):
    before = S.clone()
    got = call("delta_step", function, S, k, v, beta)
    expect(torch.equal(S, before), "You changed the old state in place (`S +=` does): return a new one.")
    got = torch.as_tensor(got)
    expect(
        got.shape == S.shape, f"The new state should be {list(S.shape)} like the old one; yours is {list(got.shape)}."
    )
    return got.double()


@test_case(name="the rule")
def rule(delta_step):
    for K, V, beta in ((4, 4, 0.3), (6, 3, 1.0), (3, 5, 0.7)):
        S, k, v = draw(K, V)
        shape = (1, 1, 1, -1)
        want = delta_rule(
            k.view(shape), k.view(shape), v.view(shape), torch.full((1, 1, 1), beta).double(), None, S[None, None]
        )[1][0, 0]
        got = step(delta_step, S, k, v, beta)
        if torch.allclose(got, want, atol=1e-6):
            continue
        stored = S.T @ k
        for wrong, hint in (
            (
                S + beta * torch.outer(k, v),
                "It only adds. Subtract what the key holds now, S^T k, from the value first.",
            ),
            (S + torch.outer(k, v - stored), "beta is missing: it scales the whole correction."),
            (S + torch.outer(k, beta * v - stored), "beta scales the whole difference v - S^T k, not the value alone."),
            (S + torch.outer(k, v - beta * stored), "beta scales the whole difference v - S^T k, not one part of it."),
            (S - beta * torch.outer(k, v - stored), "The sign is wrong: move towards v, by the difference v - S^T k."),
            (beta * torch.outer(k, v - stored), "That is the change alone; add it to the old state."),
            (S - beta * torch.outer(k, stored), "That erases the old value, but does not write the new one."),
        ):
            expect(not torch.allclose(got, wrong, atol=1e-6), hint)
        if K == V:
            expect(
                not torch.allclose(got, S + beta * torch.outer(v - stored, k), atol=1e-6),
                "Rows belong to the key, columns to the value: the outer product is transposed.",
            )
            expect(
                not torch.allclose(got, S + beta * torch.outer(k, v - S @ k), atol=1e-6),
                "Reading is S^T k, not S k: the result has the size of a value.",
            )
        expect(False, f"For K={K}, V={V}, beta={beta} the state is not S + beta k (v - S^T k)^T.")


@test_case(name="what it must do")
def behaviour(delta_step):
    S, k, v = draw(5, 3, seed=3)
    new = step(delta_step, S, k, v, 1.0)
    expect(torch.allclose(new.T @ k, v, atol=1e-6), "With beta=1 and a unit key, reading the key must give exactly v.")
    other = draw(5, 3, seed=4)[1]
    other = F.normalize(other - (other @ k) * k, dim=0)
    expect(
        torch.allclose(new.T @ other, S.T @ other, atol=1e-6), "What is stored under an orthogonal key must not change."
    )
    expect(torch.allclose(step(delta_step, S, k, v, 0.0), S), "With beta=0 nothing must change.")
