"""Slopes of planted power laws."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number

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
    lengths = np.geomspace(64, 8192, 8)
    seconds = 1e-5 * lengths**1.5 * np.exp(np.random.default_rng(0).normal(0, 0.03, 8))
    got = number("exponent(...)", call("exponent", exponent, lengths, seconds))
    expect(
        close(got, 1.5, 0.03),
        f"With a little noise it should be near 1.5, not {got:.3f}: use all points, not two of them.",
    )
