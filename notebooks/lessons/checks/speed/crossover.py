"""The crossover rule on planted times."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "crossover"
points = 1

LENGTHS = [64, 128, 256, 512, 1024]
NEVER = "Where the second is not faster at the end, return math.inf."
CASES = (
    ([1, 2, 4, 8, 16], [3, 3, 3, 3, 3], 256, "The second is faster from 256 on."),
    (
        [1, 2, 4, 8, 16],
        [3, 1, 5, 7, 9],
        512,
        "At 128 the second is faster once, but not at 256: from which length *on*?",
    ),
    ([1, 2, 3, 4, 5], [2, 3, 4, 5, 6], math.inf, "The second is never faster: math.inf."),
    ([2, 3, 4, 5, 6], [1, 2, 3, 4, 5], 64, "The second is faster everywhere: the smallest length measured."),
    ([1, 2, 3, 4, 5], [2, 1, 1, 1, 9], math.inf, "At the longest length the second is slower again: math.inf."),
    ([4, 4, 4, 4, 4], [5, 5, 4, 3, 2], 512, "At 256 they are equal; faster means less time."),
)


@test_case(name="six pairs of models")
def pairs(crossover):
    for first, second, want, why in CASES:
        got = number(
            "crossover(...)", call("crossover", crossover, list(LENGTHS), list(first), list(second), otherwise=NEVER)
        )
        if got == want:
            continue
        measured = got in LENGTHS or got == math.inf or got in range(len(LENGTHS))
        expect(measured, f"{got:g} is none of the lengths that were measured: return one of them, or math.inf.")
        extra = ""
        if got in range(len(LENGTHS)):
            extra = " (Return the length, not its place.)"
        elif why.startswith("The second") and got == (64 if want == math.inf else math.inf):
            extra = " (Did you exchange the two models?)"
        expect(False, f"For lengths {LENGTHS}, first {first}, second {second}: {got:g} is not it. {why}{extra}")
