"""A paired difference with its interval."""

import numpy as np
from otter.test_files import test_case
from scipy import stats

from seqmix_study.classroom.hints import call, close, expect, numbers

OK_FORMAT = False
name = "gain"
points = 1

BEFORE = ([0.30, 0.45, 0.38, 0.52], [0.5, 0.5, 0.6], [0.2, 0.9, 0.4, 0.6, 0.7, 0.3])
AFTER = ([0.41, 0.55, 0.50, 0.61], [0.4, 0.7, 0.5], [0.25, 0.97, 0.43, 0.66, 0.78, 0.33])


@test_case(name="three pairs of stacks")
def pairs(gain):
    for before, after in zip(BEFORE, AFTER, strict=True):
        got = numbers("gain", call("gain", gain, list(before), list(after)), "mean difference, half-width")
        gaps, n = np.subtract(after, before), len(before)
        t, sd = stats.t.ppf(0.975, n - 1), gaps.std(ddof=1)
        half = t * sd / n**0.5
        if close(got[0], gaps.mean(), 1e-3, 1e-9) and close(got[1], half, 5e-3):
            continue
        expect(not close(got[0], -gaps.mean(), 1e-3), "The sign: after minus before.")
        expect(
            close(got[0], gaps.mean(), 1e-3, 1e-9), f"The mean difference is {got[0]:.4f}: is it after minus before?"
        )
        apart = np.hypot(np.std(before, ddof=1), np.std(after, ddof=1)) / n**0.5
        for wrong, why in (
            (
                1.96 * sd / n**0.5,
                "1.96 belongs to a spread that is known; with few seeds Student's quantile is larger.",
            ),
            (2 * sd / n**0.5, "The factor depends on the number of seeds: Student's quantile, not two."),
            (t * gaps.std() / n**0.5, "The standard deviation of a sample divides by n - 1."),
            (t * sd, "That is for one seed; the mean of n is more precise by the root of n."),
            (sd / n**0.5, "That is the standard error; multiply by Student's quantile."),
            (t * apart, "You treat the two lists as independent: take differences seed by seed first."),
            (stats.t.ppf(0.975, 2 * n - 2) * apart, "You treat the lists as independent: pair them seed by seed."),
            (stats.t.ppf(0.95, n - 1) * sd / n**0.5, "2.5 % lie beyond *each* end of a 95 % interval."),
            (stats.t.ppf(0.975, n) * sd / n**0.5, "The degrees of freedom are one fewer than the seeds."),
            (2 * half, "That is the whole width; the half-width was asked for."),
        ):
            expect(not close(got[1], wrong, 5e-3), f"For {n} seeds the half-width is not {got[1]:.4f}. {why}")
        expect(
            False, f"For {n} seeds the half-width is not {got[1]:.4f}: quantile times standard deviation over root n."
        )
