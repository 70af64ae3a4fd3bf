"""Which statements of a made-up report it does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen, halves, withheld

OK_FORMAT = False
name = "flaws"
points = 1


@withheld
def RIGHT():
    return halves("ACEF", "ABCDEF")


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        RIGHT(),
        {
            "A": "Do the two models differ in one thing only?",
            "B": "How was it timed, and does the statement go beyond the lengths that were?",
            "C": "Over which lengths was it seen?",
            "D": "Count the keys that one new query meets. Does it need a measurement?",
            "E": "What was timed?",
            "F": "What does a first call measure?",
        },
    )
