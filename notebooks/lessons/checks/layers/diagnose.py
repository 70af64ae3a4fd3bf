"""What one cell of a map shows."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "diagnose"
points = 1

CASES = (
    (0.9, 0.4, 0.3, "both", "It is above both lines."),
    (0.35, 0.4, 0.25, "one", "It is above the smaller line only."),
    (0.22, 0.4, 0.2, "neither", "It is above the smaller line by less than the margin."),
    (0.41, 0.4, 0.2, "one", "Above the larger line, but by less than the margin."),
    (0.41, 0.2, 0.4, "one", "The larger line may be either of the two."),
    (0.99, 1.0, 1.0, "neither", "With one key and no swap both lines are at one: nothing can be shown there."),
    (0.95, 1.0, 0.2, "one", "A high accuracy shows little where a line is high, too."),
)


@test_case(name="seven cells")
def cells(diagnose):
    for accuracy, unbound, unmoved, want, why in CASES:
        got = str(call("diagnose", diagnose, accuracy, unbound, unmoved, 0.05)).strip().lower()
        expect(got in ("both", "one", "neither"), f'Return "both", "one" or "neither", not {got!r}.')
        case = f"For accuracy {accuracy} with lines {unbound} and {unmoved}, margin 0.05"
        expect(got == want, f"{case} you say {got!r}. {why}")
