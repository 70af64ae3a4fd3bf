"""Documents 0 (scaling report) and 1 (description of a figure): exponents, halving, per-parameter averages, legends."""

import math

from seqmix_study.findings import documents_numbers as printed
from seqmix_study.findings.documents import Found, flaw

NORMAL = 1.959964
STUDENT_1 = 12.7062
"""97.5 % quantiles: normal, and Student with one degree of freedom (four sizes, three parameters)."""


def halves(alpha: float) -> float:
    """Return the factor on N that halves the reducible part A N^-alpha: 2^(1/alpha)."""
    return 2.0 ** (1.0 / alpha)


def interval(estimate: float, error: float, quantile: float = NORMAL) -> tuple[float, float]:
    """Return estimate -+ quantile x standard error."""
    return estimate - quantile * error, estimate + quantile * error


@flaw(0, "An exponent that could be anything", "An estimate without its interval is not a measurement.")
def exponent_on_bound() -> Found:
    (alpha, error), (a, a_error) = printed.LSTM_FIT["alpha"], printed.LSTM_FIT["a"]
    lo, hi = interval(alpha, error)
    wide = interval(alpha, error, STUDENT_1)
    bound = a == round(a)
    numbers = {"alpha": alpha, "lo": lo, "hi": hi, "student_lo": wide[0], "student_hi": wide[1],
               "error_over_estimate": error / alpha, "a": a, "a_error": a_error}  # fmt: skip
    lines = [
        f"exponent {alpha:.3f} with standard error {error:.3f}: the error is {error / alpha:.1f} times the estimate",
        f"95 % interval {lo:.2f} to {hi:.2f} (normal), {wide[0]:.1f} to {wide[1]:.1f} (Student, one degree of freedom)",
        f"coefficient a = {a:.6f} exactly, with error {a_error:.1f}: "
        + ("a round number to six digits is an optimiser's bound, not an estimate" if bound else "no sign of a bound"),
    ]
    return lo < 0 < hi or bound, numbers, lines


@flaw(0, "A law by which bigger is worse", "A loss that rises with size is a training failure until shown otherwise.")
def negative_exponent() -> Found:
    alpha, a, c = printed.TRANSFORMER_FIT["alpha"][0], printed.TRANSFORMER_FIT["a"][0], printed.TRANSFORMER_FIT["c"]
    best, size = printed.BEST["transformer"]
    curve = {n: c + a * n**-alpha for n in (float(size), 1e6, 1e7)}
    numbers = {"alpha": alpha, "at_best_size": curve[float(size)], "reported_there": best,
               "at_1e6": curve[1e6], "at_1e7": curve[1e7]}  # fmt: skip
    lines = [
        f"with exponent {alpha:.3f} the fitted loss rises: {curve[float(size)]:.2f} nats at {size:,} parameters, "
        f"{curve[1e6]:.2f} at a million, {curve[1e7]:.2f} at ten million",
        f"the fit gives {curve[float(size)]:.2f} where the report's own best loss is {best:.2f}",
    ]
    return alpha < 0 and curve[1e7] > curve[1e6] > curve[float(size)], numbers, lines


@flaw(0, "A difference of one standard error", "Compare a difference with its own error before naming a winner.")
def difference_of_exponents() -> Found:
    (lstm, lstm_error), (tf, tf_error) = printed.LSTM_FIT["alpha"], printed.TRANSFORMER_FIT["alpha"]
    delta, error = tf - lstm, math.hypot(lstm_error, tf_error)
    z = delta / error
    lo, hi = interval(delta, error)
    lines = [
        f"difference {tf:.3f} - {lstm:.3f} = {delta:.3f}, error sqrt({lstm_error:.3f}^2 + "
        f"{tf_error:.3f}^2) = {error:.3f}",
        f"z = {z:.2f}, 95 % interval {lo:.2f} to {hi:.2f}: zero is inside",
    ]
    return abs(z) < NORMAL, {"delta": delta, "error": error, "z": z, "lo": lo, "hi": hi}, lines


