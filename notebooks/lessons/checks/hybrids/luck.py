"""Gaps between identical arms, within Monte Carlo error."""

import re

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, close, digest, expect, given, guessed, numbers, withheld

OK_FORMAT = False
name = "luck"
points = 1

TRIALS = 4000


@withheld
def SEEN():
    return [digest(["shrink", "grow"]), digest(["grow", "shrink"])]


@withheld
def VALUES():
    found = []
    for arms, sd in ((13, 1.0), (13, 0.1), (3, 1.0), (2, 2.0)):
        tables = np.sort(np.random.default_rng(5).normal(0, sd, (20_000, arms)), axis=1)
        seconds, worsts = tables[:, 1] - tables[:, 0], tables[:, -1] - tables[:, 0]
        want = [seconds.mean(), worsts.mean()]

        def flat(half, arms=arms, sd=sd):
            return [2 * half * sd / (arms + 1), 2 * half * sd * (arms - 1) / (arms + 1)]

        both = [
            [want[::-1], "The two are exchanged."],
            [[x / sd for x in want], "The gaps do not shrink with sd: is the noise scaled?"],
            [[x / sd**0.5 for x in want], "Is `sd` a standard deviation in your code, or a variance?"],
            [[x * sd for x in want], "Is `sd` a standard deviation in your code, or a variance?"],
            [[np.median(seconds), np.median(worsts)], "These are medians over the tables; two *means* were asked for."],
            [flat(1.0), "Is your noise normal? Uniform noise has other ends."],
            [flat(3**0.5), "Is your noise normal? Uniform noise has other ends."],
            [flat(0.5), "Is your noise normal? Uniform noise has other ends."],
            [[TRIALS * x for x in want], "These are sums over all tables; their means were asked for."],
            [[-want[0], -want[1]], "A gap is negative: sort from small to large, then subtract the smallest."],
        ]
        one = [
            [1, want[1] / arms, "The gap to the worst is one gap of a table: it is not divided by the arms."],
            [1, want[1] - want[0], "The second is from the second to the worst; asked for is from the best."],
            [1, want[1] / 2, "The second is half of the gap from best to worst."],
            [0, want[0] / 2, "The first is half of the gap from best to second."],
            [1, -tables[:, 0].mean(), "The second is the gap from the best to the *mean*; to the worst was asked for."],
            [
                0,
                want[1] / (arms - 1),
                "The first is the mean gap between neighbours; only best to second was asked for.",
            ],
        ]
        found.append([arms, sd, want, both, one])
    return found


@test_case(name="gaps")
def gaps(luck):
    for arms, sd, want, both, one in VALUES():
        result = call("luck", luck, arms, sd, np.random.default_rng(1), TRIALS)
        got = numbers("luck", result, "mean gap best to second, mean gap best to worst")
        case = f"For {arms} arms and sd={sd}: "
        if close(got[0], want[0], 0.08) and close(got[1], want[1], 0.08):
            continue
        for other, why in both:
            expect(not (close(got[0], other[0], 0.08) and close(got[1], other[1], 0.08)), case + why)
        for place, other, why in one:
            expect(not (close(got[place], other, 0.05) and close(got[1 - place], want[1 - place], 0.08)), case + why)
        one_off = [number for number, (x, y) in enumerate(zip(got, want, strict=True)) if close(x, y, 0.08)]
        if one_off:
            named = ("the gap to the worst", "the gap to the second")[one_off[0]]
            case += f"the other one is right, {named} is not. "
        text = "Is each gap taken within one table, from its best run, before you average?"
        expect(False, f"{case}{got[0]:.3f} and {got[1]:.3f} are not the mean gaps. {text}")


class Skewed(np.random.Generator):
    """Noise of mean 0 and spread 1 that is not symmetric: its two ends differ, as those of normal noise do not."""

    def normal(self, loc=0.0, scale=1.0, size=None):
        return loc + scale * (self.standard_exponential(size) - 1)

    def standard_normal(self, size=None, *_, **__):
        return self.standard_exponential(size) - 1


@test_case(name="the end that is best")
def end(luck):
    rng = Skewed(np.random.PCG64(1))
    got = numbers("luck", call("luck", luck, 5, 1.0, rng, TRIALS), "mean gap best to second, mean gap best to worst")
    usual = numbers("luck", call("luck", luck, 5, 1.0, np.random.default_rng(1), TRIALS), "gap to second, to worst")
    wrong = "You take the largest loss for the best: the best run has the smallest. (Normal noise hides it.)"
    expect(
        not (close(usual[0], 0.668, 0.1) and close(got[0], 1.0, 0.1)), wrong
    )  # the two largest of exponential noise are one spread apart


@test_case(name="what was seen")
def seen(observed):
    if isinstance(given("observed", observed), str):
        observed = re.findall(r"\b(?!and\b)\w+", observed)
    if isinstance(observed, dict) or not hasattr(observed, "__len__") or len(observed) != 2:
        raise Hint("`observed` should be two words: for the gap to the second, and for the gap to the worst.")
    words = digest([guessed("observed", word, ("grow", "shrink", "same")) for word in observed])
    right, exchanged = SEEN()
    expect(words != exchanged, "`observed` has the two gaps exchanged: best to second comes first.")
    hint = "`observed` is not what the loop prints: follow each of the two columns from few arms to many."
    expect(words == right, hint)
