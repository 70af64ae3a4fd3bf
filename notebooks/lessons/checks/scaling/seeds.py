"""Seeds for an effect: judged by the definition."""

import math

from otter.test_files import test_case
from scipy import stats

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "seeds"
points = 1


def half_width(sd, n, t=None):
    return (t or stats.t.ppf(0.975, 2 * n - 2)) * sd * math.sqrt(2 / n)


def smallest_with(width, effect):
    return next(n for n in range(2, 10_000) if width(n) <= effect + 1e-12)


@test_case(name="the smallest n")
def smallest(seeds_needed):
    for sd, effect in ((0.05, 0.05), (0.06, 0.1), (0.1, 0.02), (0.03, 0.5), (0.02, 0.011)):
        n = number("seeds_needed(...)", call("seeds_needed", seeds_needed, sd, effect))
        case = f"sd={sd}, effect={effect}"
        expect(n == int(n), f"For {case} you return {n:.3f}: one cannot train a fraction of a run. Round up.")
        expect(n >= 2, f"For {case} you return {n:.0f}: with one seed there is no spread to measure. At least 2.")
        n = int(n)
        normal = smallest_with(lambda k: half_width(sd, k, 1.96), effect)  # noqa: B023
        one_arm = smallest_with(lambda k: half_width(sd, k) / math.sqrt(2), effect)  # noqa: B023
        one_arm_normal = max(2, math.ceil((1.96 * sd / effect) ** 2 - 1e-9))
        one_sided = smallest_with(lambda k: half_width(sd, k, stats.t.ppf(0.95, 2 * k - 2)), effect)  # noqa: B023
        if half_width(sd, n) > effect + 1e-12:
            why = ""
            if n == normal:
                why = " A fixed 1.96 belongs to a spread that is known; yours is estimated from few runs."
            elif n in (one_arm, one_arm_normal):
                why = " Both arms vary: the 2 under the root is missing."
            elif n == one_sided:
                why = " That is the quantile of one side: 2.5 % lie beyond each end of a 95 % interval."
            expect(False, f"For {case} n={n} is too few: the half-width is {half_width(sd, n):.4f}.{why}")
        more = " Both arms together have 2n - 2 degrees of freedom." if n <= 1.5 * normal else ""
        expect(n == 2 or half_width(sd, n - 1) > effect, f"For {case} n={n} works, but a smaller n does, too.{more}")
