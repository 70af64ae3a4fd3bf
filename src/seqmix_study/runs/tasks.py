"""What a worker can do with a run, or with several of one shape. A test passes another module with the same names."""

from collections.abc import Callable

from seqmix.config import RunConfig, SpeedConfig
from seqmix.record import RunFolder

__all__ = ["interruption", "measure", "remeasure", "saved_step", "train", "train_together"]

Progress = Callable[[dict], bool]


def train(config: RunConfig, folder: RunFolder, progress: Progress) -> None:
    from seqmix import distributed, train

    if (team := distributed.join()) is not None:
        team.announce(config)  # only the leader comes here: see team.py
    train.train(config, folder, progress)


def remeasure(config: RunConfig, folder: RunFolder, progress: Progress) -> None:
    from seqmix import train

    train.remeasure(config, folder, progress)


def measure(config: SpeedConfig, folder: RunFolder, progress: Progress) -> None:
    from seqmix import timing as measure

    measure.measure(config, folder, progress)


def interruption() -> type[Exception]:
    """Return the exception with which a run says that it stopped on request, its checkpoint saved."""
    from seqmix import train

    return train.Interrupted


def train_together(configs: list[RunConfig], folders: list[RunFolder], progress: Callable[[str, dict], bool]) -> None:
    from seqmix_study.runs import ensemble

    ensemble.train_together(configs, folders, progress)


def saved_step(folder: RunFolder) -> int:
    """Return the step of a run's newest usable checkpoint; 0 if there is none."""
    from seqmix_study.runs import ensemble

    return ensemble.saved_step(folder)
