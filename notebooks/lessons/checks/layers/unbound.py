"""Who follows the boxes and not the keys: the fullest box, by simulation."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number, withheld

OK_FORMAT = False
name = "unbound"
points = 1

CASES = (
    (8, [2, 1, 1, 1]),
    (4, [1, 1, 1, 1, 1]),
    (1, [1, 1, 1, 1]),
    (2, [1, 1, 1]),
    (3, [1, 4]),
    (32, [1, 1, 1, 1, 1]),
    (8, [1, 1, 1, 1, 3]),
)


@withheld
def LINES():
    """(right, always the likeliest box, boxes as equally likely, boxes guessed by their shares) of every case."""
    rng, found = np.random.default_rng(0), []
    for keys, sizes in CASES:
        shares = np.array(sizes) / sum(sizes)
        counts, equal = (rng.multinomial(keys, p, size=100_000) for p in (shares, np.full(len(sizes), 1 / len(sizes))))
        found.append([(counts.max(1) / keys).mean(), shares.max(), (equal.max(1) / keys).mean()])
        found[-1].append(((counts / keys) ** 2).sum(1).mean())
    return found


@test_case(name="seven cases")
def cases(unbound):
    for (keys, sizes), (want, fixed, equal, drawn) in zip(CASES, LINES(), strict=True):
        got = number("unbound(...)", call("unbound", unbound, keys, list(sizes), np.random.default_rng(1), 4000))
        if abs(got - want) < 0.015:
            continue
        case = f"With {keys} keys and boxes of sizes {sizes} you return {got:.3g}"
        expect(abs(got - keys * want) > 0.02 * keys, f"{case}, a number of keys: divide by all keys.")
        by_boxes = abs(got - keys * want / len(sizes)) <= 0.01
        expect(not by_boxes, f"{case}: divide by all *keys*, not by the boxes.")
        expect(abs(got - 100 * want) > 2, f"{case}: an accuracy lies between 0 and 1.")
        draws = "is a box drawn by its share of keys? The best answer is the fullest, scene by scene."
        expect(abs(got - drawn) > 0.01, f"{case}: {draws}")
        expect(abs(got - equal) > 0.015, f"{case}: the boxes are not equally likely here.")
        chosen = f"{case}, the accuracy of a *fixed* box. The best answer looks at each scene."
        expect(abs(got - fixed) > 0.015, chosen)
        few = number("unbound(...)", call("unbound", unbound, keys, list(sizes), np.random.default_rng(1), 100))
        scenes = f"{case}, with 100 scenes in the place of 4,000 {few:.3g}: is the largest taken over *scenes*?"
        expect(abs(few - got) < 0.06, f"{scenes} It is the largest among the boxes of each scene.")
        expect(got <= 1, f"{case}, more than one.")
        expect(
            False,
            f"{case}. Is it in every scene the fullest box whose keys you count, and is the mean one over scenes?",
        )
