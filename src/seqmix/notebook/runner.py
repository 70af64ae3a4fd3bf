"""Run chapters: check the request, skip what is up to date, go on after a failure, say what happened."""

import json
import os
import sys
import time
from dataclasses import dataclass

from seqmix.notebook import parameters
from seqmix.notebook.execute import ChapterFailed, execute, read_executed
from seqmix.notebook.fingerprint import changed, fingerprint
from seqmix.notebook.sources import Chapter, chapters_in_toc, load
from seqmix.paths import Paths

__all__ = ["Request", "prepare", "run"]


@dataclass
class Request:
    """One chapter and the checked values it is to be executed with."""

    chapter: Chapter
    passed: dict


def prepare(name: str, passed: dict, paths: Paths, *, jobs: int | None = None) -> list[Request]:
    """Load the chapter, or all of them, and check every value; raises ChapterError or ParameterError.

    With ``all`` a parameter must be known to at least one chapter and goes to those that know it. ``jobs`` is handed
    to chapters that have a parameter of that name.
    """
    names = chapters_in_toc(paths) if name == "all" else [name]
    chapters = [load(each, paths) for each in names]
    for parameter in passed:
        if not any(parameter in chapter.parameters for chapter in chapters):
            known = {n: p for chapter in chapters for n, p in chapter.parameters.items()}
            try:
                parameters.check(known, {parameter: passed[parameter]})
            except parameters.ParameterError as error:
                raise parameters.ParameterError(
                    f"{name}: {error}\nknown parameters:\n{parameters.describe(known)}"
                ) from error
    requests = []
    for chapter in chapters:
        own = {k: v for k, v in passed.items() if k in chapter.parameters}
        if jobs and "jobs" in chapter.parameters:
            own.setdefault("jobs", jobs)
        try:
            requests.append(Request(chapter, parameters.check(chapter.parameters, own)))
        except parameters.ParameterError as error:
            known = parameters.describe(chapter.parameters)
            raise parameters.ParameterError(f"{chapter.name}: {error}\nknown parameters:\n{known}") from error
    return requests


def run(requests: list[Request], paths: Paths, *, jobs: int | None, force: bool, train: bool) -> bool:
    """Execute the chapters one after the other (training uses all cores); return whether all succeeded."""
    failed, done, skipped = [], [], []
    for request in requests:
        name = request.chapter.name
        if not force and _current(request, paths, train):
            print(f"{name}: unchanged")
            skipped.append(name)
            continue
        print(f"{name}: executing", flush=True)
        try:
            record = execute(request.chapter, request.passed, paths, jobs=jobs, train=train)
        except ChapterFailed as error:
            print(f"{name}: FAILED (the published chapter is untouched)\n{error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        for place in record["noisy"]:
            print(f"{place}: wrote to its error stream; the strict build will refuse this chapter", file=sys.stderr)
        _note(record, paths)
        print(f"{name}: done in {record['seconds']} s", flush=True)
        done.append(name)
    print(f"chapters: {len(done)} executed, {len(skipped)} unchanged, {len(failed)} failed {' '.join(failed)}".rstrip())
    return not failed


def _current(request: Request, paths: Paths, train: bool) -> bool:
    """Say whether the published chapter already is what this request would give."""
    published = read_executed(request.chapter.name, paths)
    if published is None:
        return False
    values = {n: p.default for n, p in request.chapter.parameters.items()} | request.passed
    now = fingerprint(request.chapter, values, paths, train=train)
    return not changed(published.metadata.get("seqmix", {}).get("fingerprint"), now)


def _note(record: dict, paths: Paths) -> None:
    """Keep what varies from run to run (times) beside the notebook, for the status page."""
    path = paths.executed / f"{record['chapter']}.run.json"
    note = {"seconds": record["seconds"], "finished_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(json.dumps(note) + "\n", encoding="utf-8")
    os.replace(part, path)
