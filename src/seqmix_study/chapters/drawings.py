"""Tables behind drawings: what stands in a stack, and what a measurement leaves of a context. No measured number."""

from collections.abc import Iterable

import pandas as pd

from seqmix.mixers import mixer
from seqmix_study.chapters.style import pattern


def stacks(arms: Iterable[str]) -> pd.DataFrame:
    """Return a row per layer of every arm of ``studies/arms.yaml``: Stack, layer (from 1), Mixer.

    A stack is called by how many of its layers are attention; raises KeyError for an unknown arm.
    """
    found = []
    for arm in arms:
        letters = pattern(arm)
        name = f"{letters.count('A')} of {len(letters)}"
        found += [{"Stack": name, "layer": i, "Mixer": mixer(each).label} for i, each in enumerate(letters, start=1)]
    return pd.DataFrame(found)


def interventions() -> pd.DataFrame:
    """Return a row per token of a window of 16, for every way to change a context: Measurement, token, State.

    The last token is asked, the four before it are left as they are, and the third is a fact that is swapped.
    """
    seen = ["seen"] * 15
    ways = {
        "as it is": seen,
        "hidden": ["hidden"] * 11 + seen[11:],
        "shuffled": ["shuffled"] * 11 + seen[11:],
        "one fact changed": [*seen[:2], "changed", *seen[3:]],
    }
    rows = [(name, i, state) for name, states in ways.items() for i, state in enumerate([*states, "asked"], start=1)]
    return pd.DataFrame(rows, columns=["Measurement", "token", "State"])
