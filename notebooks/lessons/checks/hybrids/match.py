"""An MLP width for an amount of work: judged by the work it gives."""

from otter.test_files import test_case

from seqmix import accounting
from seqmix.config import ModelConfig
from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "match"
points = 1

CASES = (("AAAA", 1_000_000, 128), ("DDDA", 1_800_000, 1024), ("L" * 6, 1_500_000, 512), ("GA", 1_600_000, 2048))
PROBES = {"start": (1_500_000, 128), "longer": (1_500_000, 1024), "more": (3_000_000, 128)}


def near(count, target):
    return abs(count / target - 1) <= 0.01


@test_case(name="four stacks")
def patterns(mlp_width_for):
    for pattern, target, length in CASES:
        got = call("mlp_width_for", mlp_width_for, pattern, target, length)
        width = number("mlp_width_for(...)", got.mlp_width if isinstance(got, ModelConfig) else got)
        expect(width == int(width), f"For {pattern} you return {width:.2f}: a width is a whole number.")
        expect(width >= 1, f"For {pattern} you return {width:.0f}: a width is at least 1 (0 would mean the default).")
        config = ModelConfig(pattern=pattern, d_model=64, n_heads=4, mlp_width=int(width))
        work, counts = accounting.train_flops_per_token(config, length), accounting.parameters(config)
        if near(work, target):
            continue
        case = f"For {pattern}, {target} FLOPs and {length} tokens"
        sizes = [counts["total"], counts["non_embedding"]]
        expect(not any(near(n, target) for n in sizes), f"{case} you match the number of parameters, not the work.")
        rule = "Six FLOPs a parameter leave out what attention and the recurrence do besides their matrices."
        expect(not any(near(6 * n, target) for n in sizes), f"{case}: {rule}")
        least = f"{case} you return 1, the least there is: is `target` divided by something? It is per token already."
        expect(width > 1, least)
        expect(not near(3 * work, target), f"{case} you match a third of it: training costs are what is counted here.")
        expect(not near(work / 3, target), f"{case} you match the forward pass; training costs three times as much.")
        at = {name: call("mlp_width_for", mlp_width_for, "AAAA", *more) for name, more in PROBES.items()}
        at = {name: number("mlp_width_for(...)", getattr(width, "mlp_width", width)) for name, width in at.items()}
        rest = "Twice the work gives you twice the width: what do the layers do besides their MLP?"
        expect(abs(at["more"] / max(at["start"], 1) - 2) > 0.02, f"{case}: {rest}")
        longer = "`length` changes nothing in your width: attention works more in a longer text."
        expect(at["longer"] != at["start"], f"{case}: {longer}")
        expect(False, f"{case} your width {width:.0f} gives {work:,.0f} FLOPs a token, {work / target - 1:+.1%}.")
