"""Half-life of a cell whose forget gate has only a bias."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number

OK_FORMAT = False
name = "half_life"
points = 1


@test_case(name="half is left")
def half(half_life):
    for b in (-1.0, 0.0, 1.0, 3.0, 6.0):
        steps = number("half_life(...)", call("half_life", half_life, b))
        kept = 1 / (1 + math.exp(-b))
        want = math.log(0.5) / math.log(kept)
        if close(steps, want, 0.01):
            continue
        expect(
            not close(steps, -want, 0.01), "The sign is wrong: both logarithms are negative, their ratio is positive."
        )
        expect(not close(steps, 1 / want, 0.01), "It is the other way round: you return the inverse.")
        expect(not close(steps, -1 / math.log(kept), 0.01), "That is the time until 1/e is left, not a half.")
        expect(not close(steps, math.ceil(want), 1e-9), "Do not round: the number of steps need not be whole.")
        expect(
            not close(steps, 0.5 / kept, 0.01), "Each step *multiplies* what is left, so after n steps kept^n is left."
        )
        lost = math.log(0.5) / math.log(1 - kept)
        expect(b == 0 or not close(steps, lost, 0.01), "The gate says what is *kept*: sigma(b), not 1 - sigma(b).")
        raw = b > 0 and b != 1 and close(abs(steps), abs(math.log(0.5) / math.log(b)), 0.01)
        expect(not raw, "The bias is not what is kept: it goes through the sigmoid first.")
        expect(
            False,
            f"For b={b} each step keeps {kept:.3f}; after your {steps:.3g} steps {kept**steps:.3f} is left, not 0.5.",
        )
