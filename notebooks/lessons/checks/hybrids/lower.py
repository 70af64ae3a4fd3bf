"""A percentage with the right base."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number, value_is

OK_FORMAT = False
name = "lower"
points = 1


@test_case(name="percent of the old loss")
def of_the_old(lower_by):
    for new, old in ((3.0, 4.0), (2.0, 2.5), (1.0, 1.0), (5.0, 4.0)):
        got = number("lower_by(...)", call("lower_by", lower_by, new, old))
        want = 100 * (old - new) / old
        if close(got, want, 1e-4, 1e-9):
            continue
        expect(
            not close(got, 100 * (old - new) / new, 1e-4), "You divide by the new loss; percent of `old` was asked for."
        )
        expect(not close(got, want / 100, 1e-4), "That is a fraction; multiply it by 100.")
        expect(not close(got, -want, 1e-4), "The sign: positive where the new loss is lower.")
        expect(False, f"From {old} to {new}: expected {want:g} percent, got {got:g}.")


@test_case(name="the hybrid against the Transformer")
def against(against_transformer):
    value_is(
        "against_transformer",
        against_transformer,
        100 * (5.146 - 4.055) / 5.146,
        [
            (
                100 * (5.146 - 4.055) / 4.055,
                "That is the document's number: how much *higher* the Transformer's loss is.",
            ),
            ((5.146 - 4.055) / 5.146, "In percent, please: times 100."),
            (-100 * (5.146 - 4.055) / 4.055, "You exchanged the two losses."),
        ],
        "Call lower_by with the hybrid's loss as new and the Transformer's as old.",
    )
