"""A chapter's request, checked before anything starts: parameters, names, corpus, folders, memory and disk.

The command and the chapter itself call the same function, so whoever executes a chapter gets the same sentence.
"""

import os
from pathlib import Path
from typing import Any

from seqmix import study
from seqmix_study.chapters import parameters
from seqmix_study.runs import checks, fresh, launch
from seqmix_study.runs.job import Job


class RequestError(ValueError):
    """What was asked for cannot be done; a notebook shows the sentence and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"RequestError: {self}"]


def request(name: str, **values: Any) -> Job | None:
    """Return the job of a chapter's study, None if nothing is to be trained; raises RequestError with one sentence.

    ``values``: parameters (see ``chapters/parameters.py``).
    """
    try:
        values = parameters.Parameters().model_dump() | parameters.check(parameters.Parameters.model_fields, values)
        path = values["path"]
        if path and not Path(path).expanduser().is_dir():
            raise parameters.ParameterError(f"path = {path!r} is no folder (looked in {Path.cwd()})")
        tier, more = values["tier"], {part: _names(values[part]) for part in ("arms", "sizes") if values[part].strip()}
        study.check_names(name, tier, more.get("arms", ()), more.get("sizes", ()))
        if not values["train"]:
            return None
        more |= {"train.steps": values["steps"]} if values["steps"] else {}
        more |= {"speed.repeats": values["repeats"]} if values["repeats"] else {}
        asked = {"seeds": values["seeds"], "source": values["source"], "path": path, "overrides": more}
        anew = bool(os.environ.get("SEQMIX_FRESH"))
        job = launch.request({name: asked}, tier, (), fresh.paths(anew), committed=not anew)
        checks.before_training(job)
        return job
    except (parameters.ParameterError, study.StudyError, checks.CheckError) as error:
        raise RequestError(str(error)) from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
