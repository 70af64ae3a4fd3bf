"""A fit of two laws that share their exponent: judged by what it recovers."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, numbers, withheld

OK_FORMAT = False
name = "fit"
points = 1

SIZES = np.geomspace(1e4, 1e7, 7)
LAWS = ((2.0, 60.0, 1.2, 25.0, 0.4), (1.0, 15.0, 3.0, 20.0, 0.25), (3.0, 400.0, 2.2, 250.0, 0.6))
APART = (2.0, 60.0, 0.5, 1.0, 15.0, 0.25)
"""Two laws with exponents of their own, of which one exponent is still the best."""


def law(E, A, alpha):
    return E + A * SIZES**-alpha


@withheld
def STRAIGHT():
    return [[-np.polyfit(np.log(SIZES), np.log(law(*one, a)), 1)[0] for one in ((E, A), (F, B))]
            for E, A, F, B, a in LAWS]  # fmt: skip


@withheld
def TOGETHER():
    """The one exponent of the two laws with exponents of their own: by least squares over both."""
    from scipy import optimize

    both = np.stack([law(*APART[:3]), law(*APART[3:])])

    def error(alpha):
        x = SIZES**-alpha
        return sum(((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2).sum() for y in both)

    return float(optimize.minimize_scalar(error, bounds=(0.05, 1), method="bounded").x)


@test_case(name="two laws with one exponent")
def recovers(fit):
    found = [
        numbers("fit", call("fit", fit, SIZES.copy(), law(E, A, alpha), law(F, B, alpha)), "E1, E2, alpha")
        for E, A, F, B, alpha in LAWS
    ]
    expect(found[0] != found[1], "You return the same three numbers for other losses: they are to come from the data.")
    for (E, A, F, B, alpha), straight, got in zip(LAWS, STRAIGHT(), found, strict=True):
        if close(got[0], E, 0.03) and close(got[1], F, 0.03) and close(got[2], alpha, 0.03):
            continue
        expect(not close(got[2], -alpha, 0.03), "alpha has the wrong sign: the law is N to the power *minus* alpha.")
        alike = all(close(a, b, 0.03) for a, b in zip(sorted(got), sorted((E, F, alpha)), strict=True))
        expect(not alike, "These are the right numbers in another order: return (E1, E2, alpha).")
        lines = any(close(got[2], one, 0.02) for one in (*straight, sum(straight) / 2))
        expect(not lines, "That is a line through ln L: it has no floor. Fit E1 and E2 as well.")
        expect(not any(close(got[n], amplitude, 0.05) for n, amplitude in ((0, A), (1, A), (1, B))),
               "Among the three numbers is an amplitude A: the floors were asked for.")  # fmt: skip
        ends = [(law(E, A, alpha)[n], law(F, B, alpha)[n]) for n in (0, -1)]
        seen = any(close(got[0], one, 0.002) and close(got[1], other, 0.002) for one, other in ends)
        expect(not seen, "Your floors are losses that were measured: a floor lies below all of them.")
        scale = any(close(got[2], alpha * by, 0.02) for by in (2.302585, 1 / 2.302585, 0.693147, 1 / 0.693147))
        expect(not scale, "alpha is right but for a base of logarithms: it is the power of N itself.")
        expect(not close(got[2], 1 / alpha, 0.02), "That is 1 / alpha: the exponent itself was asked for.")
        made = f"For losses made with E1={E}, E2={F}, alpha={alpha} you found {got[0]:.3g}, {got[1]:.3g}, {got[2]:.3g}."
        expect(close(got[2], alpha, 0.03), f"{made} Is your search over alpha fine and wide enough, and its error"
               " smallest at the end?")  # fmt: skip
        expect(False, f"{made} With this alpha, each floor is where its line meets x = 0.")


@test_case(name="two laws that do not quite share it")
def together(fit):
    own = APART[2], APART[5]
    got = numbers("fit", call("fit", fit, SIZES.copy(), law(*APART[:3]), law(*APART[3:])), "E1, E2, alpha")[2]
    if close(got, TOGETHER(), 0.03):
        return
    apart = "The two laws here have exponents of their own, {} and {}.".format(*own)
    expect(
        not any(close(got, one, 0.04) for one in own),
        f"{apart} You return nearly that of one: one alpha for *both*, where the sum of"
        " all squared errors is smallest, on a grid that is fine enough.",
    )
    expect(
        not close(got, sum(own) / 2, 0.04), f"{apart} You return their mean: which one alpha has the smallest error?"
    )
    expect(False, f"{apart} You return {got:.3g}: is it the *sum* of both squared errors that is smallest there?")
