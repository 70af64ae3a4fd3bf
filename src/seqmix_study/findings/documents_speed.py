"""Documents 3 (the cage fight) and 4 (speed and memory benchmark): formulas, shapes, chance levels, cold starts."""

import math

import numpy as np

from seqmix_study.findings import documents_numbers as printed
from seqmix_study.findings.documents import Found, flaw


def recurrent_parameters(width_in: int, hidden: int, maps: int) -> int:
    """Return the parameters of a PyTorch recurrent layer: ``maps`` (input, hidden, two biases); 1 Elman, 4 LSTM."""
    return maps * (hidden * (width_in + hidden) + 2 * hidden)


def encoder_parameters(width: int, mlp: int) -> int:
    """Return the parameters of nn.TransformerEncoderLayer: attention, MLP and two norms, with biases."""
    return 4 * (width * width + width) + (2 * width * mlp + mlp + width) + 4 * width


def visible(length: int) -> float:
    """Return the mean share of a window of ``length`` tokens that a causal model sees: (T + 1) / 2T."""
    return (length + 1) / (2 * length)


@flaw(3, "The formula of another network", "Count the gates.")
def formula_is_another_network() -> Found:
    size = printed.DEMO["input"], printed.DEMO["hidden"]
    plain, lstm = recurrent_parameters(*size, maps=1), recurrent_parameters(*size, maps=4)
    lines = [
        "f(W x + U h) has one input map, one recurrent map and no cell state: it is Elman's network (1990)",
        f"at the demonstration's sizes ({size[0]} in, {size[1]} hidden) that is {plain:,} parameters; "
        f"the LSTM layer has four such maps, {lstm:,}, and the cell that carries memory",
    ]
    return lstm == 4 * plain, {"formula": plain, "lstm": lstm, "ratio": lstm / plain}, lines


@flaw(3, "Everything, including the answer", "A language model must not see what it predicts.")
def looks_at_everything() -> Found:
    length = printed.DEMO["length"]
    lines = [
        f"the demonstration's layer has no mask: every position sees all {length}, the future included, "
        "so it cannot be "
        "a language model",
        f"a causal model sees on average {visible(length):.0%} of {length} tokens, and {visible(512):.1%} of 512",
        "the layer has no positions either: permuting the input permutes the output",
    ]
    return visible(length) < 1, {"visible_demo": visible(length), "visible_512": visible(512)}, lines


@flaw(3, "Similar shapes", "Print both numbers.")
def shapes_differ() -> Found:
    demo = printed.DEMO
    lstm = recurrent_parameters(demo["input"], demo["hidden"], maps=4)
    encoder = encoder_parameters(demo["width"], demo["mlp"])
    lines = [
        f"outputs are (32, {demo['length']}, {demo['hidden']}) and (32, {demo['length']}, {demo['width']}): "
        f"the widths differ by a factor {demo['width'] / demo['hidden']:.0f}",
        f"parameters are {lstm:,} and {encoder:,}: a factor {encoder / lstm:.1f}",
    ]
    numbers = {"lstm": lstm, "transformer": encoder, "ratio": encoder / lstm, "widths": demo["width"] / demo["hidden"]}
    return demo["width"] / demo["hidden"] >= 2, numbers, lines


@flaw(3, "Attention, term by term", "Not everything is wrong: this formula is right.")
def attention_formula() -> Found:
    rng = np.random.default_rng(0)
    spread, error = {}, 0.0
    for width in (8, 64, 512):
        query, key, value = (rng.normal(size=(256, width)) for _ in range(3))
        scores = query @ key.T / math.sqrt(width)
        spread[width] = float(scores.std())
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        by_hand = np.array([sum(w * v for w, v in zip(row, value, strict=True)) for row in weights[:4]])
        error = max(error, float(np.abs(weights.sum(1) - 1).max()), float(np.abs(weights[:4] @ value - by_hand).max()))
    even = max(spread.values()) < 1.1 and min(spread.values()) > 0.9
    lines = [
        f"rows of the softmax sum to one and weight the values, to {error:.0e}",
        "divided by the root of the width, random products have spread "
        + ", ".join(f"{value:.2f} at width {width}" for width, value in spread.items()),
    ]
    return not (error < 1e-9 and even), {f"spread_{k}": v for k, v in spread.items()} | {"error": error}, lines


@flaw(4, "Zero is four", "Draw the chance line.")
def chance_level() -> Found:
    bench = printed.BENCHMARK
    chance = math.log(bench["symbols"])
    drop = (chance - bench["transformer_loss"]) / chance
    lines = [
        f"guessing among {bench['symbols']} symbols costs ln {bench['symbols']} = {chance:.3f} nats",
        f"the notebook ends at {bench['lstm_loss']:.3f} for the LSTM, above chance, and at "
        f"{bench['transformer_loss']:.3f} for the Transformer, {drop:.0%} below it: not zero",
        f"until about step {bench['at_chance_until']} of 500 the Transformer, too, is at chance: not instantly",
    ]
    numbers = {"chance": chance, "lstm": bench["lstm_loss"], "transformer": bench["transformer_loss"], "drop": drop}
    return drop < 0.5 and bench["lstm_loss"] > chance, numbers, lines


@flaw(4, "Nine times the parameters", "Match the sizes before timing the architectures.")
def models_unmatched() -> Found:
    width, layers = printed.BENCHMARK_WIDTH, printed.BENCHMARK_LAYERS
    lstm = recurrent_parameters(width, width, maps=4)
    encoder = layers * encoder_parameters(width, 2048)
    lines = [
        f"one LSTM layer of width {width} has {lstm:,} parameters; {layers} encoder layers with the "
        "default inner width "
        f"of 2048 have {encoder:,}: a factor {encoder / lstm:.1f}",
        "so a good part of the measured factor is size, not architecture",
    ]
    return encoder / lstm > 1.1, {"lstm": lstm, "transformer": encoder, "ratio": encoder / lstm}, lines


@flaw(4, "Five times the work in a tenth of the time", "Warm up before timing.")
def cold_start() -> Found:
    (short, first), (long, second) = sorted(printed.BENCHMARK_SECONDS.items())
    lines = [
        f"the LSTM takes {first * 1e3:.0f} ms for {short} tokens and {second * 1e3:.0f} ms for {long}: "
        f"{long / short:.0f} times the tokens in {second / first:.0%} of the time",
        "the first call of each length was timed once, cold: it measures allocation and set-up",
    ]
    return second < first, {"first": first, "second": second, "work": long / short, "time": second / first}, lines


@flaw(4, "Instructions that stop", "A recipe is what a stranger can run.")
def commands_stop() -> Found:
    runs = [c for c in printed.COMMANDS if c.startswith(("python", "jupyter", "pip", "make"))]
    return not runs, {"commands": len(printed.COMMANDS), "that_run_something": len(runs)}, [
        f"{len(printed.COMMANDS)} commands are given ({', '.join(printed.COMMANDS)}), {len(runs)} of them run anything"
    ]  # fmt: skip
