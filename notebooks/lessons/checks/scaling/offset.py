"""The steepness of a line through a law with a floor."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, digest, expect, guessed, hidden, number, teachers, values_are, withheld

OK_FORMAT = False
name = "offset"
points = 1

SIZES = [1e3, 1e4, 1e5, 1e6]


WORDS = ("smaller", "larger", "same")
LAWS = ((1.5, 20.0, 0.3), (0.0, 20.0, 0.3), (0.5, 30.0, 0.4))


@withheld
def SEEN():
    return digest("smaller")


@withheld
def VALUES():
    import numpy as np

    usual, found, x = teachers("usual"), [], np.log(SIZES)
    for E, A, alpha in LAWS:
        losses = E + A * np.array(SIZES) ** -alpha
        y = np.log(losses)
        slope, start = np.polyfit(x, y, 1)
        two = -(y[-1] - y[0]) / (x[-1] - x[0])
        both = "Take the logarithm of *both*, sizes and losses."
        bases = "Two bases of logarithms: both have to be the same."
        above = "You fitted the part above the floor. The mistake to imitate is ln of the *total* loss, E included."
        points = "Two points decide your slope; fit one line through all of them."
        known = [
            [slope, "The size is right, the sign is not: return a positive number."],
            [-np.polyfit(x, losses, 1)[0], both],
            [-np.polyfit(SIZES, y, 1)[0], both],
            [-np.polyfit(SIZES, losses, 1)[0], both],
            [-slope * np.log(10), bases],
            [-slope / np.log(10), bases],
            [-1 / slope, "It is the other way round: ln N on the x axis, ln L on the y axis."],
            [-np.polyfit(y, x, 1)[0], "It is the other way round: ln N on the x axis, ln L on the y axis."],
            [start, "That is the intercept; np.polyfit returns the slope first."],
            [-start, "That is the intercept; np.polyfit returns the slope first."],
        ]
        through = "Your line goes through the origin: a line has a start of its own, too."
        known += [[alpha, above], [two, points]] if E else []
        steps, local = (
            -np.diff(y) / np.diff(x),
            "That is the slope between two neighbours: fit one line through all points.",
        )
        known += [*([wrong, local] for wrong in (steps[0], steps[-1])), [np.median(steps), local]] if E else []
        known += [
            [-(x @ y) / (x @ x), through],
            *((sign * wrong, through) for sign in (1, -1) for wrong in (y / x)[-1:]),
        ]
        known += [[-(y / x).mean(), through], [(y / x).mean(), through], *usual(-slope)]
        found.append(hidden(-slope, known, 1e-3))
    return found


@test_case(name="the steepness")
def steepness(apparent):
    pure = number("apparent", call("apparent", apparent, 0.0, 20.0, 0.7, list(SIZES)))
    hint = f"Where E is 0 the steepness is alpha itself: for alpha = 0.7 you return {pure:.4g}."
    got = {"apparent({}, {}, {}, ...)".format(*law): call("apparent", apparent, *law, list(SIZES)) for law in LAWS}
    values_are(got, VALUES(), lambda _: hint, 1e-3)


@test_case(name="what was seen")
def seen(observed):
    hint = "`observed` is not what the loop prints: compare every line with the one for E = 0."
    expect(digest(guessed("observed", observed, WORDS)) == SEEN(), hint)
