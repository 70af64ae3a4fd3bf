"""Tables behind drawings: what stands in a stack, and what a measurement leaves of a context. No measured number."""

from collections.abc import Iterable

import pandas as pd

from seqmix.mixers import mixer
from seqmix_study.chapters.style import pattern


def stacks(arms: Iterable[str], kind: str = "A") -> pd.DataFrame:
    """Return a row per layer of every arm of ``studies/arms.yaml``: Stack, layer (from 1), Mixer.

    A stack is called by how many of its layers are of the kind ``kind``; raises KeyError for an unknown arm.
    """
    found = []
    for arm in arms:
        letters = pattern(arm)
        name = f"{letters.count(kind)} of {len(letters)}"
        found += [{"Stack": name, "layer": i, "Mixer": mixer(each).label} for i, each in enumerate(letters, start=1)]
    return pd.DataFrame(found)


def interventions(length: int = 16, near: int = 4, fact: int = 3) -> pd.DataFrame:
    """Return a row per token of a window of ``length``, for every way to change a context: Measurement, token, State.

    The last token is asked; the ``near`` ones before it are left as they are; ``fact`` is the token that is swapped.
    """
    far = length - 1 - near
    ways = {
        "as it is": ["seen"] * (length - 1),
        "hidden": ["hidden"] * far + ["seen"] * near,
        "shuffled": ["shuffled"] * far + ["seen"] * near,
        "one fact changed": ["changed" if i == fact else "seen" for i in range(1, length)],
    }
    rows = [(name, i, state) for name, states in ways.items() for i, state in enumerate([*states, "asked"], start=1)]
    return pd.DataFrame(rows, columns=["Measurement", "token", "State"])
