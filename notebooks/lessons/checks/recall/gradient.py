"""Gradient norms at every input, against automatic differentiation done here."""

import torch
from otter.test_files import test_case
from torch.nn import functional as F

from seqmix import models
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "gradient"
points = 1

MODELS = (
    {"skeleton": "classic", "pattern": "L"},
    {"pattern": "AA"},
    {"pattern": "D"},
)


def gradients(model, tokens, score):
    x = model.embed(tokens).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(model.from_embeddings(x)), x)
    return gradient[0]


@test_case(name="three models")
def norms(gradient_norms):
    tokens = torch.randint(0, 24, (1, 10), generator=torch.Generator().manual_seed(2))
    for options in MODELS:
        model = models.build(ModelConfig(d_model=16, vocab_size=24, max_length=16, **options), seed=1)
        with torch.enable_grad():
            got = call("gradient_norms", gradient_norms, model, tokens, 7)
            got = torch.as_tensor(got).detach().double()
            expect(
                got.numel() == 10, f"One norm a token: expected 10 numbers, got a result of shape {list(got.shape)}."
            )
            got = got.reshape(10)
            answer = torch.tensor([7])
            right = gradients(model, tokens, lambda logits: F.cross_entropy(logits[:, -1], answer))  # noqa: B023
            every = gradients(
                model,
                tokens,
                lambda logits: F.cross_entropy(logits[0], answer.expand(10)),  # noqa: B023
            )
            logit = gradients(model, tokens, lambda logits: logits[0, -1, 7])
        if torch.allclose(got, right.double().norm(dim=-1), rtol=1e-3, atol=1e-9):
            continue
        expect(
            not torch.allclose(got, right.double().norm(dim=-1) ** 2, rtol=1e-3), "These are squares: take the root."
        )
        expect(
            not torch.allclose(got, right.double().abs().sum(-1), rtol=1e-3),
            "Take the Euclidean norm over the width D.",
        )
        expect(
            not torch.allclose(got, every.double().norm(dim=-1), rtol=1e-3)
            and not torch.allclose(got, 10 * every.double().norm(dim=-1), rtol=1e-3),
            "You score every position; only the last position's logits, [:, -1], are compared with the answer.",
        )
        expect(
            not torch.allclose(got, logit.double().norm(dim=-1), rtol=1e-3),
            "You differentiate the logit; the loss is F.cross_entropy(logits, torch.tensor([answer])).",
        )
        expect(
            bool((got > 0).any()), "All norms are zero: does the loss depend on the embeddings you differentiate by?"
        )
        expect(False, f"For {options}: expected {right.norm(dim=-1)[:3].tolist()} ..., got {got[:3].tolist()} ...")