@flaw(0, "The halving paradox", "Only the reducible part of a loss can be halved.")
def halving_paradox() -> Found:
    factors = {"lstm": halves(printed.LSTM_FIT["alpha"][0]), "transformer": halves(printed.TRANSFORMER_FIT["alpha"][0])}
    floors = {"lstm": printed.LSTM_FIT["c"], "transformer": printed.TRANSFORMER_FIT["c"]}
    numbers = {f"factor_{k}": v for k, v in factors.items()} | {f"floor_{k}": v for k, v in floors.items()}
    numbers["ratio"] = factors["lstm"] / factors["transformer"]
    lines = [
        f"2^(1/{printed.LSTM_FIT['alpha'][0]:.3f}) = {factors['lstm']:.2f} and "
        f"2^(1/{printed.TRANSFORMER_FIT['alpha'][0]:.3f}) = {factors['transformer']:.2f}, ratio "
        f"{numbers['ratio']:.1f}: "
        "these are the printed factors, and they halve only the part above the floor"
    ]
    impossible = True
    for arm, floor in floors.items():
        half = printed.BEST[arm][0] / 2
        numbers[f"half_{arm}"] = half
        numbers[f"reducible_{arm}"] = printed.BEST[arm][0] - floor
        impossible &= half < floor
        lines.append(
            f"{arm}: half of the best loss is {half:.2f} nats, the fitted floor is {floor:.2f}; "
            f"only {printed.BEST[arm][0] - floor:.2f} nats are reducible, so no size halves the loss"
        )
    lines.append("a factor below 1 says that a smaller model has half the loss: the negative exponent again")
    return impossible, numbers, lines


@flaw(0, "Averages per parameter", "A ratio averaged over sizes is a statement about the smallest model.")
def per_parameter_averages() -> Found:
    small, large, sizes = printed.BEST["transformer"][1], printed.BEST["lstm"][1], 4
    step = (large / small) ** (1 / (sizes - 1))
    weights = [step**-i for i in range(sizes)]
    share = weights[0] / sum(weights)
    held = 16.0  # float32 weight, gradient and two moments of Adam, bytes a parameter
    numbers = {"spread": large / small, "share_of_smallest": share, "held_bytes": held,
               "time_ratio": printed.TIME_PER_PARAMETER["lstm"] / printed.TIME_PER_PARAMETER["transformer"],
               "bytes_ratio": printed.BYTES_PER_PARAMETER["lstm"] / printed.BYTES_PER_PARAMETER["transformer"],
               }  # fmt: skip
    lines = [
        f"the sizes named span a factor {large / small:.0f}; of a cost that does not depend on size, "
        "divided by size and "
        f"averaged over {sizes} evenly spaced sizes, the smallest model makes up {share:.0%}",
        f"weights, gradients and Adam's moments take {held:.0f} bytes a parameter; the printed "
        f"{printed.BYTES_PER_PARAMETER['transformer']:.0f} and {printed.BYTES_PER_PARAMETER['lstm']:.0f} are mostly "
        "activations and fixed costs, which depend on batch and length, not on parameters",
    ]
    return share > 0.5 and min(printed.BYTES_PER_PARAMETER.values()) > 2 * held, numbers, lines


@flaw(0, "Two best losses", "Best of several runs, different sizes, no spread: nothing is compared.")
def best_losses() -> Found:
    (lstm, n_lstm), (tf, n_tf) = printed.BEST["lstm"], printed.BEST["transformer"]
    lines = [
        f"{tf:.6f} - {lstm:.6f} = {tf - lstm:.4f} nats, without any spread between seeds",
        f"{n_lstm:,} / {n_tf:,} = {n_lstm / n_tf:.0f}: the LSTM needed {n_lstm / n_tf:.0f} times the parameters for it",
    ]
    return tf - lstm < 0.02 and n_lstm / n_tf > 2, {"difference": tf - lstm, "size_ratio": n_lstm / n_tf}, lines


@flaw(0, "Loss per hour, lower is better", "Ask what a score rewards: this one rewards taking longer.")
def loss_per_hour() -> Found:
    hours = {arm: printed.BEST[arm][0] / score for arm, score in printed.LOSS_PER_HOUR.items()}
    doubled = printed.BEST["lstm"][0] / (2 * hours["lstm"])
    numbers = {f"hours_{arm}": value for arm, value in hours.items()}
    numbers |= {"score": printed.LOSS_PER_HOUR["lstm"], "score_if_twice_as_long": doubled}
    lines = [
        "the score is loss / hours, and lower is called better",
        f"the same LSTM with the same loss, trained for twice the hours, would score {doubled:.1f} instead of "
        f"{printed.LOSS_PER_HOUR['lstm']:.1f}: slowness is rewarded",
        f"at nearly equal losses the scores only say that the LSTM took {hours['lstm'] / hours['transformer']:.1f} "
        "times as long",
    ]
    return doubled < printed.LOSS_PER_HOUR["lstm"], numbers, lines


