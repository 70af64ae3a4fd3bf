"""A paired difference with its interval."""

from otter.test_files import test_case

from seqmix_study.classroom.hints import Hint, call, close, numbers, withheld

OK_FORMAT = False
name = "gain"
points = 1

BEFORE = ([0.30, 0.45, 0.38, 0.52, 0.41], [0.5, 0.5, 0.6], [0.2, 0.9, 0.4, 0.6, 0.7, 0.3])
AFTER = ([0.41, 0.55, 0.50, 0.61, 0.53], [0.4, 0.7, 0.5], [0.25, 0.97, 0.43, 0.66, 0.78, 0.33])


@withheld
def VALUES():
    import numpy as np
    from scipy import stats

    found = []
    for before, after in zip(BEFORE, AFTER, strict=True):
        gaps, n = np.subtract(after, before), len(before)
        t, sd, mean = stats.t.ppf(0.975, n - 1), gaps.std(ddof=1), gaps.mean()
        half, error = t * sd / n**0.5, sd / n**0.5
        seeds = "That is how far the seeds lie apart; asked for is how sure their mean is."
        alone = "That is the spread of one list alone: take that of the differences, seed by seed."
        apart = np.hypot(np.std(before, ddof=1), np.std(after, ddof=1)) / n**0.5
        means = [
            [-mean, "The sign: after minus before."],
            [mean - half, "That is the lower end of the interval: return its middle and its half-width."],
            [mean / np.mean(before), "You divide by the mean before: the difference itself was asked for."],
            [
                np.mean(after) / np.mean(before) - 1,
                "You divide by the mean before; asked for is the difference itself.",
            ],
            [np.mean(np.divide(gaps, before)), "You divide by the values before; asked for is the difference itself."],
            [100 * mean, "That is in percent: accuracies lie between 0 and 1."],
            [half, "The two are exchanged: the mean difference comes first."],
            [np.mean(after) / np.mean(before), "That is a ratio; the difference was asked for."],
            [n * mean, "That is the sum of the differences; their mean was asked for."],
            [n * mean / (n - 1), "A mean divides by n; n - 1 belongs to the standard deviation."],
            [np.max(after) - np.max(before), "That compares the best seeds; the mean over all was asked for."],
            [np.median(after) - np.median(before), "Those are medians; the mean of the differences was asked for."],
            [np.abs(gaps).mean(), "You take absolute values: a seed that got worse counts with its sign."],
            [mean / gaps.std(ddof=1), "You divide by the spread; the difference itself was asked for."],
            [mean / error, "That is the difference in standard errors; the difference itself was asked for."],
            [np.median(gaps), "That is the median of the differences; their mean was asked for."],
        ]
        halfs = [
            [1.96 * error, "1.96 belongs to a spread that is known; with few seeds Student's quantile is larger."],
            [2 * error, "The factor depends on the number of seeds: Student's quantile, not two."],
            [np.ptp(np.percentile(gaps, [2.5, 97.5])) / 2, seeds],
            [np.ptp(gaps) / 2, seeds],
            [np.ptp(gaps), seeds],
            [t * gaps.std() / n**0.5, "The standard deviation of a sample divides by n - 1."],
            [t * sd, "That is for one seed; the mean of n is more precise by the root of n."],
            [t * sd / n, "Divide by the root of n, not by n."],
            [t * sd**2 / n**0.5, "That holds the variance: take its square root."],
            [error, "That is the standard error; multiply by Student's quantile."],
            [t * apart, "You treat the two lists as independent: take differences seed by seed first."],
            [stats.t.ppf(0.975, 2 * n - 2) * apart, "You treat the lists as independent: pair them seed by seed."],
            [stats.t.ppf(0.95, n - 1) * error, "2.5 % lie beyond *each* end of a 95 % interval."],
            [stats.t.ppf(0.975, n) * error, "The degrees of freedom are one fewer than the seeds."],
            [stats.t.ppf(0.975, 2 * n - 2) * error, "There are n differences, so n - 1 degrees of freedom."],
            *[[t * np.std(one, ddof=1) / n**0.5, alone] for one in (before, after)],
            [
                t * np.std([*before, *after], ddof=1) / n**0.5,
                "You put both lists into one spread: take that of the differences, seed by seed.",
            ],
            [sd, "That is the standard deviation; the half-width has the root of n and Student's quantile, too."],
            [2 * half, "That is the whole width; the half-width was asked for."],
            [mean + half, "That is the upper end of the interval; its half-width was asked for."],
        ]
        found.append([mean, half, means, halfs])
    return found


@test_case(name="three pairs of stacks")
def pairs(gain):
    got = [
        numbers("gain", call("gain", gain, list(before), list(after)), "mean difference, half-width")
        for before, after in zip(BEFORE, AFTER, strict=True)
    ]
    for place, which in enumerate(("mean difference", "half-width")):
        parts = [(values[place], right[place], right[place + 2]) for values, right in zip(got, VALUES(), strict=True)]
        off = [n for n, (value, want, _) in enumerate(parts) if not close(value, want, 5e-3, 6e-4)]
        said = [[why for wrong, why in parts[n][2] if close(parts[n][0], wrong, 5e-3)] for n in off]
        if off:
            every = [why for why in said[0] if all(why in each for each in said)]  # before one of the first case alone
            why = [*every, *said[0], "Take the differences seed by seed first, then look at them."][0]
            n, value = off[0], parts[off[0]][0]
            raise Hint(f"For {len(BEFORE[n])} seeds the {which} is not {value:.4f}. {why}")
