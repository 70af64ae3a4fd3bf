"""Gradient norms at every input, against automatic differentiation done here."""

import torch
from otter.test_files import test_case

from seqmix import models
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import Hint, call, expect, withheld

OK_FORMAT = False
name = "gradient"
points = 1

MODELS = (
    {"skeleton": "classic", "pattern": "L"},
    {"pattern": "AA"},
    {"pattern": "D"},
)


def built(options):
    return models.build(ModelConfig(d_model=16, vocab_size=24, max_length=16, **options), seed=1)


def drawn():
    return torch.randint(0, 24, (1, 10), generator=torch.Generator().manual_seed(2))


@withheld
def VALUES():
    from torch.nn import functional as F

    def gradients(model, score):
        x = model.embed(drawn()).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(model.from_embeddings(x)), x)
        return gradient[0].double()

    found, answer = [], torch.tensor([7])
    for options in MODELS:
        model = built(options)
        with torch.enable_grad():
            right = gradients(model, lambda logits: F.cross_entropy(logits[:, -1], answer))
            every = gradients(model, lambda logits: F.cross_entropy(logits[0], answer.expand(10))).norm(dim=-1)
            first = gradients(model, lambda logits: F.cross_entropy(logits[:, 0], answer)).norm(dim=-1)
            logit = gradients(model, lambda logits: logits[0, -1, 7]).norm(dim=-1)
        want = right.norm(dim=-1)
        only = "You score every position; only the last position's logits, [:, -1], are compared with the answer."
        known = [
            [want**2, "These are squares: take the root."],
            [right.abs().sum(-1), "Take the Euclidean norm over the width D."],
            [right.abs().amax(-1), "Take the Euclidean norm over the width D."],
            [right.sum(-1), "Take the Euclidean norm over the width D."],
            [every, only],
            [10 * every, only],
            [first, "You score the first position; the answer is asked for at the last one."],
            [logit, "You differentiate the logit; the loss is the cross-entropy of the logits and the answer."],
            [want.flip(0), "The order: the norm of the first token comes first."],
            [want / want.max(), "You divide by the largest: the norms themselves were asked for."],
            [want / want.sum(), "You divide by the sum: the norms themselves were asked for."],
        ]
        found.append([want.tolist(), [[wrong.tolist(), why] for wrong, why in known]])
    return found


@test_case(name="three models")
def norms(gradient_norms):
    for options, (want, known) in zip(MODELS, VALUES(), strict=True):
        with torch.enable_grad():
            result = call("gradient_norms", gradient_norms, built(options), drawn(), 7)
        try:
            got = torch.as_tensor(result).detach().double()
        except (TypeError, ValueError, RuntimeError):
            raise Hint("Return one norm for each token: a tensor or a list of numbers.") from None
        expect(
            got.numel() == 10, f"One norm a token: there are 10 tokens, your result has the shape {list(got.shape)}."
        )
        got = got.reshape(10)

        def alike(other, got=got):
            return torch.allclose(got, torch.tensor(other, dtype=torch.float64), rtol=1e-3, atol=1e-9)

        if alike(want):
            continue
        for wrong, why in known:
            expect(not alike(wrong), why)
        expect(
            bool((got > 0).any()), "All norms are zero: does the loss depend on the embeddings you differentiate by?"
        )
        expect(False, f"For {options} these are not the norms of one loss's gradient: which loss, at which position?")
