"""The factor that halves the total loss: by its definition, and infinite below the floor."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number

OK_FORMAT = False
name = "halving"
points = 1


@test_case(name="a loss that can be halved")
def reachable(to_halve):
    for E, A, alpha, N in ((0.0, 20.0, 0.3, 1e5), (0.5, 40.0, 0.25, 1e4), (1.0, 300.0, 0.5, 1e3)):
        factor = number("to_halve(...)", call("to_halve", to_halve, E, A, alpha, N))
        want = (((E + A * N**-alpha) / 2 - E) / A) ** (-1 / alpha) / N
        if close(factor, want, 1e-3):
            continue
        expect(
            E == 0 or not close(factor, 2 ** (1 / alpha), 1e-3),
            "2^(1/alpha) halves only the part above the floor, A N^-alpha. With E above 0 the total loss needs more:"
            " solve E + A M^-alpha = L(N)/2 for M.",
        )
        expect(not close(factor, want * N, 1e-3), "That is the new size M. Asked for is the factor: M divided by N.")
        expect(not close(factor * want, 1, 1e-3), "That is the inverse of the factor: N must grow, so it is above 1.")
        expect(False, f"For E={E}, A={A}, alpha={alpha}, N={N:g}: L(factor * N) should be L(N)/2, and is not.")


@test_case(name="a loss that cannot be halved")
def unreachable(to_halve):
    for E, A, alpha, N in ((3.197, 10.0, 0.344, 1e7), (2.0, 5.0, 0.3, 1e6)):
        factor = call("to_halve", to_halve, E, A, alpha, N, otherwise="Where no size does it, return math.inf.")
        expect(not isinstance(factor, complex), "A complex number: its base is negative, half the loss is below E.")
        factor = number("to_halve(...)", factor)
        why = "half of the loss is below the floor E: no size does it, so return math.inf"
        expect(factor == math.inf, f"For E={E}, A={A}, alpha={alpha}, N={N:g} {why}.")
