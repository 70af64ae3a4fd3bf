"""Truncated context: the end of the inputs, always the same targets."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect, withheld

OK_FORMAT = False
name = "truncated"
points = 1


def drawn():
    tokens = np.random.default_rng(0).integers(0, 50, (4, 13))
    return np.delete(tokens, 12, axis=1), np.delete(tokens, 0, axis=1)


@withheld
def VALUES():
    inputs, targets = drawn()
    parts = [[visible, inputs[:, 12 - visible :].tolist(), inputs[:, :visible].tolist()] for visible in (3, 1, 8, 12)]
    return [parts, targets[:, -1].tolist(), inputs[:, -1].tolist()]


@test_case(name="what is seen and what is wanted")
def seen_and_wanted(truncated):
    (inputs, targets), (parts, last, shown) = drawn(), VALUES()
    for visible, part, first in parts:
        result = call("truncated", truncated, inputs.copy(), targets.copy(), visible)
        try:
            seen, wanted = (np.asarray(part) for part in result)
        except (TypeError, ValueError):
            raise Hint("Return two arrays: seen, wanted.") from None
        turned = wanted.shape == (4, visible) and seen.size == 4 and visible > 1
        expect(not turned, "The two are exchanged: what is seen comes first, then the target.")
        rows = seen.shape == (visible, 12) and visible != 4
        masked = seen.shape == (4, 12) and visible < 12
        expect(not masked, "All tokens are still there: the far past is cut off, not masked, so `seen` gets shorter.")
        expect(not rows, "You cut sequences, the first axis: all of them stay, and tokens are the second axis.")
        expect(
            seen.shape == (4, visible),
            f"`seen` should be [4, {visible}], not {list(seen.shape)}.",
        )
        expect(
            visible == 12 or not np.array_equal(seen, first),
            "You show the first tokens. The far past is hidden: the *last* tokens stay visible.",
        )
        one_off = visible < 12 and np.array_equal(seen, inputs[:, 11 - visible : 11])
        expect(not one_off, "You are one off: the last input token belongs to what is seen.")
        expect(np.array_equal(seen, part), f"With visible={visible}, `seen` is not the end of inputs.")
        expect(
            wanted.size == 4,
            f"`wanted` should hold one target a sequence, [4], not {list(wanted.shape)}.",
        )
        expect(
            not np.array_equal(wanted.reshape(4), shown),
            "`wanted` repeats the last token that is seen. The target is the token after it.",
        )
        expect(
            np.array_equal(wanted.reshape(4), last),
            f"With visible={visible}, `wanted` is not the target after the last token of each sequence: it stays"
            " the same at every length.",
        )
