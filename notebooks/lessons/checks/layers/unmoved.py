"""Accuracy of who ignores the swaps."""

from otter.test_files import test_case

from seqmix.data.boxes import unmoved_accuracy
from seqmix_study.classroom.hints import call, expect, number, value_is

OK_FORMAT = False
name = "unmoved"
points = 1


@test_case(name="the accuracy")
def accuracy(unmoved):
    for swaps in (0, 1, 2, 3, 8):
        got = number("unmoved(...)", call("unmoved", unmoved, swaps))
        want = unmoved_accuracy(swaps)
        if abs(got - want) < 0.025:
            continue
        case = f"After {swaps} swaps"
        expect(abs(got - 100 * want) > 2.5, f"{case} you return {got:.3g}: an accuracy lies between 0 and 1.")
        expect(swaps == 0 or abs(got - (1 - want)) > 0.025, f"{case} you return the share of *wrong* answers.")
        expect(
            swaps < 2 or abs(got - 0.6**swaps) > 0.015,
            f"{case} you return 0.6 to the power {swaps}: a key that was moved away can be moved back.",
        )
        pairs = "How many of the ten pairs hold the key's box?"
        back = "And with which probability does a swap bring a moved key back?" if swaps > 1 else ""
        expect(False, f"{case} you return {got:.3f}. {pairs} {back}")


@test_case(name="a prediction was made, and what was seen")
def seen(prediction, observed):
    number("prediction", prediction)
    value_is(
        "observed",
        observed,
        1 / 5,
        [
            (0.0, "Moved often enough, a key is anywhere with equal probability: is that zero?"),
            (0.5, "Look at the last line that was printed."),
            (1 / 4, "There are five boxes, the first one included."),
            (20.0, "As an accuracy, not in percent."),
        ],
        "Read the last lines that were printed: which number do they approach?",
        rtol=0.08,
    )
