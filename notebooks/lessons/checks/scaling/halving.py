"""The factor of N that halves the whole loss, and infinity where none does."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, hidden, number, teachers, values_are, withheld

OK_FORMAT = False
name = "halving"
points = 1

LAWS = ((0.5, 40.0, 0.25, 1e4), (0.0, 20.0, 0.3, 1e5), (1.0, 300.0, 0.5, 1e3), (1.0, 30.0, 0.3, 1e4))


@withheld
def VALUES():
    mutants, usual, found = teachers("mutants"), teachers("usual"), []
    for E, A, alpha, N in LAWS:
        loss = E + A * N**-alpha
        want = ((loss / 2 - E) / A) ** (-1 / alpha) / N
        popular = (
            "2^(1/alpha) halves only the part above the floor, A N^-alpha. With E above 0 the total loss needs more."
        )
        found.append(
            hidden(
                want,
                [
                    [2 ** (1 / alpha), popular],
                    [want * N, "That is the new size M. Asked for is the factor: M divided by N."],
                    [1 / want, "That is the inverse of the factor: N must grow, so it is above 1."],
                    [2**alpha, "The exponent is turned over: a small alpha needs a *large* factor."],
                    [(loss / 2 / A) ** (-1 / alpha) / N, "The floor is forgotten: E does not shrink."],
                    [math.inf, "Half of this loss lies above the floor E, so there is such a size."],
                    [want - 1, "That is by how much more; asked for is the factor."],
                    [2.0, "Doubling N does not halve a loss, unless alpha is 1 and there is no floor."],
                    [loss / 2, "That is half the loss; asked for is the factor of N that leads to it."],
                    [
                        (loss / 2 - E) ** (-1 / alpha) / N,
                        "A is missing: what lies above the floor is A times the power.",
                    ],
                    [((loss / 2 - E) / A) ** -alpha / N, "To solve for N, take the power -1/alpha, not alpha."],
                    [((loss / 2 - E) / A) ** (1 / alpha) / N, "The sign of the exponent: the power is -1/alpha."],
                    *usual(want),
                ],
                1e-3,
            )
        )
        ways = (
            "(((E + A * N**-alpha) / 2 - E) / A)**(-1 / alpha) / N",
            "((A * N**-alpha) / ((A * N**-alpha - E) / 2))**(1 / alpha)",
            "exp(ln(A * N**-alpha / ((E + A * N**-alpha) / 2 - E)) / alpha)",
        )
        slips = mutants(*ways, E=E, A=A, N=N, alpha=alpha)
        found[-1].append(hidden(want, slips, 1e-3)[1])
    return found


@test_case(name="a loss that can be halved")
def reachable(to_halve):
    got = {"to_halve({}, {}, {}, {:g})".format(*law): call("to_halve", to_halve, *law) for law in LAWS}
    factors = [number(case, value) for case, value in got.items()]

    def hint(n):
        E, A, alpha, N = LAWS[n]
        now, then = E + A * N**-alpha, E + A * abs(factors[n] * N or 1) ** -alpha
        coarse = " All your factors are whole numbers: do you try whole steps only, or round?"
        coarse *= all(factor == math.inf or factor == int(factor) for factor in factors)
        return (
            f"Put it to the test: {now:.4g} is the loss at N; at that many times N it is {then:.4g}, not half of"
            f" it.{coarse}"
        )

    values_are(got, VALUES(), hint, 1e-3)


@test_case(name="a loss that cannot be halved")
def unreachable(to_halve):
    for E, A, alpha, N in ((3.197, 10.0, 0.344, 1e7), (2.0, 5.0, 0.3, 1e6), (1.0, 10.0, 0.5, 100.0)):
        factor = call("to_halve", to_halve, E, A, alpha, N, otherwise="Where no size does it, return math.inf.")
        expect(not isinstance(factor, complex), "A complex number: its base is negative, half the loss is below E.")
        factor = number("to_halve(...)", factor)
        why = "half of the loss is not above the floor E: no size does it, so return math.inf"
        expect(factor == math.inf, f"For E={E}, A={A}, alpha={alpha}, N={N:g} {why}.")
