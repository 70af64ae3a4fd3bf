"""Parameters of a module, and an LSTM of a given size."""

from otter.test_files import test_case
from torch import nn

from seqmix_study.classroom.hints import call, digest, expect, hidden, number, value_is, withheld

OK_FORMAT = False
name = "matched"
points = 1


def modules():
    frozen = nn.Linear(5, 3)
    frozen.weight.requires_grad_(False)
    return [nn.LSTM(128, 64), nn.Linear(7, 3), nn.TransformerEncoderLayer(32, 4), frozen, nn.BatchNorm1d(4)]


@withheld
def COUNTS():
    def known(module):
        parameters = list(module.parameters())
        shapes = [tuple(p.shape) for p in parameters]
        return hidden(
            sum(p.numel() for p in parameters),
            [
                [len(parameters), "That is the number of tensors; add up their sizes."],
                [sum(len(p) for p in parameters), "You add up the first dimensions: a matrix has rows times columns."],
                [
                    sum(p.numel() for p in parameters if p.dim() > 1),
                    "The biases are missing: they are parameters, too.",
                ],
                [sum(p.numel() for p in parameters if p.requires_grad), "Count frozen ones, too: they are part of it."],
                [sum(b.numel() for b in module.state_dict().values()), "You count buffers too; take parameters only."],
                [sum(map(sum, shapes)), "You add the numbers of a shape; a matrix has rows *times* columns."],
                [max(p.numel() for p in parameters), "That is the largest tensor alone: add up all of them."],
                [len(list(module.modules())), "That is the number of modules; add up the sizes of their tensors."],
                [parameters[0].numel(), "That is the first tensor alone: add up all of them."],
                [sum(4 * p.numel() for p in parameters), "That is the number of bytes."],
            ],
            1e-9,
        )

    return [known(module) for module in modules()]


@test_case(name="the count")
def counting(count):
    for module, hashes in zip(modules(), COUNTS(), strict=True):
        line = number("count(...)", call("count", count, nn.Linear(7, 3)))
        hint = f"In nn.Linear(7, 3) are 3 times 7 weights and 3 biases; there you count {line:g}."
        value_is(f"count({type(module).__name__})", call("count", count, module), *hashes, hint, 1e-9)


CASES = ((128, 593_024), (128, 49_664), (64, 1_000_000), (32, 20_000), (1, 727))


@withheld
def WIDTHS():
    def within(inputs, target, count):
        return [digest(h) for h in range(1, 2000) if abs(count(inputs, h) / target - 1) <= 0.01]

    def beside(inputs, target, count):
        """The first width that reaches the target, and the last that does not."""
        first = next(h for h in range(1, 10_000) if count(inputs, h) >= target)
        return [digest(h) for h in (first - 1, first)]

    counts = (
        (lambda i, h: 4 * h * (i + h), "Are both vectors of biases in it, and is it the nearest?"),
        (lambda i, h: h * (i + h), "That is one gate's; four gates have weights."),
        (lambda i, h: h * (i + h + 2), "That is one gate's; there are four."),
        (lambda i, h: 4 * h * (i + h + 1), "PyTorch keeps two vectors of biases."),
        (lambda i, h: 4 * h * i, "The hidden state has weights of its own: these are those of the inputs alone."),
        (lambda i, h: 4 * h * h, "The inputs have weights, too: these are those of the hidden state alone."),
        (lambda i, h: 3 * h * (i + h + 2), "That is a GRU's: an LSTM has four sets of weights."),
        (lambda i, h: 4 * h * (i + h + 2) + i * (h + 1), "That counts a readout, too: the LSTM alone was asked for."),
    )
    return [
        [
            within(inputs, target, lambda i, h: 4 * h * (i + h + 2)),
            [[within(inputs, target, count) + beside(inputs, target, count), why] for count, why in counts],
        ]
        for inputs, target in CASES
    ]


@test_case(name="the matched width")
def width(matched_width, count):
    got = [number("matched_width(...)", call("matched_width", matched_width, *case)) for case in CASES]
    for h in got:
        expect(h == int(h) and h >= 1, f"A hidden size is a whole number from 1 on, not {h:g}.")
    cells = [digest(int(h)) for h in got]
    off = [n for n, (right, _) in enumerate(WIDTHS()) if cells[n] not in right]
    said = [[why for widths, why in WIDTHS()[n][1] if cells[n] in widths] for n in off]
    for n, (inputs, target) in [(n, CASES[n]) for n in off]:
        has = call("count", count, nn.LSTM(inputs, min(int(got[n]), 3000)))
        hint = f"By your own count nn.LSTM({inputs}, {got[n]:.0f}) has {number('count(...)', has):,.0f}."
        why = next((why for why in said[0] if all(why in each for each in said)), hint)  # one that explains them all
        expect(False, f"For {inputs} inputs and {target} parameters {got[n]:.0f} is off. {why}")