@flaw(0, "Minus a half is higher than a third", "Read the sign.")
def higher_exponent() -> Found:
    higher, lower = printed.TRANSFORMER_FIT["alpha"][0], printed.LSTM_FIT["alpha"][0]
    return higher < lower, {"called_higher": higher, "against": lower}, [
        f"{higher:.4f} is called higher than {lower:.4f}; it is lower by {lower - higher:.3f}"
    ]  # fmt: skip


@flaw(0, "Both win", "A report that names both winners has measured neither.")
def winners_contradict() -> Found:
    by_exponent = "LSTM" if printed.LSTM_FIT["alpha"][0] > printed.TRANSFORMER_FIT["alpha"][0] else "Transformer"
    by_halving = "Transformer" if printed.HALVING["transformer"] < printed.HALVING["lstm"] else "LSTM"
    _, numbers, _ = difference_of_exponents()
    lines = [
        f"by exponents the better scaler is the {by_exponent}, by halving factors the {by_halving}: one "
        "fit, two winners",
        f"the only comparison with errors is at {abs(numbers['z']):.2f} standard errors; all others are single numbers",
    ]
    return by_exponent != by_halving and abs(numbers["z"]) < 2, {"z": numbers["z"]}, lines


@flaw(1, "A linear axis called log-log", "Widening on a linear axis is not widening in exponent.")
def axes_contradict() -> Found:
    axes = printed.FIGURE_AXES
    # two lines with one exponent and no floor: their gap on a linear axis is not constant, on a log axis it is
    gap = {n: 6.0 * n**-0.08 - 5.0 * n**-0.08 for n in (axes["x_low"], axes["x_high"])}
    lines = [
        f"the loss axis is described as {axes['y']}, later the picture is called {axes['later']}",
        f"two power laws with one exponent have a gap of {gap[axes['x_low']]:.2f} at one end and "
        f"{gap[axes['x_high']]:.2f} at the other of a linear axis: slopes there are not exponents",
    ]
    return axes["later"] != axes["y"], {"gap_left": gap[axes["x_low"]], "gap_right": gap[axes["x_high"]]}, lines


@flaw(1, "Below for most of the range", "Count decades on a log axis.")
def crossing_contradicts() -> Found:
    low, high, at = printed.FIGURE_AXES["x_low"], printed.FIGURE_AXES["x_high"], printed.FIGURE_CROSSING
    share = math.log(high / at) / math.log(high / low)
    return share < 0.5, {"share_below": share}, [
        f"a crossing at {at:.0e} leaves {share:.0%} of the drawn range ({low:.0e} to {high:.0e}, logarithmic) to the "
        "right of it, yet the line is said to lie below all others for most of the range"
    ]  # fmt: skip


@flaw(1, "A legend read by colour", "Six sizes, two families: they come in pairs.")
def legend_pairs() -> Found:
    sizes = sorted((*printed.LEGEND["lstm"], *printed.LEGEND["transformer"]))
    pairs = list(zip(sizes[::2], sizes[1::2], strict=True))
    ratios = [large / small for small, large in pairs]
    confounded = min(printed.LEGEND["transformer"]) / max(printed.LEGEND["lstm"])
    words = ", ".join(f"{small:,.0f} and {large:,.0f}" for small, large in pairs)
    lines = [
        f"as described, every Transformer is at least {confounded:.0f} times the largest LSTM: size and architecture "
        "cannot be told apart",
        f"sorted, the six sizes are pairs ({words}) with ratios up to {max(ratios):.1f}: one LSTM and one Transformer "
        "each, so the two equal labels are two architectures, not two runs",
    ]
    return max(ratios) < 2 < confounded, {"largest_ratio": max(ratios), "confounded": confounded}, lines


@flaw(1, "Two hundred is smaller than three", "Check which one is larger.")
def smaller_is_larger() -> Found:
    smaller, larger = min(printed.LEGEND["transformer"]), max(printed.LEGEND["lstm"])
    return smaller > larger, {"ratio": smaller / larger}, [
        f"the Transformer called smaller has {smaller:,.0f} parameters, the LSTM called much larger {larger:,.0f}: "
        f"it is {smaller / larger:.0f} times the size"
    ]  # fmt: skip
