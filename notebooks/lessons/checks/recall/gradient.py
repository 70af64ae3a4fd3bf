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
    def gradients(model, score):
        x = model.embed(drawn()).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(model.from_embeddings(x)), x)
        return gradient[0].double()

    def loss(logits, position):
        return torch.nn.functional.cross_entropy(logits[:, position], torch.tensor([7]))

    found = []
    for options in MODELS:
        model = built(options)
        with torch.enable_grad():
            right = gradients(model, lambda logits: logits[0, -1, 7] - logits[0, -1, 3])
            every = gradients(model, lambda logits: (logits[0, :, 7] - logits[0, :, 3]).sum()).norm(dim=-1)
            first = gradients(model, lambda logits: logits[0, 0, 7] - logits[0, 0, 3]).norm(dim=-1)
            logit = gradients(model, lambda logits: logits[0, -1, 7]).norm(dim=-1)
            rival = gradients(model, lambda logits: logits[0, -1, 3]).norm(dim=-1)
            both = gradients(model, lambda logits: logits[0, -1, 7] + logits[0, -1, 3]).norm(dim=-1)
            surprise = gradients(model, lambda logits: loss(logits, -1)).norm(dim=-1)
            chances = gradients(model, lambda logits: logits[0, -1].softmax(-1)[7] - logits[0, -1].softmax(-1)[3])
            chance = gradients(model, lambda logits: logits[0, -1].softmax(-1)[7]).norm(dim=-1)
            ratio = gradients(model, lambda logits: logits[0, -1, 7] / logits[0, -1, 3]).norm(dim=-1)
            squared = gradients(model, lambda logits: (logits[0, -1, 7] - logits[0, -1, 3]) ** 2).norm(dim=-1)
            before = gradients(model, lambda logits: logits[0, -2, 7] - logits[0, -2, 3]).norm(dim=-1)
            largest = gradients(model, lambda logits: logits[0, -1].max()).norm(dim=-1)
            total = gradients(model, lambda logits: logits[0, -1].sum()).norm(dim=-1)
            inputs = (right * model.embed(drawn()).detach()[0].double()).norm(dim=-1)
        want = right.norm(dim=-1)
        only = "You score every position; only the last one decides."
        known = [
            [want**2, "These are squares: take the root."],
            [right.abs().sum(-1), "Take the Euclidean norm over the width D."],
            [right.abs().amax(-1), "Take the Euclidean norm over the width D."],
            [right.abs().mean(-1), "Take the Euclidean norm over the width D."],
            [right.sum(-1), "Take the Euclidean norm over the width D."],
            [every, only],
            [every / 10, only],
            [first, "You score the first position; the answer is asked for at the last one."],
            [logit, "That is the gradient of one logit: where is the rival?"],
            [rival, "That is the gradient of the rival's logit: where is the answer?"],
            [both, "You add the two logits; asked for is their difference."],
            [surprise, "You differentiate a loss; asked for is the difference of two logits."],
            [chances.norm(dim=-1), "You differentiate probabilities: leave the softmax out, take the two logits."],
            [chance, "You differentiate a probability; asked for is the difference of two logits."],
            [ratio, "You divide the two logits; asked for is their difference."],
            [squared, "You square the difference of the logits: differentiate the difference itself."],
            [before, "You are one position early: the last logits are those of the last token."],
            [largest, "You differentiate the largest logit; asked for are those of `answer` and `rival`."],
            [total, "You differentiate all logits together; asked for are those of `answer` and `rival`."],
            [want.cumsum(0), "You add up over the tokens: one norm for each."],
            [want.log(), "These are logarithms of the norms; the norms themselves were asked for."],
            [want - want.mean(), "You take off a mean: the norms themselves were asked for."],
            [inputs, "You multiply the gradient by the embedding: its own norm was asked for."],
            [want / right.shape[-1] ** 0.5, "That is a root mean square over the width D: the norm takes the sum."],
            [want.flip(0), "The order: the norm of the first token comes first."],
            [want / want.max(), "You divide by the largest or the last: the norms themselves were asked for."],
            [want / want.sum(), "You divide by the sum: the norms themselves were asked for."],
        ]
        found.append([want.tolist(), [[wrong.tolist(), why] for wrong, why in known]])
    return found


@test_case(name="three models")
def norms(gradient_norms):
    for options, (want, known) in zip(MODELS, VALUES(), strict=True):
        with torch.enable_grad():
            result = call("gradient_norms", gradient_norms, built(options), drawn(), 7, 3)
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
        expect(not bool((got < 0).any()), "A norm is never below zero: take the norm of one gradient, last.")
        expect(
            bool((got > 0).any()), "All norms are zero: does the number depend on the embeddings you differentiate by?"
        )
        share = got / torch.tensor(want, dtype=torch.float64)
        scaled = f"For {options} every norm is {share[0]:.4g} times what it should be: what do you multiply by?"
        expect(not torch.allclose(share, share[0].expand(10), rtol=1e-3), scaled)
        parts(gradient_norms)
        expect(False, f"For {options} these are not the norms asked for: of which number, at which position?")


OTHERS = [token for token in range(24) if token not in (7, 3)]


class Part(torch.nn.Module):
    """A model of which a logit, or some, of one position is the sum of token 4's embedding; all others are zero."""

    def __init__(self, position, token):
        super().__init__()
        self.table, self.where = torch.nn.Embedding(24, 4), torch.zeros(1, 10, 24)
        self.where[0, position, token] = 1

    def embed(self, tokens):
        return self.table(tokens)

    def from_embeddings(self, x):
        return self.where * x[0, 4].sum()


def parts(gradient_norms):
    """Which logits have a say in an answer: of the last position, that of the answer and that of the rival."""
    norm = 2.0
    for position, token, say, why in (
        (-1, 7, True, "The logit of `answer` at the last position has no say in yours."),
        (-1, 3, True, "The logit of `rival` at the last position has no say in yours."),
        (8, 7, False, "Logits of earlier positions have a say in yours: only the last one decides."),
        (0, 7, False, "Logits of earlier positions have a say in yours: only the last one decides."),
        (-1, OTHERS, False, "Logits of other tokens have a say in yours: `answer` and `rival` alone are asked for."),
    ):
        with torch.enable_grad():
            got = call("gradient_norms", gradient_norms, Part(position, token), drawn(), 7, 3)
        seen = torch.as_tensor(got).detach().double().reshape(-1)
        expect(bool(seen.abs().max() > 1e-9) == say, why)
        norm = float(seen[4]) if token == 7 and say else norm
    expect(abs(norm - 2) < 1e-4, f"Where a gradient is (1, 1, 1, 1) its norm is 2; yours is {norm:.4g}.")
