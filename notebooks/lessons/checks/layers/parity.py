"""A scalar state that is multiplied, and the factor that tells odd from even."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, close, expect, number

OK_FORMAT = False
name = "parity"
points = 1


@test_case(name="the state")
def states(state):
    for bits, a in (([], 0.5), ([0, 0], 0.5), ([1], 0.5), ([1, 0, 1, 1], 0.5), ([1, 1], -0.9), ([1, 0, 1, 1, 0], -1.0)):
        got = number("state(...)", call("state", state, list(bits), a))
        want = a ** sum(bits)
        if close(got, want, 1e-6):
            continue
        case = f"For bits {bits} and a={a} you return {got:g}."
        expect(not close(got, a ** len(bits), 1e-6), f"{case} A bit 0 keeps the state: multiply at the ones only.")
        expect(not close(got, a * sum(bits), 1e-6), f"{case} The factor is applied again and again, not once.")
        expect(bits or got == 1, f"{case} Nothing has happened yet: the state starts at 1.")
        expect(False, f"{case} Start with 1.0 and multiply by `a` at every bit that is 1.")


@test_case(name="the factor")
def factor(state, switch):
    a = number("switch", switch)
    expect(abs(a) <= 1, f"`switch` is {a:g}: larger than 1 in size, the state grows without bound.")
    expect(a != 0, "`switch` is 0: after the first one the state is zero and has no sign.")
    expect(a < 0, f"`switch` is {a:g}: the state never changes its sign, whatever the bits are.")
    size = abs(a) ** 5000
    expect(
        size > 1e-6,
        f"`switch` is {a:g}: after 5,000 ones the state is {size:.1g} in size. A long row must not fade it.",
    )
    got = number("state(...)", call("state", state, [1] * 5000, a))
    expect(got > 0, "An even number of ones should leave a positive state.")
