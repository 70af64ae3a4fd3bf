"""Mean loss a bin of token indices, against a slow twin."""

from itertools import pairwise

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "binned"
points = 1


def twin(losses, edges):
    return [
        np.mean([row[t] for row in losses for t in range(losses.shape[1]) if lo <= t + 1 < hi])
        for lo, hi in pairwise(edges)
    ]


@test_case(name="bins")
def bins(binned):
    rng = np.random.default_rng(0)
    for shape, edges in (((3, 8), [1, 2, 4, 9]), ((5, 16), [1, 2, 3, 4, 6, 8, 11, 16, 17]), ((2, 10), [2, 5, 9])):
        losses = rng.random(shape) + np.arange(shape[1], 0, -1)
        got = np.asarray(call("binned", binned, losses.copy(), list(edges)), dtype=float).reshape(-1)
        want = np.array(twin(losses, edges))
        expect(got.size == want.size, f"{len(edges)} edges make {want.size} bins; you return {got.size} numbers.")
        if np.allclose(got, want):
            continue
        shifted = [losses[:, lo:hi].mean() for lo, hi in pairwise(edges) if lo < shape[1]]
        expect(
            not np.allclose(got[: len(shifted)], shifted),
            "You are one off: token indices count from 1, so index 1 is column 0.",
        )
        sums = want * [shape[0] * (hi - lo) for lo, hi in pairwise(edges)]
        expect(not np.allclose(got, sums), "These are sums: divide by the number of tokens in the bin.")
        middle = [np.median(losses[:, lo - 1 : hi - 1]) for lo, hi in pairwise(edges)]
        expect(not np.allclose(got, middle), "These are medians; the mean over all tokens of the bin was asked for.")
        closed = [losses[:, lo - 1 : hi].mean() for lo, hi in pairwise(edges)]
        expect(not np.allclose(got, closed), "A bin holds edges[j] up to, but not including, edges[j + 1].")
        expect(False, f"For edges {edges} and T={shape[1]}: expected {want.round(3)}, got {got.round(3)}.")
