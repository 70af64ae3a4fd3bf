"""Document 2 (hybrid summary): denominators, ranks, labels, scores, and what one run each can say."""

import math

import numpy as np
from scipy.special import ndtr

from seqmix_study.findings import documents_numbers as printed
from seqmix_study.findings.documents import Found, flaw


def gain(winner: float, loser: float, base: str) -> float:
    """Return the gain in percent with the ``winner`` or the ``loser`` as the base."""
    return 100 * (loser - winner) / {"winner": winner, "loser": loser}[base]


def order_statistics(count: int) -> np.ndarray:
    """Return the expected order statistics of ``count`` standard normal values, smallest first (by quadrature)."""
    x = np.linspace(-9, 9, 36_001)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    below, above = ndtr(x), ndtr(-x)
    expected = []
    for rank in range(1, count + 1):
        weight = count * math.comb(count - 1, rank - 1)
        expected.append(float(np.trapezoid(weight * x * density * below ** (rank - 1) * above ** (count - rank), x)))
    return np.array(expected)


def layers_from_throughput(tokens_per_second: float) -> float:
    """Return the attention layers (of 12) that a throughput belongs to: time a token is linear in the count."""
    none, all_ = 1 / printed.THROUGHPUT[0], 1 / printed.THROUGHPUT[12]
    return 12 * (none - 1 / tokens_per_second) / (none - all_)


@flaw(2, "Three percentages, two denominators", "Say what a percentage is a percentage of; better, give nats.")
def mixed_denominators() -> Found:
    losses, bases = printed.HYBRID_PRINTED, []
    numbers, lines = {}, []
    for other, said in printed.PRINTED_GAINS.items():
        both = {base: gain(losses["winner"], losses[other], base) for base in ("winner", "loser")}
        base = min(both, key=lambda name, both=both, said=said: abs(both[name] - said))
        bases.append(base)
        nats = losses[other] - losses["winner"]
        numbers |= {f"{other}_by_{name}": value for name, value in both.items()} | {f"{other}_nats": nats}
        lines.append(
            f"{losses['winner']:.3f} against {losses[other]:.3f}: {both['winner']:.2f} % of the winner's loss or "
            f"{both['loser']:.2f} % of the loser's ({nats:.3f} nats); printed is {said:.2f} %, so the "
            f"base is the {base}"
        )
    lines.append("a ratio of cross-entropies is no measure of quality: it changes with the unit and the vocabulary")
    return len(set(bases)) > 1, numbers, lines


@flaw(2, "The chart against the table", "A drawn chart is not data.")
def chart_against_table() -> Found:
    winner, eight = printed.HYBRID_PRINTED["winner"], printed.HYBRID_LOSS[8]
    lines = [
        f"the winner stands at {printed.CHART['star']:.1f} and at {printed.CHART['winner']:.1f} on the chart, "
        f"at {winner:.3f} in the table",
        f"8 attention layers (67 %) stand at {printed.CHART[8]:.1f} on the chart, at {eight:.3f} in the public table",
    ]
    numbers = {
        "table": winner,
        "chart_low": printed.CHART["winner"],
        "eight_chart": printed.CHART[8],
        "eight_table": eight,
    }
    return printed.CHART["star"] != printed.CHART["winner"] and abs(printed.CHART[8] - eight) > 0.1, numbers, lines


@flaw(2, "Which layers won?", "Count from one, and say so; better, publish the pattern.")
def positions_contradict() -> Found:
    said, ran = printed.POSITIONS["report"], printed.POSITIONS["code"]
    lines = [
        f"the report puts the winner's attention at layers {said[0]} and {said[1]} of 12, "
        f"the public code at {ran[0]} and {ran[1]} (counted from 1)",
        "the last layer, called a poor place, is in the winner" if 12 in ran else "the last layer is not in the winner",
    ]
    return set(said) != set(ran), {"shared": len(set(said) & set(ran)), "last_in_winner": 12 in ran}, lines


@flaw(2, "A row under the wrong name", "A number that does not fit its neighbours has the wrong label.")
def mislabelled_row() -> Found:
    implied = layers_from_throughput(printed.MISLABELLED_THROUGHPUT)
    check = layers_from_throughput(printed.THROUGHPUT[2])
    lines = [
        "the time a token is a straight line in the number of attention layers: the winner's throughput gives "
        f"{check:.1f} layers where it has 2",
        f"the row labelled 8 % (1 layer) runs at {printed.MISLABELLED_THROUGHPUT / 1e3:.0f} thousand tokens a second, "
        f"which gives {implied:.1f} layers, {implied / 12:.0%}: it is the 83 % model",
    ]
    return abs(implied - 10) < 1, {"implied_layers": implied, "implied_share": implied / 12, "check": check}, lines


