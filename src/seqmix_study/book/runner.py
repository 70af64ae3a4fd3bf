"""Run chapters: check the request, skip what is up to date, go on after a failure, say what happened."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from seqmix import study
from seqmix.files import RecordError, printable
from seqmix.paths import Paths
from seqmix_study.book.check_chapters import check_chapters
from seqmix_study.book.executed import AlteredError, read_executed
from seqmix_study.book.fingerprint import changed, fingerprint
from seqmix_study.book.sources import Notebook, chapters_in_toc, load
from seqmix_study.chapters.parameters import ParameterError, check, describe
from seqmix_study.chapters.request import request
from seqmix_study.results.published import CollectError
from seqmix_study.runs.fresh import start_anew

# Chapters executed at once when nothing is trained; each takes about half a gigabyte.
MOST_AT_A_TIME = 6

# Parameters that a chapter's study or corpus may not know: checked against it before anything starts.
CHECKED = {"path", "source", "arms", "sizes"}


@dataclass
class Request:
    """One chapter and the checked values it is to be executed with."""

    chapter: Notebook
    passed: dict

    @property
    def values(self) -> dict:
        """All parameters of the chapter, those that were not passed with their defaults."""
        return self.chapter.parameters | self.passed


def prepare(
    name: str, passed: dict, paths: Paths, *, jobs: int | None = None, train: bool = True, fresh: bool = False
) -> list[Request]:
    """Load the chapter, or all of them, and check every value; raises ChapterError, ParameterError or RequestError.

    With ``all`` a parameter must be known to at least one chapter and goes to those that know it. ``jobs`` and
    ``train`` are handed to chapters that have parameters of those names. ``fresh``: where all is well, a fresh training
    that is whole goes.
    """
    chapters = [load(each, paths) for each in (chapters_in_toc(paths) if name == "all" else [name])]
    everywhere = {n: default for chapter in chapters for n, default in chapter.parameters.items()}
    try:
        checked = check(everywhere, passed)
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}\nknown parameters:\n{describe(everywhere)}") from error
    more = ({"jobs": jobs} if jobs else {}) | ({} if train else {"train": False})
    requests = [Request(c, {k: v for k, v in (more | checked).items() if k in c.parameters}) for c in chapters]
    known = study.names(paths)
    if len(requests) == 1 or CHECKED & set(passed) or fresh:
        asked = [request(r.chapter.study, **r.values) for r in requests if r.chapter.study in known]
        for job in filter(None, asked if fresh else ()):
            start_anew(job)
    return requests


def run(requests: list[Request], paths: Paths, *, force: bool) -> bool:
    """Execute the chapters and return whether all succeeded.

    One after the other if they train, which uses all cores; a few at a time if they only read tables.
    """
    train = any(request.values.get("train") for request in requests)
    workers = 1 if train else max(1, min(len(requests), os.cpu_count() or 1, MOST_AT_A_TIME))
    names: dict[str, list[str]] = {"executed": [], "unchanged": [], "failed": []}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        # One worker: each when its turn comes, as an earlier chapter may have changed the tables. More: a process each,
        # as papermill changes the working directory of the whole process.
        outcomes = (map if workers == 1 else pool.map)(partial(_one, paths=paths, force=force), requests)
        for request, (outcome, said) in zip(requests, outcomes, strict=True):
            names[outcome].append(request.chapter.name)
            said = "\n".join(map(printable, said.split("\n")))  # names of others may steer a terminal
            print(f"{request.chapter.name}: {said}", file=sys.stderr if outcome == "failed" else sys.stdout, flush=True)
    counts = ", ".join(f"{len(found)} {outcome}" for outcome, found in names.items())
    print(f"chapters: {counts} {' '.join(names['failed'])}".rstrip())
    return not names["failed"]


def _one(request: Request, paths: Paths, force: bool) -> tuple[str, str]:
    """Execute one chapter unless it is up to date; return its outcome and what to say of it."""
    from seqmix_study.book.execute import ChapterFailed, execute  # loads what talks to kernels

    name = request.chapter.name
    try:
        if not force and current(request, paths):
            return "unchanged", "unchanged"
        print(f"{name}: executing", flush=True)
        result = execute(request.chapter, request.passed, paths)
    except (ChapterFailed, CollectError, RecordError) as error:
        return "failed", f"FAILED (the published chapter is untouched)\n{error}"
    for finding in check_chapters(paths, [name]):
        print(f"{finding} (seqmix book refuses this chapter)", file=sys.stderr)
    return "executed", f"done in {result['seconds']} s: {paths.executed / name}.ipynb (seqmix book makes it a page)"


def current(request: Request, paths: Paths) -> bool:
    """Say whether the published chapter already is what this request would give."""
    try:
        published = read_executed(request.chapter.name, paths)
    except AlteredError as error:
        print(error, file=sys.stderr)
        return False
    now = fingerprint(request.chapter, request.values, paths)
    return published is not None and not changed(published.metadata["seqmix"]["fingerprint"], now)
