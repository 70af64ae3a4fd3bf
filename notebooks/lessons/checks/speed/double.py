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
    return [
        hidden(4, [[2, tokens]]),
        hidden(2, [[4, whole], [1, last]]),
        hidden(1, [[2, "Does the step go over the context again?"], [4, "Does the step go over pairs of tokens?"]]),
    ]


@test_case(name="three factors")
def three(factors):
    given("factors", factors)
    expect(hasattr(factors, "keys"), "`factors` should stay a dictionary with three numbers.")
    for part, hashes in zip(PARTS, FACTORS(), strict=True):
        expect(part in factors, f"`factors` has no entry {part!r}.")
        hint = "Write down the number of products for 4,000 and for 8,000 tokens and divide."
        value_is(f"factors[{part!r}]", factors[part], *hashes, hint)
