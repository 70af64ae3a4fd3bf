"""Which statements of a made-up report it does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen, halves, withheld

OK_FORMAT = False
name = "flaws"
points = 1


@withheld
def RIGHT():
    return halves("ADE", "ABCDEF")


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        RIGHT(),
        {
            "A": "How large is the difference beside its own standard error?",
            "B": "Add and subtract two standard errors: which signs of the exponent does that leave?",
            "C": "Put it to the test: is the law's loss at that many times the parameters half of the best loss?",
            "D": "Over which sizes was it seen to hold?",
            "E": "At which sizes do the two losses stand?",
            "F": "Does it say more than two clocks do?",
        },
    )
