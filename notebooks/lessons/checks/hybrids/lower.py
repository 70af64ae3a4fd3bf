"""A percentage with the right base."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, hidden, number, teachers, value_is, values_are, withheld

OK_FORMAT = False
name = "lower"
points = 1


PAIRS = ((3.0, 4.0), (2.0, 2.5), (1.0, 1.0), (5.0, 4.0), (3.5, 3.8))


@withheld
def VALUES():
    import math

    def judged(new, old):
        want = 100 * (old - new) / old
        known = [
            [100 * (old - new) / new, "You divide by the new loss; percent of `old` was asked for."],
            [200 * (old - new) / (old + new), "You divide by the mean of the two; percent of `old` was asked for."],
            [want / 100, "That is a fraction; multiply it by 100."],
            [-want, "The sign: positive where the new loss is lower."],
            [old - new, "That is the difference in nats: divide it by the old loss."],
            [100 * (new - old) / new, "You exchanged the two losses."],
            [round(want), "Do not round to whole percents."],
            [100 * new / old, "That is what is left of the old loss, not what is gone."],
            [100 * math.log(old / new), "That is a difference of logarithms; percent is a share of the old loss."],
            [100 * math.exp(new - old), "That is a ratio of perplexities; percent of the old loss was asked for."],
            [100 - 100 * math.exp(new - old), "That is by how much the perplexity is lower; the loss was asked for."],
        ]
        share = " And that is a fraction: multiply it by 100."
        return want, known + [[wrong / 100, why + share] for wrong, why in known[:2] + known[5:6]]

    want, against = judged(3.472, 4.118)
    against[0][1] = "That is how much *higher* the Transformer's loss is."
    pairs = [hidden(*judged(*pair), 1e-4) for pair in PAIRS]
    ways = "100 * (old - new) / old", "100 * (1 - new / old)", "100 - 100 * new / old"
    for (new, old), hashes in zip(PAIRS, pairs, strict=True):
        hashes.append(hidden(0.0, teachers("mutants")(*ways, old=old, new=new), 1e-4)[1])
    return [pairs, hidden(want, against)]


@test_case(name="percent of the old loss")
def of_the_old(lower_by):
    got = {f"lower_by({new}, {old})": call("lower_by", lower_by, new, old) for new, old in PAIRS}
    percents = [number(case, value) for case, value in got.items()]

    def hint(n):
        new, old = PAIRS[n]
        return (
            f"That many percent of {old} are {percents[n] * old / 100:.4g}; {new} and {old} are"
            f" {abs(old - new):.4g} apart."
        )

    values_are(got, VALUES()[0], hint, 1e-4)


@test_case(name="the hybrid against the Transformer")
def against(against_transformer):
    hint = "Which of the two losses is the new one, which is the old one?"
    value_is("against_transformer", against_transformer, *VALUES()[1], hint)
