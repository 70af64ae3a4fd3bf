"""What doubles, what quadruples, and what does not notice."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import expect, given, hidden, value_is, withheld

OK_FORMAT = False
name = "double"
points = 1

PARTS = ("prefill", "decode", "recurrent")


@withheld
def FACTORS():
    tokens = "That counts the tokens; scored are pairs of tokens."
    whole = "That is the whole pass. With a cache, one new query meets each stored key once."
    last = "That would be so if the new token met its neighbour only. What does a cache store?"
    growth = "That is by how much it grows, in parts or in percent; the factor was asked for."
    number = "That is a number of scores: divide the one for 8,000 tokens by the one for 4,000."
    numbers = [[many, number] for n in (4000, 8000) for many in (n, n * n, n * (n + 1) / 2, n * (n - 1) / 2)]
    triples = "That is for triples of tokens; scored are pairs."
    again, over = "Does the step go over the context again?", "Does the step go over pairs of tokens?"
    return [
        hidden(
            4,
            [
                [2.167, "Every token meets all before it, not some of them."],
                [2, tokens],
                [8, triples],
                [1, tokens],
                [3, growth],
                [300, growth],
                [400, growth],
                *numbers,
            ],
        ),
        hidden(2, [[4, whole], [1, last], [100, growth], [200, growth], *numbers]),
        hidden(1, [[2, again], [4, over], [0, growth], [100, growth], *numbers]),
    ]


@test_case(name="three factors")
def three(factors):
    given("factors", factors)
    expect(hasattr(factors, "keys"), "`factors` should stay a dictionary with three numbers.")
    for part, hashes in zip(PARTS, FACTORS(), strict=True):
        expect(part in factors, f"`factors` has no entry {part!r}.")
        hint = "Write down the number of products for 4,000 and for 8,000 tokens and divide."
        value_is(f"factors[{part!r}]", factors[part], *hashes, hint)
