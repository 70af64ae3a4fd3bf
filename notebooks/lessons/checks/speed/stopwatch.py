"""A timer judged by how it calls and by calls of known length, whatever clock it reads."""

import time

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "stopwatch"
points = 1

USUAL, SLOW = 0.02, 0.3  # seconds: far enough apart to be told from each other on a busy machine


def measured(stopwatch, costs, repeats, warmup):
    calls = []

    def run():
        time.sleep(costs[min(len(calls), len(costs) - 1)])
        calls.append(1)

    seconds = number("stopwatch(...)", call("stopwatch", stopwatch, run, repeats, warmup))
    expect(
        len(calls) == repeats + warmup,
        f"With repeats={repeats} and warmup={warmup}, run() is called {len(calls)} times, not {repeats + warmup}.",
    )
    return seconds / USUAL


@test_case(name="calls of known length")
def known(stopwatch):
    ratio = measured(stopwatch, [USUAL] * 7, 5, 2)
    expect(ratio != 0, "You return 0: seconds are not rounded, and run() stands between the two readings of the clock.")
    expect(
        ratio > 0.5, "The result is too small: seconds of one call, with run() between the two readings of the clock."
    )
    expect(not 4 < ratio < 9, "That is the time of all calls together; return the median of one call.")
    afresh = "That is the middle of times that grow: is the clock read afresh before every call?"
    expect(not 2.5 < ratio <= 4, afresh)
    expect(ratio < 3, f"Every call takes {USUAL} s, you return {ratio * USUAL:.3g}: seconds of one call are asked for.")
    ratio = measured(stopwatch, [8 * USUAL] * 6 + [USUAL] * 3, 3, 6)
    first = "The slow warm-up calls are in your times: call run() `warmup` times first, without timing it"
    expect(ratio < 3, f"{first} (or are `repeats` and `warmup` exchanged?).")
    ratio = measured(stopwatch, [USUAL, USUAL, SLOW, USUAL, USUAL, USUAL], 5, 1)
    expect(ratio < 2.5, "One slow call among five moves your result: take the median, not the mean or the maximum.")
    ratio = measured(stopwatch, [USUAL, USUAL, USUAL, SLOW, USUAL, USUAL], 5, 1)
    expect(ratio < 2.5, "The third of five calls was slow: the median is the middle by size, not by order.")
    ratio = measured(stopwatch, [USUAL, USUAL, USUAL, 4 * USUAL, 4 * USUAL, 4 * USUAL], 5, 1)
    expect(ratio > 2.5, "Three of five calls are slow, and your result does not show it: is it the fastest call?")
