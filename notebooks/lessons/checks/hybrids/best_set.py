"""The arms that cannot be told from the best, on planted tables."""

import numpy as np
from otter.test_files import test_case

from seqmix_study.classroom.hints import call, expect

OK_FORMAT = False
name = "best_set"
points = 1

SEEDS = np.array([0.0, 0.4, -0.3, 0.2, -0.25])  # what a seed does to every arm alike
SMALL = np.array([0.01, -0.01, 0.005, -0.005, 0.0])


@test_case(name="planted tables")
def planted(may_be_best):
    tables = (
        (
            {"a": 3.0 + SEEDS, "b": 3.1 + SEEDS + SMALL, "c": 3.005 + SEEDS + SMALL * 2},
            {"a", "c"},
            "The seeds move all arms together: take differences seed by seed *before* you take their spread.",
        ),
        (
            {"a": 3.0 + SEEDS, "b": 3.05 - SEEDS, "c": 4.0 + SEEDS + SMALL},
            {"a", "b"},
            "Here the seeds move a and b against each other: the spread of their differences is large.",
        ),
        ({"a": 3.0 + SMALL}, {"a"}, "The best arm belongs to the set, also when it is alone."),
        (
            {"worse": 3.3 + SMALL[::-1], "best": 3.0 + SMALL, "worst": 3.9 - SMALL},
            {"best"},
            "Look for the smallest mean, wherever it stands.",
        ),
        (
            {"lucky": 3.2 + np.array([-0.9, 0.3, 0.2, 0.3, 0.2]), "steady": 3.0 + SMALL, "high": 3.3 + SMALL[::-1]},
            {"lucky", "steady"},
            "The best arm has the smallest mean, not the smallest single loss.",
        ),
        (
            {"a": 3.0 + SEEDS, "b": 3.0 + SEEDS + np.array([0.05, 0.01, 0.04, -0.02, 0.02])},
            {"a", "b"},
            "The difference is 1.6 of its standard errors: how many belong to 95 %, with five seeds?",
        ),
        (
            {"a": 3.0 + SEEDS, "b": 3.0118 + SEEDS + np.array([0.05, 0.01, 0.04, -0.02, 0.02])},
            {"a", "b"},
            "The factor is too small: with five seeds it is Student's at 0.975 with n - 1 degrees of freedom, well"
            " above 2; and the standard deviation has n - 1, too.",
        ),
        (
            {"a": 3.0 + SEEDS, "b": 3.02 + SEEDS + np.array([0.05, 0.01, 0.04, -0.02, 0.02])},
            {"a"},
            "The factor is too large: divide the standard deviation by the root of n, and take one quantile of 97.5 %.",
        ),
    )
    for losses, want, why in tables:
        got = call("may_be_best", may_be_best, {arm: values.tolist() for arm, values in losses.items()})
        expect(not isinstance(got, (str, float, int)), f"Return a set of names, not {got!r}.")
        got = set(got)
        shown = {arm: [round(float(value), 3) for value in values] for arm, values in losses.items()}
        (best,) = {"a", "best", "steady"} & set(losses)
        why = why if best in got else f"The best arm itself, {best!r}, is missing."
        why = (
            why
            if got != {best} or "c" not in losses
            else "That is the best alone: who cannot be told from it belongs to the set, too."
        )
        expect(got == want, f"For {shown} you return {sorted(got, key=str)}. {why}")
