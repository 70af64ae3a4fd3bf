"""The same targets with less context."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect

OK_FORMAT = False
name = "truncated"
points = 1


@test_case(name="what is seen and what is wanted")
def seen_and_wanted(truncated):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 50, (4, 13))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    for visible in (1, 3, 8, 12):
        result = call("truncated", truncated, inputs.copy(), targets.copy(), visible)
        try:
            seen, wanted = (np.asarray(part) for part in result)
        except (TypeError, ValueError):
            raise Hint("Return two arrays: seen, wanted.") from None
        expect(
            seen.shape == (4, visible),
            f"`seen` should be [4, {visible}], not {list(seen.shape)}.",
        )
        expect(
            visible == 12 or not np.array_equal(seen, inputs[:, :visible]),
            "You show the first tokens. The far past is hidden: the *last* tokens stay visible.",
        )
        expect(
            np.array_equal(seen, inputs[:, 12 - visible :]), f"With visible={visible}, `seen` is not the end of inputs."
        )
        expect(
            wanted.size == 4,
            f"`wanted` should hold one target a sequence, [4], not {list(wanted.shape)}.",
        )
        expect(
            not np.array_equal(wanted.reshape(4), inputs[:, -1]),
            "`wanted` repeats the last token that is seen. The target is the token after it.",
        )
        expect(
            np.array_equal(wanted.reshape(4), targets[:, -1]),
            f"With visible={visible}, `wanted` changed: the same targets, targets[:, -1], at every length.",
        )
