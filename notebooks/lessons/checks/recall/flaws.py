"""What founding document 4's memory test does not support."""

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
        "ACD",
        {
            "A": "Compare it with the log in brackets, and with `progress(3.968, 99)`.",
            "B": "It claims only what was run: one LSTM, one rate, 500 steps.",
            "C": "Which number in the document measures a gradient?",
            "D": "Did the two models differ in one thing only?",
            "E": "`progress(4.634, 99)` is not positive.",
        },
    )
