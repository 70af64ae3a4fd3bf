"""Pairs of nearly equal size."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, expect, withheld

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


CASES = (
    (CURVES, 0.1),
    (CURVES, 0.25),
    (CURVES, 0.01),
    ([("LSTM", 100), ("Transformer", 110.4)], 0.1),
    ([("LSTM", 100), ("Transformer", 111.0), ("LSTM", 300), ("Transformer", 270.1)], 0.1),
    ([("LSTM", 100), ("Transformer", 109.9), ("LSTM", 300), ("Transformer", 272.8)], 0.1),
    ([("LSTM", 100), ("Transformer", 96), ("Transformer", 103), ("LSTM", 108), ("Transformer", 130)], 0.1),
    ([("Transformer", 3e8), ("LSTM", 3e6)], 0.5),
    ([("Transformer", 100), ("LSTM", 150)], 0.5),
)


@withheld
def PAIRS():
    found = []
    for curves, tolerance in CASES:
        lstms, others = ([size for kind, size in curves if (kind == "LSTM") == is_lstm] for is_lstm in (True, False))
        pairs = [[a, b] for a in lstms for b in others]
        right = [pair for pair in pairs if max(pair) <= (1 + tolerance) * min(pair)]
        of_the_larger = [pair for pair in pairs if pair not in right and max(pair) - min(pair) <= tolerance * max(pair)]
        found.append([right, of_the_larger, [pair for pair in right if max(pair) == (1 + tolerance) * min(pair)]])
    return found


@test_case(name="pairs")
def pairs(fair_pairs):
    for (curves, tolerance), found in zip(CASES, PAIRS(), strict=True):
        result = call("fair_pairs", fair_pairs, list(curves), tolerance)
        try:
            got = {(float(a), float(b)) for a, b in result}
        except (TypeError, ValueError):
            raise Hint("Return a list of pairs (lstm_size, transformer_size).") from None
        want, nearly, borders = ({(a, b) for a, b in pairs} for pairs in found)
        expect(got == want or got != {(b, a) for a, b in want}, "The LSTM's size comes first in each pair.")
        case = f"With tolerance {tolerance} the pair"
        families = {float(size): family for family, size in curves}
        for a, b in sorted(got - want):
            ratio = f"The larger is {max(a, b) / min(a, b):g} times the smaller, more than 1 + tolerance."
            why = "Of which of the two sizes is your difference a share?" if (a, b) in nearly else ratio
            if families.get(a) == families.get(b):
                why = "A pair is one LSTM and one Transformer."
            expect(False, f"{case} {a:g}, {b:g} does not belong. {why}")
        for a, b in sorted(want - got):
            expect(got, f"{case} {a:g}, {b:g} is missing: is `tolerance` a share in your code, or a difference?")
            border = (a, b) in borders
            more = any(a in pair or b in pair for pair in got)
            expect(border or not more, f"{case} {a:g}, {b:g} is missing: a curve may have more than one partner.")
            expect(not border, f"{case} {a:g}, {b:g} is missing: *at most* 1 + tolerance times belongs to it.")
            expect(False, f"{case} {a:g}, {b:g} is missing: is every LSTM compared with every Transformer, and may the"
                   " smaller size belong to either family?")  # fmt: skip
