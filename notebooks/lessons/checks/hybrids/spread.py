"""Evenly spread attention layers: any pattern that meets the rule passes."""

import math

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "spread"
points = 1


@test_case(name="every count")
def counts(spread):
    for layers in (12, 10, 7):
        for k in range(layers + 1):
            got = call("spread", spread, k, layers)
            expect(isinstance(got, str), f"Return a pattern such as 'DDA' (a string), not {type(got).__name__}.")
            case = f"spread({k}, {layers}) = {got!r}"
            expect(set(got) <= {"A", "D"}, f"{case}: only the letters A and D.")
            expect(len(got) == layers, f"{case} has {len(got)} letters, not {layers}.")
            expect(got.count("A") == k, f"{case} has {got.count('A')} attention layers, not {k}.")
            if k == 0:
                continue
            window = math.ceil(layers / k)
            for start in range(layers - window + 1):
                part = got[start : start + window]
                ends = got[0] == got[-1] == "A" and k > 1
                why = (
                    " The first A at the very start and the last at the very end leave too wide a hole." if ends else ""
                )
                expect("A" in part, f"{case}: layers {start + 1} to {start + window} hold no A.{why}")
