"""Which runs a command is about: a study or all of them, at a tier, some of its groups."""

from seqmix import study
from seqmix.config import RunConfig, SpeedConfig
from seqmix.paths import Paths
from seqmix_study.runs import tune
from seqmix_study.runs.known import Known

__all__ = ["by_value", "resolve", "select"]


def select(
    chapter: str, tier: str, groups: tuple[str, ...] = (), paths: Paths | None = None
) -> dict[str, list[RunConfig | SpeedConfig]]:
    """Return study -> the runs of its plan that are decided, in order (see :func:`resolve`)."""
    return {name: plan.runs for name, plan in resolve(chapter, tier, groups, paths).items()}


def resolve(
    chapter: str, tier: str, groups: tuple[str, ...] = (), paths: Paths | None = None, known: Known | None = None
) -> dict[str, tune.Resolved]:
    """Return study -> its plan; raises study.StudyError for an unknown study, tier or group.

    With ``all``, studies that lack the tier or the groups are left out, and at least one must remain. ``known``: what
    is known of runs, which decides rates; by default the records here and the committed tables.
    """
    names = study.names(paths) if chapter == "all" else [chapter]
    plans: dict[str, tune.Resolved] = {}
    known = known or Known(tier, paths)
    refused: list[study.StudyError] = []
    for name in names:
        loaded = study.load(name, paths)
        have = [group.name for group in loaded.tiers[tier].groups] if tier in loaded.tiers else []
        if groups and have and not set(groups) & set(have):
            text = f"study {name!r} has no group {', '.join(groups)} at tier {tier}; it has: {', '.join(have)}"
            refused.append(study.StudyError(text))
            continue
        try:
            overrides = {"groups": list(groups)} if groups else None
            plans[name] = tune.plan(name, tier, paths, known, overrides=overrides)
        except study.StudyError as error:
            if chapter != "all" or tier in loaded.tiers:
                raise
            refused.append(error)
    if not plans:
        raise refused[0] if refused else study.StudyError("there is no study")
    return plans


def by_value(plans: dict[str, list[RunConfig | SpeedConfig]]) -> list[RunConfig | SpeedConfig]:
    """Return all runs of several plans, the most valuable first: one seed of every study before the next seed of any.

    Within a seed the studies keep their order, and a study its groups'; speed measurements come last (they run alone).
    """
    runs = [config for plan in plans.values() for config in plan]
    return sorted(runs, key=lambda c: (isinstance(c, SpeedConfig), getattr(c, "seed", 0)))
