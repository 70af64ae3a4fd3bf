"""The steepness of a line through a law with a floor."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, guessed, number

OK_FORMAT = False
name = "offset"
points = 1

SIZES = [1e3, 1e4, 1e5, 1e6]


@test_case(name="the steepness")
def steepness(apparent):
    for E, A, alpha in ((0.0, 20.0, 0.3), (1.5, 20.0, 0.3), (3.0, 8.0, 0.4)):
        got = number("apparent(...)", call("apparent", apparent, E, A, alpha, SIZES))
        want = -np.polyfit(np.log(SIZES), np.log(E + A * np.array(SIZES) ** -alpha), 1)[0]
        if close(got, want, 0.01):
            continue
        expect(not close(got, -want, 0.01), "The size is right, the sign is not: return a positive number.")
        above = E == 0 or not close(got, alpha, 0.01)
        expect(
            above, "You fitted the part above the floor. The mistake to imitate is ln of the *total* loss, E included."
        )
        expect(
            False,
            f"For E={E}, A={A}, alpha={alpha}: fit ln L against ln N by a straight line; expected about {want:.3f}.",
        )


@test_case(name="a prediction was made, and what was seen")
def seen(prediction, observed):
    guessed("prediction", prediction, ("smaller", "larger", "same"))
    expect(
        guessed("observed", observed, ("smaller", "larger", "same")) == "smaller",
        "Look at the printed values for E = 0, 1, 2, 3. Far to the right the loss is nearly E: how steep is it there?",
    )
