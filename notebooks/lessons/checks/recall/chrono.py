"""A forget-gate bias for a distance: judged by what is left, so the exact and the usual formula both pass."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "chrono"
points = 1


@test_case(name="about 1/e is left")
def left_over(bias_for):
    for T in (10, 30, 100, 1000):
        b = number("bias_for(...)", call("bias_for", bias_for, T))
        left = (1 / (1 + math.exp(-b))) ** T if b > -50 else 0.0
        if 0.33 < left < 0.41:
            continue
        gate = 0 < b < 1 and 0.3 < b**T < 0.42
        expect(not gate, "That is the gate's value sigma(b). Asked for is the bias b: invert the sigmoid.")
        half = 0.46 < left < 0.54
        expect(not half, "That is the bias for a half-life of T. Asked for: 1/e of the content left after T steps.")
        way = "longer: raise the bias" if left < 0.33 else "shorter: lower the bias"
        expect(
            False,
            f"For T={T} your bias {b:.3g} leaves {left:.3g} after T steps; 1/e is 0.368. The memory must be {way}.",
        )
