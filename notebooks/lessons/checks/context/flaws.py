"""What founding document 1's description does not support."""

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
        "ABDE",
        {
            "A": "A straight line in ln L against ln N would be a power law. Is every falling curve one?",
            "B": "Count decades: how many of the four lie to the right of the crossing?",
            "C": "It repeats what the description says of the curves, and concludes nothing.",
            "D": "Which of the two is the larger model?",
            "E": "What was shown above 3M parameters?",
            "F": "It reads two points off one curve.",
        },
    )
