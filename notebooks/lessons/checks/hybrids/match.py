"""An MLP width for a number of parameters: judged by the count it gives."""

from otter.test_files import test_case

from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "match"
points = 1


@test_case(name="three patterns")
def patterns(mlp_width_for):
    for pattern, target in (("A" * 4, 200_000), ("DDDA", 200_000), ("L" * 6, 350_000), ("GA", 90_000)):
        got = call("mlp_width_for", mlp_width_for, pattern, target)
        width = number("mlp_width_for(...)", got.mlp_width if isinstance(got, ModelConfig) else got)
        expect(width == int(width), f"For {pattern} you return {width:.2f}: a width is a whole number.")
        expect(width >= 1, f"For {pattern} you return {width:.0f}: a width is at least 1 (0 would mean the default).")
        counts = accounting.parameters(ModelConfig(pattern=pattern, d_model=64, n_heads=4, mlp_width=int(width)))
        off = counts["non_embedding"] / target - 1
        if abs(off) <= 0.01:
            continue
        total = abs(counts["total"] / target - 1) <= 0.01
        expect(not total, f"For {pattern} you matched the total; leave the embedding out: 'non_embedding'.")
        layer = abs(counts["non_embedding"] - target) > 0.5 * target
        more = " Each of the layers has its own MLP." if layer else ""
        expect(
            False,
            f"For {pattern} and target {target} your width {width:.0f} gives {counts['non_embedding']} non-embedding"
            f" parameters, {off:+.1%}.{more}",
        )
