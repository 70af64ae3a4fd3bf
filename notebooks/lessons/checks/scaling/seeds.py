"""Seeds for an effect: judged by the definition."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect, number, withheld

OK_FORMAT = False
name = "seeds"
points = 1


CASES = ((0.05, 0.05), (0.06, 0.1), (0.1, 0.02), (0.03, 0.5), (0.02, 0.011), (0.05, 0.072))


@withheld
def VALUES():
    from scipy import stats

    def smallest(width, effect):
        return next(n for n in range(2, 10_000) if width(n) <= effect + 1e-12)

    def student(n, q=0.975, degrees=lambda n: 2 * n - 2):
        return stats.t.ppf(q, degrees(n))

    found = []
    for sd, effect in CASES:
        ways = (
            (lambda n: 1.96 * (2 / n) ** 0.5, "A fixed 1.96 belongs to a spread that is known; yours is estimated."),
            (lambda n: 2 * (2 / n) ** 0.5, "The factor is not two: it depends on n, since the spread is estimated."),
            (lambda n: student(n) / n**0.5, "Both arms vary: the 2 under the root is missing."),
            (
                lambda n: student(n, degrees=lambda n: n - 1) / n**0.5,
                "That is the interval of one arm's mean: both arms vary, and both have degrees of freedom.",
            ),
            (lambda n: 1.96 / n**0.5, "Both arms vary: the 2 under the root is missing."),
            (
                lambda n: student(n, 0.95) * (2 / n) ** 0.5,
                "That is the quantile of one side: 2.5 % lie beyond each end of a 95 % interval.",
            ),
            (
                lambda n: student(n, degrees=lambda n: n - 1) * (2 / n) ** 0.5,
                "Both arms together have 2n - 2 degrees of freedom.",
            ),
            (
                lambda n: student(n, degrees=lambda n: 2 * n - 1) * (2 / n) ** 0.5,
                "Both arms together have 2n - 2 degrees of freedom: each spends one on its mean.",
            ),
            (
                lambda n: student(n, degrees=lambda n: 2 * n) * (2 / n) ** 0.5,
                "Both arms together have 2n - 2 degrees of freedom: each spends one on its mean.",
            ),
            (lambda n: student(n) * 2 / n, "The root is missing: the mean of n is more precise by the root of n."),
            (lambda n: sd * student(n) * (2 / n) ** 0.5, "That holds a variance: `sd` is a standard deviation."),  # noqa: B023
            (lambda n: 2 * student(n) * (2 / n) ** 0.5, "The *half*-width is compared with the effect, not the whole."),
            (lambda n: 2 * 1.96 / n**0.5, "Two spreads add in squares: the root of 2, not 2; and Student's quantile."),
            (
                lambda n: 2 * 1.96 * (2 / n) ** 0.5,
                "The *half*-width is compared with the effect; and Student's quantile.",
            ),
            (lambda n: 2.8 * (2 / n) ** 0.5, "That is a test with a power of 80 %; the half-width was asked for."),
            (lambda n: 1.645 * (2 / n) ** 0.5, "That is the quantile of one side, of a spread that is known."),
            (lambda n: (2 / n) ** 0.5, "Student's quantile is missing: that is the standard error alone."),
            (
                lambda n: student(n, degrees=lambda n: n) * (2 / n) ** 0.5,
                "Both arms together have 2n - 2 degrees of freedom.",
            ),
            (lambda n: student(n) * (2 / (n - 1)) ** 0.5, "Under the root stands n itself: 2 / n."),
            (lambda n: student(n) * (2 / n**2) ** 0.5, "Under the root stands n, not its square."),
            (lambda n: student(n) * 2 / n**0.5, "Two spreads add in squares: the root of 2, not 2."),
        )
        known = [[smallest(lambda n: sd * way(n), effect), why] for way, why in ways]  # noqa: B023
        want = smallest(lambda n: sd * student(n) * (2 / n) ** 0.5, effect)  # noqa: B023
        known.append([want - 1, "That is the last n that does not suffice: the first one that does was asked for."])
        known.append([2 * want, "That is the number of runs of both arms; n is that of each."])
        found.append([want, known])
    return found


@withheld
def QUANTILES():
    from scipy import stats

    return [float(stats.t.ppf(0.975, 2 * n - 2)) for n in range(2, 62)]


@test_case(name="the smallest n")
def smallest(seeds_needed):
    found = []
    for sd, effect in CASES:
        n = number("seeds_needed(...)", call("seeds_needed", seeds_needed, sd, effect))
        case = f"sd={sd}, effect={effect}"
        expect(n == int(n), f"For {case} you return {n:.3f}: one cannot train a fraction of a run. Round up.")
        found.append(n)
    expect(len(set(found)) > 1, f"You return {found[0]:g} for every spread and effect: n depends on both.")
    wanted, ways = zip(*VALUES(), strict=True)
    made = (way[0][1] for way in zip(*ways, strict=True) if [n for n, _ in way] == found)  # the same in every case
    why = "".join(f" {why}" for why in list(made)[:1])
    for (sd, effect), n in zip(CASES, found, strict=True):
        one = (
            f"For sd={sd}, effect={effect} you return {n:.0f}: with one seed there is no spread to measure. At least 2."
        )
        expect(n >= 2 or why, one)
    for (sd, effect), n, want in zip(CASES, found, wanted, strict=True):
        few = "is too few: the half-width is larger than the effect." if n < want else "works, a smaller n does, too."
        near = int(min(n, 61) if n < want else min(n - 1, 61))
        width = QUANTILES()[near - 2] * sd * (2 / near) ** 0.5 if near < 61 else 0.0
        beside = f"With n={near} t is {QUANTILES()[near - 2]:.4g}, and the half-width {width:.3g}." if width else ""
        off = {round(a - b) for a, b in zip(found, wanted, strict=True)}
        fixed = " You are off by the same number in every case: where does your count begin, and where does it stop?"
        why = why or f" {beside}{fixed * (len(off) == 1)}"
        expect(n == want, f"For sd={sd}, effect={effect} n={n:.0f} {few}{why}")
