"""Which statements of a made-up report it does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen, halves, withheld

OK_FORMAT = False
name = "flaws"
points = 1


@withheld
def RIGHT():
    return halves("CDF", "ABCDEF")


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        RIGHT(),
        {
            "A": "What does a straight line on these two axes mean, and does the statement go beyond the sizes shown?",
            "B": "Count decades: how many of the four lie to the right of the crossing?",
            "C": "Which curve would you need beside it before you accuse the model?",
            "D": "Which sizes does it compare?",
            "E": "Between which two curves, or on which one, does it compare?",
            "F": "What did every tripling of the size bring?",
        },
    )
