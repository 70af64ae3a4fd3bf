"""Which statements of a made-up report it does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen, halves, withheld

OK_FORMAT = False
name = "flaws"
points = 1


@withheld
def RIGHT():
    return halves("ACE", "ABCDE")


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        RIGHT(),
        {
            "A": "What does guessing cost here, and what does `progress` say?",
            "B": "Does it claim more, or less, than six numbers show?",
            "C": "Which number in the report measures what a gate keeps?",
            "D": "By how many percent do the two sizes differ?",
            "E": "How many rates and lengths of training were tried?",
        },
    )
