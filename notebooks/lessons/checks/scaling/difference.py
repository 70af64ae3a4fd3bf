"""The difference of two estimates in units of its standard error."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import number, value_is

OK_FORMAT = False
name = "difference"
points = 1

GAP, ERRORS = 0.344289 + 0.543590, (0.796058, 0.213005)


@test_case(name="standard errors between the two")
def between(apart):
    value_is(
        "apart",
        abs(number("apart", apart)),  # either direction of the difference is fine
        GAP / math.hypot(*ERRORS),
        [
            (GAP / sum(ERRORS), "Independent errors do not add up: their squares do."),
            (GAP / ERRORS[0], "You divided by the LSTM's error alone; the Transformer's estimate is uncertain too."),
            (GAP / ERRORS[1], "You divided by the Transformer's error alone; the LSTM's is much larger."),
            (GAP / (ERRORS[0] ** 2 + ERRORS[1] ** 2), "You divided by the variance: take its square root."),
            (
                GAP / (math.hypot(*ERRORS) / math.sqrt(2)),
                "You averaged the variances; they add.",
            ),
            (abs(0.344289 - 0.543590) / math.hypot(*ERRORS), "The Transformer's exponent is negative: mind the sign."),
            (GAP, "That is the difference itself; divide it by the standard error of the difference."),
        ],
        "Divide the difference of the estimates by the standard error of that difference (variances add).",
    )