@flaw(2, "The throughput adds up", "Not everything is wrong: a check can pass.")
def throughput_is_consistent() -> Found:
    tokens = {k: printed.THROUGHPUT[k] * 60 * printed.MINUTES[k] for k in printed.THROUGHPUT}
    made = printed.STEPS * printed.SEQUENCES * printed.LENGTH
    ratio = printed.THROUGHPUT[12] / printed.THROUGHPUT[2]
    off = max(abs(value / made - 1) for value in tokens.values())
    lines = [
        f"tokens a second times minutes gives {', '.join(f'{v / 1e6:.1f}' for v in tokens.values())} million tokens; "
        f"{printed.STEPS} steps of {printed.SEQUENCES} x {printed.LENGTH} are {made / 1e6:.1f} million",
        f"{printed.THROUGHPUT[12] / 1e3:.0f} / {printed.THROUGHPUT[2] / 1e3:.0f} = {ratio:.2f}, as printed; "
        f"but one length only, {printed.LENGTH}",
    ]
    return off > 0.02, {"largest_deviation": off, "ratio": ratio, "tokens": made}, lines


@flaw(2, "Third place breaks the rule", "A rule read off the ranking must hold for the ranking.")
def sweet_spot_contradicts() -> Found:
    ranked = sorted(range(13), key=lambda k: (printed.HYBRID_LOSS[k], k))
    late = ranked.index(len(printed.LATE_LAYERS)) + 1
    lines = [
        f"rank {late} of 13 has its attention in layers {printed.LATE_LAYERS[0]} to "
        f"{printed.LATE_LAYERS[-1]}, the last "
        "ones only",
        f"attention in the last layers only is on the list of things to avoid, because of one stack with a single "
        f"attention layer ({printed.HYBRID_LOSS[1]:.3f})",
    ]
    return late <= 3 and max(printed.LATE_LAYERS) == 12, {"rank_of_late": late}, lines


@flaw(2, "Two layers against one", "Change one thing at a time.")
def placement_confounded() -> Found:
    better, worse = printed.HYBRID_LOSS[2], printed.HYBRID_LOSS[1]
    lines = [
        f"placement is judged by {better:.3f} (two attention layers) against {worse:.3f} (one, in layer 12): "
        "count and place change together",
        "in the public code every hybrid has attention in the last layer, so the runs say nothing about place",
    ]
    return True, {"counts_compared": 2, "difference": worse - better}, lines


@flaw(2, "Pure architectures fail, says rank five", "Rank all rows before naming failures.")
def pure_ranks() -> Found:
    hybrids = printed.HYBRID_LOSS[1:12]
    beaten = sum(printed.HYBRID_LOSS[0] <= loss for loss in hybrids)
    return beaten > len(hybrids) / 2, {"hybrids_not_better": beaten, "hybrids": len(hybrids)}, [
        f"pure DeltaNet ({printed.HYBRID_LOSS[0]:.3f}) is level with or better than {beaten} of the "
        f"{len(hybrids)} hybrids"
    ]  # fmt: skip


@flaw(2, "Quality per minute", "Ask what a score rewards: this one, too, rewards taking longer.")
def quality_per_time() -> Found:
    losses = {12: printed.HYBRID_LOSS[12], 2: printed.HYBRID_LOSS[2], 0: printed.HYBRID_LOSS[0]}
    score = {k: losses[k] / printed.MINUTES[k] for k in losses}
    product = {k: losses[k] * printed.MINUTES[k] for k in losses}
    lowest, best_product = min(score, key=score.get), min(product, key=product.get)
    name = {12: "the Transformer", 2: "the hybrid", 0: "DeltaNet"}
    numbers = {f"score_{k}": v for k, v in score.items()} | {f"product_{k}": v for k, v in product.items()}
    lines = [
        "loss / minutes: "
        + ", ".join(f"{losses[k]:.3f} / {printed.MINUTES[k]} = {score[k]:.2f} ({name[k]})" for k in losses),
        f"5.91 is labelled worst and 1.95 best, so lower is better; then {name[lowest]} with "
        f"{score[lowest]:.2f} is best, "
        "and being slower at the same loss improves the score",
        f"loss x minutes, which at least punishes slowness, is lowest for {name[best_product]} "
        f"({product[best_product]:.2f})",
    ]
    return lowest != 2 and best_product != 2, numbers, lines


