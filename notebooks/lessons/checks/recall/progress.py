"""The share of the way from guessing to certainty."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number

OK_FORMAT = False
name = "progress"
points = 1


@test_case(name="from chance to zero")
def share(progress):
    for loss, choices in ((0.0, 10), (math.log(16), 16), (2.0, 99), (5.0, 99), (0.35, 2)):
        got = number("progress(...)", call("progress", progress, loss, choices))
        want = 1 - loss / math.log(choices)
        if close(got, want, 1e-3, 1e-6):
            continue
        case = f"For loss {loss:.3g} and {choices} choices"
        expect(
            not close(got, loss / math.log(choices), 1e-3), f"{case} you return the way still to go: one minus that."
        )
        expect(
            not close(got, 1 - loss / math.log2(choices), 1e-3),
            f"{case}: losses are in nats, use the natural logarithm.",
        )
        expect(not close(got, 1 - loss / math.log10(choices), 1e-3), f"{case}: use the natural logarithm, math.log.")
        expect(not close(got, 1 - loss / choices, 1e-3), f"{case}: guessing costs ln(choices), not choices.")
        expect(not close(got, 100 * want, 1e-3), f"{case} you return percent: a share lies between 0 and 1.")
        expect(got != 0 or want > 0, f"{case}: do not clip; worse than guessing is negative.")
        expect(False, f"{case} expected {want:.3f}, got {got:.3f}: 0 is guessing, 1 is certainty.")
