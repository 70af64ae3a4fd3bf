"""A bias that keeps a share over a distance."""

import torch
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, digest, hidden, number, teachers, values_are, withheld

OK_FORMAT = False
name = "chrono"
points = 1

CASES = ((10, 0.5), (30, 0.3), (100, 0.37), (1000, 0.8), (200, 0.01))


@withheld
def BIASES():
    import math

    def logit(p):
        return math.log(p / (1 - p))

    found = []
    for T, share in CASES:
        kept = share ** (1 / T)
        exact, near = logit(kept), math.log(T / -math.log(share))  # kept is about 1 + ln(share) / T
        low, high = min(exact, near) - 0.06, max(exact, near) + 0.06
        fits = {f"{low + (high - low) * n / 50:.1f}" for n in range(51)}
        known = [
            [kept, "That is the gate's value sigma(b). Asked for is the bias b, before the sigmoid."],
            [logit(1 - kept), "The sign: that is the bias of a gate that *loses* so much at every step."],
            [logit((1 - share) ** (1 / T)), "That leaves 1 - share: is it what is left, or what is lost?"],
            [exact / math.log(10), "Use the natural logarithm."],
            [logit(share), "That keeps the share after one step; after T steps much less is left."],
            [math.log(T - 1), "That leaves 1/e, whatever the share is."],
            [math.log(T / math.log(2)), "That leaves a half, whatever the share is."],
            [logit(share**T) if share**T > 1e-9 else math.nan, "The other root: T steps keep the power of one step."],
            [
                logit(1 - share / T),
                "The loss of T steps is not T times the loss of one: each step takes from what is left.",
            ],
        ]
        known = [k for k in known if f"{k[0]:.1f}" not in fits and math.isfinite(k[0])]
        slips = teachers("mutants")(
            "ln(share**(1 / T) / (1 - share**(1 / T)))", "-ln(share**(-1 / T) - 1)", share=share, T=T
        )
        slips = [slip for slip in slips if f"{slip[0]:.1f}" not in fits]
        found.append([sorted(map(digest, fits)), hidden(exact, known)[1], hidden(exact, slips)[1]])
    return found


@test_case(name="the share that is left")
def left_over(bias_for):
    got = [number("bias_for(...)", call("bias_for", bias_for, T, share)) for T, share in CASES]
    off = [n for n, b in enumerate(got) if digest(f"{b:.1f}") not in BIASES()[n][0]]

    def hint(place):
        n, (T, _) = off[place], CASES[off[place]]
        kept = float(torch.tensor(got[n], dtype=torch.float64).sigmoid())
        return f"Try it: with your bias a step keeps {kept:.4g}, and {T} steps leave {kept**T:.3g} of the content."

    wrong = {"bias_for({}, {})".format(*CASES[n]): got[n] for n in off}
    values_are(wrong, [[[], *BIASES()[n][1:]] for n in off], hint)
