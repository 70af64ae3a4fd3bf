"""Slopes of planted power laws."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, given, number

OK_FORMAT = False
name = "exponent"
points = 1


@test_case(name="planted exponents")
def planted(exponent):
    lengths = np.array([64.0, 128, 256, 1024, 4096])
    for p, scale in ((1.0, 1e-3), (2.0, 1e-6), (0.5, 3.0), (1.77, 1e-5)):
        seconds = scale * lengths**p
        got = number("exponent(...)", call("exponent", exponent, lengths.copy(), seconds.copy()))
        if close(got, p, 1e-3):
            continue
        case = f"For seconds that grow like T^{p}"
        expect(not close(got, 1 / p, 1e-3), f"{case} you return 1/p: lengths on the x axis, seconds on the y axis.")
        expect(not close(got, -p, 1e-3), f"{case} the sign is wrong.")
        plain = np.polyfit(lengths, seconds, 1)[0]
        expect(not close(got, plain, 1e-3), "That is the slope of seconds against T: take the logarithm of both first.")
        half = np.polyfit(lengths, np.log(seconds), 1)[0], np.polyfit(np.log(lengths), seconds, 1)[0]
        expect(not any(close(got, each, 1e-3) for each in half), "Take the logarithm of *both*, lengths and seconds.")
        expect(not close(got, np.log(scale), 1e-3), "That is the intercept; np.polyfit returns the slope first.")
        expect(False, f"{case} you return {got:.3f}.")


@test_case(name="noisy times")
def noisy(exponent):
    lengths = np.geomspace(64, 8192, 15)
    seconds = 1e-5 * lengths**1.5
    seconds[[0, -1]] *= 1.6, 0.7  # one slow and one fast call, at the ends
    got = number("exponent(...)", call("exponent", exponent, lengths.copy(), seconds.copy()))
    x, y = np.log(lengths), np.log(seconds)
    two = (y[-1] - y[0]) / (x[-1] - x[0])
    expect(not close(got, two, 0.02), "Two points decide your slope, and one of them was disturbed: use all points.")
    expect(
        close(got, 1.5, 0.08),
        f"The times grow like T^1.5 but for a disturbed call at either end; your {got:.3f} follows these two calls."
        " Fit one line through all points.",
    )


@test_case(name="a prediction was made, and what was seen")
def seen(prediction, observed):
    for name, value in (("prediction", prediction), ("observed", observed)):
        given(name, value)
        expect(isinstance(value, dict), f"`{name}` should stay a dictionary with three entries.")
        missing = sorted({"short", "middle", "long"} - set(value))
        expect(not missing, f"`{name}` has no entry {', '.join(missing)}.")
        for part in ("short", "middle", "long"):
            number(f"{name}[{part!r}]", value[part])
    for part, want in (("short", 0), ("middle", 1), ("long", 2)):
        got = number(f"observed[{part!r}]", observed[part])
        expect(
            abs(got - want) < 0.35,
            f"observed[{part!r}] is {got:g}: round what was printed for that range to the nearest whole number.",
        )
