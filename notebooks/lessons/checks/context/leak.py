"""The causality probe, on causal models and on two that look ahead."""

import torch
from otter.test_files import test_case

from seqmix import models
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import Hint, call, expect, number

OK_FORMAT = False
name = "leak"
points = 1


def drawn():
    return torch.randint(0, 32, (1, 12), generator=torch.Generator().manual_seed(1))


def one_hot(tokens):
    """Every position sees its own token."""
    expect(tokens.min() >= 0 and tokens.max() < 32, "Token ids are 0 to 31; your new token is another number.")
    return torch.nn.functional.one_hot(tokens, 32).float()


def averages(tokens):
    """Every position sees the mean of all: as in founding document 4's memory test."""
    return one_hot(tokens).mean(1, keepdim=True).expand(-1, tokens.shape[1], -1)


def peeks(tokens):
    """Every position sees the two tokens after it."""
    return one_hot(torch.roll(tokens, -2, 1))


def delayed(tokens):
    """Every position sees only the token three places before it."""
    return one_hot(torch.roll(tokens, 3, 1)) * (torch.arange(tokens.shape[1]) >= 3)[None, :, None]


def lowers(tokens):
    """As ``delayed``; every logit is lower where that token is not the one of ``drawn``."""
    return -(delayed(tokens) - delayed(drawn())).abs().max(-1, keepdim=True).values.expand(-1, -1, 32)


def raises(tokens):
    """As ``lowers``, but higher."""
    return -lowers(tokens)


def louder(tokens):
    """As ``delayed``, and the position after that changes more."""
    return delayed(tokens) + 3 * torch.roll(delayed(tokens), 1, 1)


def faint(tokens):
    """As ``delayed``, and every position sees the mean of all, but so faintly that it does not count."""
    return delayed(tokens) + 1e-4 * averages(tokens)


def ask(first_change, model, position, token=None):
    tokens = drawn()
    if token is not None:
        tokens[0, position] = token
    before = tokens.clone()
    expect(first_change is not None and first_change is not ..., "`first_change` has no answer yet.")
    try:
        result = first_change(model, tokens, position)
    except Hint:
        raise
    except Exception as error:
        raise Hint(f"`first_change` stopped with {type(error).__name__}: {str(error).rstrip('.')}.") from None
    result = result if result is None else int(number("first_change(...)", result))
    expect(torch.equal(tokens, before), "You changed the caller's tokens: work on a copy, tokens.clone().")
    return result


@test_case(name="causal models")
def causal(first_change):
    for pattern in "ADL":
        model = models.build(ModelConfig(pattern=pattern * 2, d_model=16, vocab_size=32), seed=0).eval()
        found = {position: ask(first_change, model, position) for position in (0, 5, 11)}
        late = all(got == position + 1 for position, got in found.items())
        expect(not late, "You are one too far, at every position: positions count from 0.")
        last = found[0] == found[5] == 11
        expect(not last, "You return the last position that changes; the first one was asked for.")
        for position, got in found.items():
            expect(
                got is not None,
                "You found no change. Does the function return something, and is the new token different from the old?",
            )
            expect(
                got == position,
                f"For pattern {pattern * 2} and position {position} you return {got}; it changes from {position} on."
                " Look for the first position where any logit differs by more than 1e-4.",
            )


def quiet(tokens):
    """As ``delayed``, but the largest logit is always the same one: the predicted token never changes."""
    return delayed(tokens) + 5 * (torch.arange(32) == 3)


@test_case(name="models that do otherwise")
def others(first_change):
    call("first_change", lambda: first_change)
    got = ask(first_change, quiet, 4)
    expect(
        got is not None,
        "Here two logits of one token change by 1, one up and one down; neither the predicted token nor the mean of the"
        " logits does. Compare all logits, one by one.",
    )
    why = "is the new one another, whatever it was, and do you look at every logit?"
    for token in range(32):
        got = ask(first_change, one_hot, 4, token)
        expect(got is not None, f"You see no change where the token was {token}: {why}")
    got = ask(first_change, averages, 7)
    expect(got is not None, "Here every logit of one token changes a little: look at all logits, not at one or a mean.")
    expect(
        got != 7,
        "You return the position that was changed. A model that looks ahead changes earlier: compare all logits.",
    )
    expect(got == 0, f"A model that averages all positions changes at position 0; you return {got}.")
    got = ask(first_change, peeks, 7)
    expect(got == 5, f"A model that sees two tokens ahead changes at 5 when 7 changes; you return {got}.")
    got = ask(first_change, delayed, 4)
    expect(got == 7, f"A model that sees only three tokens back changes at 7 when 4 changes; you return {got}.")
    got = ask(first_change, lowers, 4)
    expect(got == 7, "A logit that falls differs, too: of which size is the difference?")
    got = ask(first_change, raises, 4)
    expect(got == 7, "A logit that rises differs, too: of which size is the difference?")
    got = ask(first_change, louder, 4)
    expect(got != 8, "You return the position of the largest change; the first one was asked for.")
    got = ask(first_change, faint, 4)
    expect(got == 7, f"A change of less than 1e-4 does not count: here the first that does is at 7; you return {got}.")
    got = ask(first_change, delayed, 10)
    expect(got is None, f"Here no logit changes at all: return None, not {got}.")
