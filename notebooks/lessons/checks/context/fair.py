"""Pairs of nearly equal size."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect

OK_FORMAT = False
name = "fair"
points = 1

CURVES = [
    ("LSTM", 100),
    ("Transformer", 105),
    ("LSTM", 200),
    ("Transformer", 250),
    ("Transformer", 1000),
    ("LSTM", 110),
]


@test_case(name="pairs")
def pairs(fair_pairs):
    for curves, tolerance, want in (
        (CURVES, 0.1, {(100, 105), (110, 105)}),
        (CURVES, 0.25, {(100, 105), (110, 105), (200, 250)}),
        (CURVES, 0.01, set()),
        ([("LSTM", 100), ("Transformer", 110.4)], 0.1, set()),
        ([("LSTM", 100), ("Transformer", 111.0), ("LSTM", 300), ("Transformer", 270.1)], 0.1, set()),
        (
            [("LSTM", 100), ("Transformer", 109.9), ("LSTM", 300), ("Transformer", 272.8)],
            0.1,
            {(100, 109.9), (300, 272.8)},
        ),
        ([("Transformer", 3e8), ("LSTM", 3e6)], 0.5, set()),
        ([("Transformer", 100), ("LSTM", 150)], 0.5, {(150, 100)}),
    ):
        result = call("fair_pairs", fair_pairs, list(curves), tolerance)
        try:
            got = {(float(a), float(b)) for a, b in result}
        except (TypeError, ValueError):
            raise Hint("Return a list of pairs (lstm_size, transformer_size).") from None
        expect(got == want or got != {(b, a) for a, b in want}, "The LSTM's size comes first in each pair.")
        extra, missing = sorted(got - want), sorted(want - got)
        if extra:
            a, b = extra[0]
            inside = abs(a - b) <= tolerance * max(a, b)
            base = " The base of the difference is the *smaller* size, whichever family that is." if inside else ""
            times = f"the larger is {max(a, b) / min(a, b):.3f} times the smaller"
            expect(False, f"With tolerance {tolerance} the pair {a:g}, {b:g} does not belong: {times}.{base}")
        if missing:
            a, b = missing[0]
            why = "is the smaller one sometimes the Transformer, sometimes the LSTM? Divide the larger by the smaller."
            expect(False, f"With tolerance {tolerance} the pair {a:g}, {b:g} is missing: {why}")