@flaw(2, "Where is the U?", "Draw all points, with their spread, before naming a shape.")
def u_curve() -> Found:
    loss = np.array(printed.HYBRID_LOSS)
    middle = loss[5:11]
    above = int((loss[6:12] < loss[0]).sum())
    lines = [
        f"from 5 to 10 attention layers the losses stay within {np.ptp(middle):.3f} nats, without a trend "
        f"({', '.join(f'{v:.3f}' for v in middle)})",
        f"of the {len(loss[6:12])} stacks with 50 to 92 % attention {above} are below pure DeltaNet: "
        "not a valley with two slopes but a plateau, one low point and one high end",
    ]
    return np.ptp(middle) < 0.1 and above == 0, {"middle_range": float(np.ptp(middle)), "below_deltanet": above}, lines


@flaw(2, "A seventh of a token for each parameter", "A ranking at the start of training ranks the start of training.")
def tokens_per_parameter() -> Found:
    tokens = printed.STEPS * printed.SEQUENCES * printed.LENGTH
    ratio = {k: tokens / n for k, n in printed.NON_EMBEDDING.items()}
    lines = [
        f"{printed.STEPS} x {printed.SEQUENCES} x {printed.LENGTH} = {tokens / 1e6:.1f} million tokens for "
        f"{printed.NON_EMBEDDING['attention'] / 1e6:.0f} to {printed.NON_EMBEDDING['deltanet'] / 1e6:.0f} million "
        f"parameters: {ratio['attention']:.2f} to {ratio['deltanet']:.2f} tokens a parameter",
        "compute-optimal training (Hoffmann et al. 2022) uses about 20",
    ]
    return max(ratio.values()) < 1, {f"ratio_{k}": v for k, v in ratio.items()} | {"tokens": tokens}, lines


@flaw(2, "Twice the parameters", "Match the sizes before comparing the architectures.")
def sizes_unmatched() -> Found:
    sizes = printed.NON_EMBEDDING
    ratio = sizes["deltanet"] / sizes["attention"]
    return ratio > 1.1, {"ratio": ratio}, [
        f"in the public code pure DeltaNet has {sizes['deltanet'] / 1e6:.0f} million non-embedding parameters, pure "
        f"attention {sizes['attention'] / 1e6:.0f}: a factor {ratio:.1f}",
        "its layers carry a short convolution and a gate that the attention layers lack",
    ]  # fmt: skip


@flaw(2, "Significant, very significant, highly significant", "Without a second run there is nothing to test with.")
def single_run_significance() -> Found:
    expected = order_statistics(printed.ARMS)
    to_second, to_last = expected[1] - expected[0], expected[-1] - expected[0]
    gap = printed.HYBRID_PRINTED["second"] - printed.HYBRID_PRINTED["winner"]
    freedom = printed.RUNS_PER_ARM - 1
    lines = [
        f"{printed.RUNS_PER_ARM} run an arm leaves {freedom} degrees of freedom for the spread s between seeds: "
        "no interval and no test exist",
        f"if all {printed.ARMS} stacks were equal, the best would still lead the second by "
        f"{to_second:.2f} s and the last "
        f"by {to_last:.2f} s on average",
        f"the printed lead is {gap:.3f} nats: remarkable if s is 0.05, expected if s is "
        f"{gap / to_second:.2f}; nobody knows",
    ]
    numbers = {"to_second": to_second, "to_last": to_last, "lead": gap, "spread_that_explains": gap / to_second}
    return freedom < 1, numbers, lines


@flaw(2, "Identical, except", "List what differs between arms, from the configuration files.")
def not_identical() -> Found:
    rates = sorted(set(printed.LR_USED.values()))
    low, high = printed.TOTAL_PARAMETERS
    lines = [
        f"learning rates differ: {' and '.join(f'{rate:g}' for rate in rates)}",
        f"sizes differ: {low / 1e6:.1f} to {high / 1e6:.1f} million parameters, a factor {high / low:.2f}",
        f"the public code adds the arm's index to the seed: {printed.ARMS} arms, {printed.ARMS} different seeds",
    ]
    return len(rates) > 1 or high / low > 1.03, {"learning_rates": len(rates), "size_ratio": high / low}, lines


@flaw(2, "The best is at the edge", "An optimum at the edge of a grid is not an optimum.")
def grid_edge() -> Found:
    used, grid = printed.LR_USED["hybrid"], printed.LR_GRID
    return used in (min(grid), max(grid)), {"used": used, "largest": max(grid), "tried": len(grid)}, [
        f"{len(grid)} rates were tried ({', '.join(f'{rate:g}' for rate in grid)}); the chosen {used:g} "
        "is the largest: "
        "a larger one may be better still"
    ]  # fmt: skip
