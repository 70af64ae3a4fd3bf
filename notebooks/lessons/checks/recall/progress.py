"""From guessing to the best possible loss."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, hidden, value_is, withheld

OK_FORMAT = False
name = "progress"
points = 1

CASES = (
    (2.0, 99, 0.5),
    (2.7725887222397811, 16, 1.0),
    (0.25, 10, 0.25),
    (6.0, 99, 0.3),
    (0.35, 2, 0.1),
    (1.7, 20, 0.0),
)


@withheld
def VALUES():
    import math

    found = []
    for loss, choices, best in CASES:
        guess = math.log(choices)
        want = (guess - loss) / (guess - best)
        known = [
            [1 - want, "That is the way still to go; the way made was asked for."],
            [
                (math.log2(choices) - loss) / (math.log2(choices) - best),
                "Losses are in nats: use the natural logarithm.",
            ],
            [(choices - loss) / (choices - best), "Guessing costs ln(choices), not choices."],
            [100 * want, "That is in percent: a share lies between 0 and 1."],
            [guess - loss, "That is the way made in nats: as a share of what?"],
            [(guess - loss) / guess, "The whole way ends at the best possible loss, not at zero."],
            [(guess - loss) / loss, "You divide by the loss: the whole way begins at guessing."],
            [-want, "The sign: 0 is guessing, 1 is the best possible."],
        ]
        if math.log10(choices) != best:
            known.append([(math.log10(choices) - loss) / (math.log10(choices) - best), "Use the natural logarithm."])
        if loss > guess:
            known.append([0.0, "Do not clip: worse than guessing is negative."])
        found.append(hidden(want, known, 1e-3))
    return found


@test_case(name="from guessing to the best")
def share(progress):
    for (loss, choices, best), hashes in zip(CASES, VALUES(), strict=True):
        case = f"progress({loss:.3g}, {choices}, {best})"
        hint = "Where does the way begin, where does it end, and where does the model stand?"
        value_is(case, call("progress", progress, loss, choices, best), *hashes, hint, 1e-3)
