"""Gaps between identical arms: expected values within Monte Carlo error."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, close, expect, given, guessed, numbers

OK_FORMAT = False
name = "luck"
points = 1

TRIALS = 4000


@test_case(name="gaps")
def gaps(luck):
    for arms, sd in ((13, 1.0), (13, 0.1), (3, 1.0), (2, 2.0)):
        reference = np.sort(np.random.default_rng(5).normal(0, sd, (20_000, arms)), axis=1)
        second, worst = (reference[:, 1] - reference[:, 0]).mean(), (reference[:, -1] - reference[:, 0]).mean()
        result = call("luck", luck, arms, sd, np.random.default_rng(1), TRIALS)
        got = numbers("luck", result, "mean gap best to second, mean gap best to worst")
        case = f"For {arms} arms and sd={sd}"
        if close(got[0], second, 0.08) and close(got[1], worst, 0.08):
            continue
        expect(arms == 2 or not (close(got[1], second, 0.08) and close(got[0], worst, 0.08)), "The two are exchanged.")
        expect(min(got) >= 0, f"{case} a gap is negative: sort from small to large, then subtract the best (smallest).")
        expect(
            sd == 1.0 or not close(got[1], worst / sd, 0.08),
            f"{case} the gaps do not shrink with sd: is the noise scaled?",
        )
        medians = np.median(reference[:, 1] - reference[:, 0]), np.median(reference[:, -1] - reference[:, 0])
        alike = close(got[0], medians[0], 0.08) and close(got[1], medians[1], 0.08)
        expect(not alike, f"{case}: these are medians over the tables; two *means* were asked for.")
        centre, neighbours = -reference[:, 0].mean(), worst / (arms - 1)
        expect(not close(got[1], centre, 0.05), f"{case}: that is the gap from the best to the *mean*.")
        expect(
            not close(got[0], neighbours, 0.05),
            f"{case}: that is the mean gap between neighbours; only best to second was asked for.",
        )
        expect(
            False,
            f"{case} expected about {second:.3f} and {worst:.3f}, got {got[0]:.3f} and {got[1]:.3f}."
            " Draw all trials, sort each table, take the gaps, then average over the tables.",
        )


@test_case(name="a prediction was made, and what was seen")
def seen(prediction, observed):
    for name, value in (("prediction", prediction), ("observed", observed)):
        given(name, value)
        if isinstance(value, (str, dict)) or not hasattr(value, "__len__") or len(value) != 2:
            raise Hint(f"`{name}` should be two words: for the gap to the second, and for the gap to the worst.")
        for word in value:
            guessed(name, word, ("grow", "shrink", "same"))
    words = [guessed("observed", word, ("grow", "shrink", "same")) for word in observed]
    expect(words != ["grow", "shrink"], "`observed` has the two gaps exchanged: best to second comes first.")
    expect(
        words == ["shrink", "grow"],
        "`observed` is not what the loop prints: follow each of the two columns from few arms to many.",
    )
