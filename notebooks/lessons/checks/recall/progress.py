"""From guessing to the best possible loss."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, hidden, number, teachers, values_are, withheld

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

    mutants, usual, found = teachers("mutants"), teachers("usual"), []
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
            [
                (choices - math.exp(loss)) / (choices - math.exp(best)),
                "These are perplexities (e to the loss): the way is one of losses.",
            ],
            [
                (guess - loss) / best if best else math.nan,
                "You divide by the best loss: the whole way begins at guessing.",
            ],
            [loss / guess, "That is the loss in units of guessing: where does the way begin, and where does it end?"],
        ]
        if math.log10(choices) != best:
            known.append([(math.log10(choices) - loss) / (math.log10(choices) - best), "Use the natural logarithm."])
        if loss > guess:
            known.append([0.0, "Do not clip: worse than guessing is negative."])
        known = [one for one in [*known, *usual(want)] if math.isfinite(one[0])]
        slips = mutants(
            "(ln(choices) - loss) / (ln(choices) - best)",
            "1 - (loss - best) / (ln(choices) - best)",
            loss=loss,
            choices=choices,
            best=best,
        )
        found.append([guess, *hidden(want, known, 1e-3), hidden(want, slips, 1e-3)[1]])
    return found


@test_case(name="from guessing to the best")
def share(progress):
    got = {f"progress({case[0]:.3g}, {case[1]}, {case[2]})": call("progress", progress, *case) for case in CASES}

    def hint(n):
        (_, choices, best), guess = CASES[n], VALUES()[n][0]
        points = (guess, best, (guess + best) / 2)
        start, end, half = (number("progress(...)", call("progress", progress, at, choices, best)) for at in points)
        return f"Here you return {start:.3g} for guessing, {end:.3g} for the best loss and {half:.3g} half way between."

    values_are(got, [hashes for _, *hashes in VALUES()], hint, 1e-3)
