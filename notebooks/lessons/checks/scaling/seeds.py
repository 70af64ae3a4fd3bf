"""Seeds for an effect: judged by the definition."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "seeds"
points = 1


def half_width(sd, n):
    return 1.96 * sd * math.sqrt(2 / n)


@test_case(name="the smallest n")
def smallest(seeds_needed):
    for sd, effect in ((0.05, 0.05), (0.06, 0.1), (0.1, 0.02), (0.03, 0.5), (0.02, 0.011)):
        n = number("seeds_needed(...)", call("seeds_needed", seeds_needed, sd, effect))
        case = f"sd={sd}, effect={effect}"
        expect(n == int(n), f"For {case} you return {n:.3f}: one cannot train a fraction of a run. Round up.")
        expect(n >= 2, f"For {case} you return {n:.0f}: with one seed there is no spread to measure. At least 2.")
        if half_width(sd, n) > effect + 1e-12:
            one_arm = n == max(2, math.ceil((1.96 * sd / effect) ** 2))
            extra = " Both arms vary: the 2 under the root is missing." if one_arm else ""
            rounded = " Round up, not to the nearest." if half_width(sd, n + 1) <= effect and not one_arm else ""
            expect(
                False, f"For {case} n={n:.0f} is too few: the half-width is {half_width(sd, n):.4f}.{extra}{rounded}"
            )
        expect(n == 2 or half_width(sd, n - 1) > effect, f"For {case} n={n:.0f} works, but a smaller n does, too.")
