"""Mean loss a bin of token indices, against a slow twin."""

from itertools import pairwise

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, close, expect, withheld

OK_FORMAT = False
name = "binned"
points = 1

CASES = (((3, 8), [1, 2, 4, 9]), ((5, 16), [1, 2, 3, 4, 6, 8, 11, 16, 17]), ((2, 10), [2, 5, 9]))


def tables():
    rng = np.random.default_rng(0)
    return [(rng.random(shape) + np.arange(shape[1], 0, -1), edges) for shape, edges in CASES]


@withheld
def VALUES():
    def bins(losses, edges, how=np.mean, low=-1, high=-1):
        parts = [losses[:, lo + low : hi + high] for lo, hi in pairwise(edges)]
        return [float(how(part)) if part.size else np.nan for part in parts]

    return [
        [
            [np.mean([row[t] for row in x for t in range(x.shape[1]) if lo <= t + 1 < hi]) for lo, hi in pairwise(e)],
            [
                [bins(x, e, low=0, high=0), "You are one off: token indices count from 1, so index 1 is column 0."],
                [bins(x, e, low=-2, high=-2), "You are one off, the other way: index 1 is column 0."],
                [bins(x, e, np.sum), "These are sums: divide by the number of tokens in the bin."],
                [bins(x, e, np.median), "These are medians; the mean over all tokens of the bin was asked for."],
                [bins(x, e, high=0), "A bin holds edges[j] up to, but not including, edges[j + 1]."],
                [bins(x, e, low=0), "A bin begins with its lower edge: edges[j] belongs to it."],
                [
                    [
                        float(np.mean(x[lo - 1 : hi - 1])) if len(x[lo - 1 : hi - 1]) else np.nan
                        for lo, hi in pairwise(e)
                    ],
                    "These are rows, so sequences: the token index is the second axis.",
                ],
                [bins(x[:1], e), "These are the bins of the first sequence alone: all sequences belong to the mean."],
                [
                    [float(x[:, lo - 1].mean()) for lo in e[:-1]],
                    "That is the loss at the lower edge alone: all tokens of the bin belong to its mean.",
                ],
                [
                    [float(x[:, hi - 2].mean()) for hi in e[1:]],
                    "That is the loss of the bin's last token alone: all tokens of the bin belong to its mean.",
                ],
                [
                    [float(x[:, : hi - 1].mean()) for hi in e[1:]],
                    "Each of your means begins at the first token: a bin begins at its own lower edge.",
                ],
                [
                    [float(x[:, lo - 1 : e[-1] - 1].mean()) for lo in e[:-1]],
                    "Each of your means ends at the last token: a bin ends before its own upper edge.",
                ],
                [
                    [float(x[:, lo - 1 : hi - 1].mean(1).sum()) for lo, hi in pairwise(e)],
                    "You divide by the tokens of one sequence: all sequences are in the sum, so all count.",
                ],
                [
                    [float(x[:, lo - 1 : hi - 1].sum() / x.size) for lo, hi in pairwise(e)],
                    "You divide by all tokens: each bin has a number of its own.",
                ],
            ],
        ]
        for x, e in tables()
    ]


@test_case(name="bins")
def bins(binned):
    for (losses, edges), (want, known) in zip(tables(), VALUES(), strict=True):
        try:
            got = np.asarray(call("binned", binned, losses.copy(), list(edges)), dtype=float).reshape(-1)
        except (TypeError, ValueError):
            raise Hint("Return one number for each bin: the mean over all its tokens of all sequences.") from None
        expect(got.size == len(want), f"{len(edges)} edges make {len(want)} bins; you return {got.size} numbers.")
        off = [j for j in range(len(want)) if not close(got[j], want[j], 1e-6, 0.006)]  # rounded is fine
        for other, why in known:
            alike = all(close(a, b, 1e-6) or (a != a and b != b) for a, b in zip(got, other, strict=True))
            expect(not off or not alike, why)
        where = ", ".join(str(j) for j in off)
        case = f"For edges {edges} and {losses.shape[1]} tokens bin {where} is off."
        expect(not off, f"{case} {small(binned)}")


def small(binned):
    """What an answer says where every loss is its token's index, so that it shows which tokens it takes."""
    table = np.tile(np.arange(1.0, 9.0), (3, 1))
    got = np.asarray(call("binned", binned, table, [2, 4, 7]), dtype=float).reshape(-1)
    for said, right, which in zip(got, (2.5, 5.0), ("2 and 3", "4, 5 and 6"), strict=False):
        if not close(said, right, 1e-6):
            case = "Take three sequences in which the loss *is* the token's index"
            return f"{case}: for the indices {which} you say {said:.4g}."
    return "Where every loss is its token's index you are right: is it the *mean*, over all tokens of all sequences?"
