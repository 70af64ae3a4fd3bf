"""Accuracy of naming the fullest box."""

import numpy as np
from otter.test_files import test_case

from seqmix.data.boxes import unbound_accuracy
from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "unbound"
points = 1


@test_case(name="five numbers of keys")
def keys(unbound):
    for count in (1, 2, 4, 8, 32):
        got = number("unbound(...)", call("unbound", unbound, count, np.random.default_rng(1), 4000))
        want = unbound_accuracy(count)
        if abs(got - want) < 0.015:
            continue
        case = f"With {count} keys"
        expect(abs(got - count * want) > 0.02 * count, f"{case} you return a number of keys: divide by all keys.")
        expect(abs(got - 100 * want) > 2, f"{case} you return {got:.3g}: an accuracy lies between 0 and 1.")
        expect(
            abs(got - 1 / 5) > 0.015 or count > 100,
            f"{case} you return the accuracy of a *fixed* box. The best answer looks which box is fullest.",
        )
        expect(got <= 1, f"{case} you return {got:.3g}, more than one.")
        expect(
            False,
            f"{case} you return {got:.3f}. Draw a box for every key, count the keys of each box, take the largest count"
            " of each scene, and average at the end.",
        )
