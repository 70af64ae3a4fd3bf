"""The number of steps after which half is left."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, hidden, number, teachers, values_are, withheld

OK_FORMAT = False
name = "half_life"
points = 1

BIASES = (1.5, -1.0, 3.0, 6.0, 0.0)


@withheld
def VALUES():
    import math

    mutants, usual, found = teachers("mutants"), teachers("usual"), []
    for b in BIASES:
        kept = 1 / (1 + math.exp(-b))
        want = math.log(0.5) / math.log(kept)
        raw = abs(math.log(0.5) / math.log(abs(b))) if b not in (-1.0, 0.0) else math.nan
        known = [
            [-want, "The sign is wrong: both logarithms are negative, their ratio is positive."],
            [1 / want, "It is the other way round: you return the inverse."],
            [-1 / math.log(kept), "That is the time until 1/e is left, not a half; or two bases of logarithms."],
            [-0.5 / math.log(kept), "Half of the time until 1/e is left is not the time until a half is left."],
            [0.5 / kept, "Each step *multiplies* what is left, so after n steps kept^n is left."],
            [want / math.log(10), "Two bases of logarithms: both have to be the same."],
            [want / math.log(2), "Two bases of logarithms: both have to be the same."],
            [
                math.log(2) / b if b else math.nan,
                "The bias is not the rate of a decay: it goes through the sigmoid first.",
            ],
            [raw, "The bias is not what is kept: it goes through the sigmoid first."],
            [-raw, "The bias is not what is kept: it goes through the sigmoid first."],
        ]
        if b:
            lost = math.log(0.5) / math.log(1 - kept)
            known.append([lost, "The gate says what is *kept*: sigma(b), not 1 - sigma(b)."])
        rounded = "Do not round: the number of steps need not be whole."
        known += [[float(way(want)), rounded] for way in (math.ceil, math.floor, round, "{:.1g}".format)]
        linear = "A step does not take the same amount each time: it takes its share of what is *left*."
        known += [[0.5 / (1 - kept), linear], [1 / (1 - kept), linear], [math.log(2) / (1 - kept), linear]]
        if b > 0:
            bent = "The gate is the sigmoid of its bias, not the tanh: it lies between 0 and 1 for every bias."
            known.append([math.log(0.5) / math.log(math.tanh(b)), bent])
        known += usual(want)
        found.append([kept, *hidden(want, [[wrong, why] for wrong, why in known if math.isfinite(wrong)])])
        found[-1].append(hidden(want, mutants("ln(0.5) / ln(1 / (1 + exp(-b)))", "ln(2) / ln(1 + exp(-b))", b=b))[1])
    return found


@test_case(name="half is left")
def half(half_life):
    got, steps = {}, []

    def hint(n):
        kept = VALUES()[n][0]
        left = f"{kept ** steps[n]:.3g}" if 0 <= steps[n] < 1e6 else "another share"
        return f"With this bias one step keeps {kept:.3g}, and after that many steps {left} is left, not a half."

    for part in (BIASES[:-1], BIASES[-1:]):  # who divides by the bias is told more by the others
        got |= {f"half_life({b})": call("half_life", half_life, b) for b in part}
        steps = [number(case, value) for case, value in got.items()]
        values_are(got, [hashes for _, *hashes in VALUES()[: len(got)]], hint)
