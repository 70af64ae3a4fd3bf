"""Which runs a command is about: a study or all of them, at a tier, some of its groups."""

from typing import Any

from seqmix import study
from seqmix.paths import Paths
from seqmix_study.runs import precision, tune
from seqmix_study.runs.known import Known

# Study -> what its plan is asked besides.
Requests = dict[str, dict[str, Any]]


def resolve(chapter: str, tier: str, paths: Paths, known: Known | None = None) -> dict[str, tune.Resolved]:
    """Return study -> its plan, from what is ``known`` (default: the records here and the committed tables)."""
    known = known or Known(tier, paths)
    return {name: tune.plan(name, tier, paths, known) for name in requested(chapter, tier, (), paths)}


def requested(chapter: str, tier: str, groups: tuple[str, ...] = (), paths: Paths | None = None) -> Requests:
    """Return study -> what its plan is asked besides; raises study.StudyError for an unknown study, tier or group.

    With ``all``, studies that lack the tier or the groups are left out, and at least one must remain.
    """
    asked, refused = {}, []
    for name in study.names(paths) if chapter == "all" else [chapter]:
        tiers = study.load(name, paths).tiers
        have = [group.name for group in tiers[tier].groups] if tier in tiers else []
        if not have:
            refused.append(f"study {name!r} has no tier {tier!r}; it has: {', '.join(tiers)}")
        elif groups and not set(groups) & set(have):
            wrong = f"no group {', '.join(groups)} at tier {tier}; it has: {', '.join(have)}"
            refused.append(f"study {name!r} has {wrong}")
        else:
            asked[name] = {"overrides": {"groups": list(groups)}} if groups else {}
    if not asked:
        raise study.StudyError(refused[0] if refused else "there is no study")
    return asked


def with_checks(studies: Requests, tier: str, paths: Paths | None = None) -> Requests:
    """Return the studies with that of precision before them, where their runs wait for it."""
    if precision.STUDY in studies or precision.STUDY not in study.names(paths):
        return studies
    if tier not in study.load(precision.STUDY, paths).tiers:
        return studies
    tiers = [study.load(name, paths).tiers.get(tier) for name in studies]
    asked = {group.base.get("train", {}).get("precision") for each in tiers if each for group in each.groups}
    return {precision.STUDY: {}, **studies} if "checked" in asked else studies
