"""What founding document 2's table does not support."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import chosen

OK_FORMAT = False
name = "flaws"
points = 1


@test_case(name="statements")
def statements(unsupported):
    chosen(
        "unsupported",
        unsupported,
        "BCDF",
        {
            "A": "It says what was measured in one run each, no more.",
            "B": "How many things differ between the two stacks?",
            "C": "Where are the attention layers of the stack that ranks third?",
            "D": "Which rank of thirteen does pure DeltaNet have?",
            "E": "It repeats one measurement at one length and claims nothing about others.",
            "F": "Which of the three numbers is the lowest? And which way does slowness move it?",
        },
    )
