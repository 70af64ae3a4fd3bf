"""Which statements of a made-up report it does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen, halves, withheld

OK_FORMAT = False
name = "flaws"
points = 1


@withheld
def RIGHT():
    return halves("ACD", "ABCDEF")


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        RIGHT(),
        {
            "A": "How far apart are two seeds of one stack, and which order do the second seeds have?",
            "B": "How far does it reach: to these runs, or to the designs?",
            "C": "Which losses do the stacks have that it speaks about?",
            "D": "Which depths were trained?",
            "E": "How far does it reach: to these runs, or to the designs?",
            "F": "Multiply. Does it say more than that?",
        },
    )
