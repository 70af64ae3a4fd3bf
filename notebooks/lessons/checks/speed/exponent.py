"""Slopes of planted power laws."""

import numpy
from otter.test_files import test_case

from seqmix_study.classroom.hints import (
    call,
    close,
    digest,
    expect,
    given,
    hidden,
    number,
    teachers,
    values_are,
    withheld,
)

OK_FORMAT = False
name = "exponent"
points = 1


LENGTHS = [64.0, 128.0, 256.0, 1024.0, 4096.0]
LAWS = ((1.77, 1e-5), (1.0, 1e-3), (2.0, 1e-6), (0.5, 3.0))


@withheld
def SEEN():
    return [digest(["short", 0]), digest(["middle", 1]), digest(["long", 2])]


@withheld
def KNOWN():
    import numpy as np

    usual, n, found = teachers("usual"), np.array(LENGTHS), []
    for p, scale in LAWS:
        seconds = scale * n**p
        both = "Take the logarithm of *both*, lengths and seconds."
        bases = "Two bases of logarithms: both have to be the same."
        known = [
            [1 / p, "That is 1/p: lengths on the x axis, seconds on the y axis."],
            [-p, "The sign is wrong: time that grows has a positive exponent."],
            [np.polyfit(n, seconds, 1)[0], "That is the slope of seconds against T: take the logarithm of both first."],
            [np.polyfit(n, np.log(seconds), 1)[0], both],
            [np.polyfit(np.log(n), seconds, 1)[0], both],
            [p * np.log(10), bases],
            [p / np.log(10), bases],
            [p * np.log(2), bases],
            [p / np.log(2), bases],
            [np.log(scale), "That is the intercept; np.polyfit returns the slope first."],
        ]
        x, y, start = (
            np.log(n),
            np.log(seconds),
            "Your line goes through the origin; a line has a start of its own, too.",
        )
        known += [
            [(x @ y) / (x @ x), start],
            [(y / x).mean(), start],
            [y[-1] / x[-1], start],
            [y.sum() / x.sum(), start],
        ]
        ratio, less = (
            "That is a ratio of ratios: take the logarithm of both.",
            "That is the exponent of the seconds *a token*.",
        )
        known += [[(seconds[-1] / seconds[0]) / (n[-1] / n[0]), ratio], [(seconds[-1] / seconds[0]), ratio]]
        known += [[p - 1, less], [np.polyfit(np.log(n[1:]), np.log(np.diff(seconds) / np.diff(n)), 1)[0], less]]
        known += usual(p)
        if p != round(p):
            known += [[float(way(p)), "Do not round: an exponent need not be whole."] for way in (np.floor, np.ceil)]
        found.append(hidden(p, known, 1e-3))
    return found


@withheld
def NOISY():
    import numpy as np

    lengths = np.geomspace(64, 8192, 15)
    seconds = 1e-5 * lengths**1.5
    seconds[[0, -1]] *= 1.6, 0.7  # one slow and one fast call, at the ends
    x, y = np.log(lengths), np.log(seconds)
    return [lengths.tolist(), seconds.tolist(), (y[-1] - y[0]) / (x[-1] - x[0]), np.polyfit(x, y, 1)[0]]


@test_case(name="planted exponents")
def planted(exponent):
    lengths, case = numpy.array(LENGTHS), "exponent(...) for seconds that grow like T^{}"
    got = {case.format(p): call("exponent", exponent, lengths.copy(), scale * lengths**p) for p, scale in LAWS}

    def hint(n):
        p, mine = LAWS[n][0], number("exponent(...)", list(got.values())[n])
        twice = f"2 to the power of yours is {2**mine:.3g}" if abs(mine) < 99 else "your exponent says otherwise"
        return f"Twice the length takes {2**p:.3g} times as long here; {twice}."

    values_are(got, KNOWN(), hint, 1e-3)


@test_case(name="noisy times")
def noisy(exponent):
    lengths, seconds, two, line = NOISY()
    got = number("exponent(...)", call("exponent", exponent, numpy.array(lengths), numpy.array(seconds)))
    expect(not close(got, two, 0.02), "Two points decide your slope, and one of them was disturbed: use all points.")
    expect(
        close(got, line, 0.03),
        f"These times grow like T^1.5 but for a disturbed call at either end; your {got:.3f} is not the least-squares"
        " slope over all of them.",
    )


@test_case(name="what was seen")
def seen(observed):
    expect(hasattr(given("observed", observed), "keys"), "`observed` should stay a dictionary with three entries.")
    for part, want in zip(("short", "middle", "long"), SEEN(), strict=True):
        expect(part in observed, f"`observed` has no entry {part}.")
        got = number(f"observed[{part!r}]", observed[part])
        expect(
            digest([part, round(got)]) == want,
            f"observed[{part!r}] is {got:g}: round what was printed for that range to the nearest whole number.",
        )
