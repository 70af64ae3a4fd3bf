"""Standard errors between two estimates."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import hidden, number, value_is, withheld

OK_FORMAT = False
name = "difference"
points = 1


@withheld
def VALUES():
    import math

    chance = "That is a probability; asked for is how many standard errors the two lie apart."
    one, two, gap = 0.063, 0.046, 0.412 - 0.171
    error = (one**2 + two**2) ** 0.5
    return hidden(
        gap / error,
        [
            [gap / (one + two), "Independent errors do not add up: their squares do."],
            [gap / abs(one - two), "Independent errors are not subtracted: their squares add up."],
            [gap / (one + two) ** 0.5, "Independent errors do not add up, their squares do: square before the sum."],
            [gap / (one**2 - two**2) ** 0.5, "Independent errors are not subtracted: their squares *add* up."],
            [gap / (one**2 * two**2) ** 0.25, "Independent errors are not multiplied: their squares add up."],
            [gap / one, "You divided by the GRU's error alone; the Transformer's estimate is uncertain too."],
            [gap / two, "You divided by the Transformer's error alone; the GRU's estimate is uncertain too."],
            [gap / error**2, "You divided by the variance: take its square root."],
            [gap / (error / 2**0.5), "You averaged the variances or the errors; the variances add."],
            [(0.412 + 0.171) / error, "That is the sum of the estimates; the difference was asked for."],
            [0.412 / 0.171, "That is the ratio of the estimates; the difference was asked for, in standard errors."],
            [
                0.412 / one - 0.171 / two,
                "That is the difference of two ratios: take the difference of the estimates first.",
            ],
            [round(gap / error), "Rounded too far: give three figures."],
            [gap, "That is the difference itself; divide it by the standard error of the difference."],
            [error, "That is the standard error of the difference; how often does it fit into the difference?"],
            [error / gap, "It is the other way round: the difference in units of its standard error."],
            [math.erfc(gap / error / 2**0.5), chance],
            [math.erfc(gap / error / 2**0.5) / 2, chance],
            [math.erf(gap / error / 2**0.5), chance],
            *[
                [
                    gap / error * n**0.5,
                    "The errors are those of the estimates already: nothing is divided by a root of n.",
                ]
                for n in (2, 3, 4, 5, 6, 8, 10)
            ],
            [gap / (one**2 + two**2) ** 0.25, "You took the root twice."],
            [gap / (one * two) ** 0.5, "That divides by a mean of the two errors: their squares add up."],
            [gap / max(one, two) * 2**0.5, "You took one error for both: their squares add up."],
            [gap / one / 2**0.5, "You took one error for both: their squares add up."],
            [gap / two / 2**0.5, "You took one error for both: their squares add up."],
            [(gap / error) ** 2, "That is the square of what was asked for."],
            [gap / 0.171, "That is a relative difference; asked for is the difference in standard errors."],
            [gap / 0.412, "That is a relative difference; asked for is the difference in standard errors."],
            [gap - 1.96 * error, "That is the end of an interval; asked for is the difference in standard errors."],
            [gap + 1.96 * error, "That is the end of an interval; asked for is the difference in standard errors."],
            [1.96 * error, "That is the half-width of an interval; asked for is the difference in standard errors."],
        ],
    )


@test_case(name="standard errors between the two")
def between(apart):
    size = abs(number("apart", apart))  # either direction of the difference is fine
    hint = "By which error do you divide? That of one estimate is not that of a difference."
    value_is("apart", size, *VALUES(), hint)
