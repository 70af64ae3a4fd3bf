"""A fit of the law with its floor: judged by what it recovers."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, numbers, withheld

OK_FORMAT = False
name = "fit"
points = 1

SIZES = np.geomspace(1e4, 1e7, 7)
LAWS = ((2.0, 60.0, 0.4), (1.0, 15.0, 0.25), (3.0, 400.0, 0.6))


@withheld
def STRAIGHT():
    return [-np.polyfit(np.log(SIZES), np.log(E + A * SIZES**-alpha), 1)[0] for E, A, alpha in LAWS]


@test_case(name="laws without noise")
def recovers(fit):
    for (E, A, alpha), straight in zip(LAWS, STRAIGHT(), strict=True):
        got = numbers("fit", call("fit", fit, SIZES.copy(), E + A * SIZES**-alpha), "E, A, alpha")
        if close(got[0], E, 0.03) and close(got[1], A, 0.1) and close(got[2], alpha, 0.03):
            continue
        expect(not close(got[2], -alpha, 0.03), "alpha has the wrong sign: the law is N to the power *minus* alpha.")
        ordered = close(sorted(got)[0], sorted((E, A, alpha))[0], 0.05) and close(max(got), A, 0.15)
        expect(not ordered, "These are the right numbers in another order: return (E, A, alpha).")
        expect(not close(got[2], straight, 0.02), "That is the line through ln L: it has no floor. Fit E as well.")
        expect(
            close(got[2], alpha, 0.1),
            f"For losses made with E={E}, A={A}, alpha={alpha} you found E={got[0]:.3g}, A={got[1]:.3g},"
            f" alpha={got[2]:.3g}. Is your search over alpha fine and wide enough, and its error smallest at the end?",
        )
        expect(
            False,
            f"alpha is near {alpha}, but E or A is off (E={got[0]:.3g}, A={got[1]:.3g}): if you rescaled N,"
            " scale A back; a finer grid of alpha helps too.",
        )


@test_case(name="losses with a little noise")
def tolerant(fit):
    noise = np.random.default_rng(0).normal(0, 1e-4, SIZES.size)
    alpha = numbers("fit", call("fit", fit, SIZES.copy(), 2.0 + 60.0 * SIZES**-0.4 + noise), "E, A, alpha")[2]
    expect(
        close(alpha, 0.4, 0.1),
        "With a little noise alpha should still be near 0.4: do not demand an exact fit.",
    )
