"""How many pairs a linear state holds exactly, and the experiment that shows it."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, hidden, number, value_is, withheld

OK_FORMAT = False
name = "capacity"
points = 1


@withheld
def COUNT():
    return hidden(
        16,
        [
            [64, "That is how many numbers the state has: is one pair one number?"],
            [4, "That is the width of a value. What does the experiment say when V changes?"],
            [20, "That adds keys and values: what does the experiment say when V changes?"],
        ],
        1e-6,
    )


@test_case(name="the experiment")
def experiment(worst_error):
    for K, V in ((12, 4), (10, 10), (6, 12)):
        for pairs in (1, K // 2):
            error = number("worst_error(...)", call("worst_error", worst_error, pairs, K, V, 1))
            expect(error >= 0, "Return the largest *absolute* error.")
            expect(
                error < 1e-6,
                f"{pairs} orthogonal pairs (K={K}, V={V}) must come back exactly; your largest error is {error:.3g}."
                " Does the state start empty, is beta 1, and are all pairs written before the first is read?",
            )
        error = number("worst_error(...)", call("worst_error", worst_error, 2 * K, K, V, 1))
        expect(
            error > 1e-3,
            f"{2 * K} pairs (K={K}, V={V}) cannot all come back. Read *after* all were written.",
        )


@test_case(name="what was seen")
def seen(exact_pairs):
    hint = "Is every number of pairs up to yours exact in your experiment, and is the next one not?"
    value_is("exact_pairs", exact_pairs, *COUNT(), hint, 1e-6)
