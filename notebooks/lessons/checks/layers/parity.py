"""A scalar state that is multiplied, and the factor that tells odd from even."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, hidden, number, value_is, withheld

OK_FORMAT = False
name = "parity"
points = 1

CASES = (([], 0.5), ([0, 0], 0.5), ([1], 0.5), ([1, 0, 1, 1], 0.5), ([1, 1], -0.9), ([1, 0, 1, 1, 0], -1.0))


@withheld
def STATES():
    return [
        hidden(
            a ** sum(bits),
            [
                *[[0.0, "A bit 0 keeps the state: it is no factor."]][: a ** sum(bits) != 0 and 0 in bits],
                [a ** len(bits), "A bit 0 keeps the state: multiply at the ones only."],
                *[[1 + a * sum(bits), "The state is multiplied by `a`; you add it."]][: sum(bits)],
                *[[a * sum(bits), "Applied again and again, not once: each one multiplies the state."]][: sum(bits)],
            ],
            1e-6,
        )
        for bits, a in CASES
    ]


@test_case(name="the state")
def states(state):
    for (bits, a), hashes in zip(CASES, STATES(), strict=True):
        hint = (
            "Start with 1.0 and multiply by `a` at every bit that is 1."
            if bits
            else "Nothing has happened yet: the state is where it starts, at 1.0."
        )
        value_is(f"state({bits}, {a})", call("state", state, list(bits), a), *hashes, hint, 1e-6)


@test_case(name="the factor")
def factor(state, switch):
    a = number("switch", switch)
    expect(abs(a) <= 1, f"`switch` is {a:g}: larger than 1 in size, the state grows without bound.")
    expect(a != 0, "`switch` is 0: after the first one the state is zero and has no sign.")
    expect(a < 0, f"`switch` is {a:g}: the state never changes its sign, whatever the bits are.")
    size = abs(a) ** 5000
    expect(
        size > 0.5,
        f"`switch` is {a:g}: after 5,000 ones the state is {size:.1g} in size. A long row must not fade it.",
    )
    got = number("state(...)", call("state", state, [1] * 5000, a))
    expect(got > 0, "An even number of ones should leave a positive state.")
