"""The live cells of the lessons: tiny runs of a study, from records that a whole class can share.

A teacher runs a lesson once with ``$SEQMIX_RUNS`` on a shared disk; the students' kernels then only read. Where a run
is missing and the shared folder cannot be written, it is trained into a folder of the student's own.
"""

import tempfile
from pathlib import Path


def evidence(name: str, seeds: int = 1, tier: str = "quick", **overrides) -> dict:
    """Return the result tables of study ``name`` (their names -> data frames); trains what nobody has trained yet.

    A code check and a thing to look at, never evidence for a claim: the models are tiny. ``seeds``: runs a point (0:
    all that the study names). ``arms``, ``sizes`` and ``groups`` take lists of names to keep; further keywords replace
    dotted fields, with ``__`` for the dot (``train__steps=20``).
    """
    from seqmix import study
    from seqmix_study.results import collect
    from seqmix_study.runs import launch as engine

    plan = study.plan(name, tier, seeds=seeds, overrides={k.replace("__", "."): v for k, v in overrides.items()})
    paths = _records(plan)
    engine.train(engine.request(runs=plan, paths=paths), progress=False).check()
    return collect.load(name, tier, plan=plan, paths=paths)


def _records(plan):
    """Return the project's folders; with an own one for records where the shared one lacks a run and is read-only."""
    from seqmix.paths import Paths
    from seqmix.record import RunFolder

    shared, own = Paths(), Path.home() / ".cache" / "seqmix" / "runs"
    ended = (RunFolder(shared.runs / config.run_id).status_unlocked() in ("finished", "diverged") for config in plan)
    if all(ended) or _writable(shared.runs):
        return shared
    return Paths(runs=own if _writable(own) else Path(tempfile.mkdtemp(prefix="seqmix-runs-")))


def _writable(folder: Path) -> bool:
    """Whether a file can be made in the folder (made if it is not there). ``os.access`` says yes to root, always."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".try-"):
            return True
    except OSError:
        return False
