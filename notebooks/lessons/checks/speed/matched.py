"""Parameters of a module, and an LSTM of a given size."""

from otter.test_files import test_case
from torch import nn

from seqmix_study.classroom.hints import call, expect, number

OK_FORMAT = False
name = "matched"
points = 1


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


@test_case(name="the count")
def counting(count):
    frozen = nn.Linear(5, 3)
    frozen.weight.requires_grad_(False)
    for module in (nn.LSTM(128, 64), nn.Linear(7, 3), nn.TransformerEncoderLayer(32, 4), frozen, nn.BatchNorm1d(4)):
        got = number("count(...)", call("count", count, module))
        label = type(module).__name__
        expect(
            got != len(list(module.parameters())),
            f"For {label} that is the number of tensors; add up their sizes, .numel().",
        )
        weights = sum(p.numel() for p in module.parameters() if p.dim() > 1)
        expect(got != weights or got == size(module), f"For {label} the biases are missing: they are parameters, too.")
        if module is frozen:
            expect(got == 18, "Count frozen parameters as well: they are part of the model's size.")
        buffers = sum(b.numel() for b in module.state_dict().values())
        expect(got != buffers or got == size(module), f"For {label} you count buffers too; use .parameters().")
        expect(got == size(module), f"For {label}: expected {size(module)}, got {got:.0f}.")


@test_case(name="the matched width")
def width(matched_width):
    for inputs, target in ((128, 593_024), (128, 49_664), (64, 1_000_000), (32, 20_000)):
        got = number("matched_width(...)", call("matched_width", matched_width, inputs, target))
        expect(got == int(got) and got >= 1, f"A hidden size is a whole number from 1 on, not {got:g}.")
        have = size(nn.LSTM(inputs, int(got)))
        off = have / target - 1
        square = abs(4 * got * (inputs + got) / target - 1) < 0.01 < abs(off)
        more = " The biases (8 per hidden unit: PyTorch keeps two vectors) are missing." if square else ""
        expect(abs(off) <= 0.01, f"nn.LSTM({inputs}, {got:.0f}) has {have} parameters, {off:+.1%} of {target}.{more}")
