"""Who remembers where a key was put, and ignores what moves it."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, hidden, number, value_is, withheld

OK_FORMAT = False
name = "unmoved"
points = 1


@withheld
def LINE():
    stay, found = [1.0, 1.0, 1.0, 1.0], []
    for rounds in range(5):
        found.append([rounds, *stay])
        right, lost, swapped, anywhere = stay
        stay = [right / 2 + (1 - right) / 10, lost / 2, swapped * 2 / 3 + (1 - swapped) / 15, anywhere / 2 + 1 / 12]
    return found


@withheld
def LIMIT():
    return hidden(
        1 / 6,
        [
            [0.0, "Zero would mean that no key ever comes back: is that what the loop prints?"],
            [0.5, "That is after one round: look at the last line that was printed."],
            [1 / 5, "That is the lesson's number, for another number of boxes."],
            [100 / 6, "As an accuracy, not in percent."],
        ],
        0.05,
    )


@test_case(name="the accuracy")
def accuracy(unmoved):
    line = [want for _, want, *_ in LINE()]
    for rounds, want, never_back, swaps, anywhere in LINE():
        got = number("unmoved(...)", call("unmoved", unmoved, rounds))
        if abs(got - want) < 0.02:
            continue
        case = f"After {rounds} round{'s' * (rounds != 1)} you return {got:.3g}"
        expect(abs(got - 100 * want) > 2.5, f"{case}: an accuracy lies between 0 and 1.")
        expect(rounds == 0 or abs(got - (1 - want)) > 0.02, f"{case}, the share of *wrong* answers.")
        expect(rounds < 2 or abs(got - never_back) > 0.015, f"{case}: can a key that was moved away never come back?")
        expect(rounds == 0 or abs(got - swaps) > 0.015, f"{case}: that is for swaps of two boxes; a round moves three.")
        own = f"{case}: a key that a round moves goes to another box, never to its own."
        expect(rounds == 0 or abs(got - anywhere) > 0.01, own)
        expect(rounds == 0 or abs(got - line[rounds - 1]) > 0.01, f"{case}: that is one round too few.")
        expect(rounds == 0 or abs(got - want * line[1]) > 0.01, f"{case}: that is one round too many.")
        expect(rounds != 1, f"{case}. Count the draws of three boxes that leave the key's own box alone.")
        back = (
            "The first round is right. In each further one it may be moved away, or *back* from where it is: how often?"
        )
        expect(rounds == 0, f"{case}. {back}")
        expect(False, f"{case}: without a round nothing has moved.")


@test_case(name="what was seen")
def seen(observed):
    hint = "Read the last lines that were printed: which number do they approach?"
    value_is("observed", observed, *LIMIT(), hint, 0.05)
