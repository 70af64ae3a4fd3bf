"""Run chapters: check the request, skip what is up to date, go on after a failure, say what happened."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from seqmix import study
from seqmix.files import RecordError
from seqmix.paths import Paths
from seqmix_study.book import parameters
from seqmix_study.book.execute import ChapterFailed, execute
from seqmix_study.book.executed import AlteredError, read_executed
from seqmix_study.book.fingerprint import changed, fingerprint
from seqmix_study.book.sources import Chapter, chapters_in_toc, load
from seqmix_study.chapters.request import request
from seqmix_study.results.published import CollectError

__all__ = ["Request", "current", "prepare", "run"]

MOST_AT_A_TIME = 6
"""Chapters executed at once when nothing is trained; each takes about half a gigabyte."""

CHECKED = {"path", "source", "arms", "sizes"}
"""Parameters that a chapter's study or corpus may not know: checked against it before anything starts."""


@dataclass
class Request:
    """One chapter and the checked values it is to be executed with."""

    chapter: Chapter
    passed: dict


def prepare(name: str, passed: dict, paths: Paths, *, jobs: int | None = None, train: bool = True) -> list[Request]:
    """Load the chapter, or all of them, and check every value; raises ChapterError, ParameterError or RequestError.

    With ``all`` a parameter must be known to at least one chapter and goes to those that know it. ``jobs`` is handed to
    chapters that have a parameter of that name.
    """
    names = chapters_in_toc(paths) if name == "all" else [name]
    chapters = [load(each, paths) for each in names]
    everywhere = {n: p for chapter in chapters for n, p in chapter.parameters.items()}
    for parameter in passed:
        if not any(parameter in chapter.parameters for chapter in chapters):
            parameters.check_all(name, everywhere, {parameter: passed[parameter]})
    requests = []
    for chapter in chapters:
        own = {k: v for k, v in passed.items() if k in chapter.parameters}
        if jobs and "jobs" in chapter.parameters:
            own.setdefault("jobs", jobs)
        requests.append(Request(chapter, parameters.check_all(chapter.name, chapter.parameters, own)))
    known = study.names(paths)
    for each in requests if len(requests) == 1 or CHECKED & set(passed) else ():
        if each.chapter.study in known:
            request(each.chapter.study, **_all_values(each) | ({} if train else {"train": False}))
    return requests


def _all_values(request: Request) -> dict:
    return {name: p.default for name, p in request.chapter.parameters.items()} | request.passed


def run(requests: list[Request], paths: Paths, *, jobs: int | None, force: bool, train: bool) -> bool:
    """Execute the chapters and return whether all succeeded.

    One after the other if they train, which uses all cores; a few at a time if they only read tables.
    """
    outcomes = {"executed": [], "unchanged": [], "failed": []}

    def told(name: str, outcome: str, text: str) -> None:
        outcomes[outcome].append(name)
        print(f"{name}: {text}", file=sys.stderr if outcome == "failed" else sys.stdout, flush=True)

    def stale(request: Request) -> bool:
        if force or not current(request, paths, train):
            print(f"{request.chapter.name}: executing", flush=True)
            return True
        told(request.chapter.name, "unchanged", "unchanged")
        return False

    def take(name: str, result: dict | str) -> None:
        if isinstance(result, str):
            told(name, "failed", f"FAILED (the published chapter is untouched)\n{result}")
            return
        for place in result["noisy"]:
            print(f"{place}: wrote to its error stream; the strict build will refuse this chapter", file=sys.stderr)
        told(
            name,
            "executed",
            f"done in {result['seconds']} s: {paths.executed / name}.ipynb (seqmix book makes it a page)",
        )

    if train or len(requests) == 1:
        for request in requests:
            if stale(request):  # asked when its turn comes: an earlier chapter may have changed the tables
                take(request.chapter.name, _one(request, paths, jobs, train))
    else:
        todo = [request for request in requests if stale(request)]
        workers = max(1, min(len(todo), os.cpu_count() or 1, MOST_AT_A_TIME))
        # A process each: papermill changes the working directory of the whole process.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            futures = {pool.submit(_one, request, paths, jobs, train): request.chapter.name for request in todo}
            for future in as_completed(futures):
                take(futures[future], future.result())
    counts = ", ".join(f"{len(names)} {outcome}" for outcome, names in outcomes.items())
    print(f"chapters: {counts} {' '.join(outcomes['failed'])}".rstrip())
    return not outcomes["failed"]


def _one(request: Request, paths: Paths, jobs: int | None, train: bool) -> dict | str:
    """Execute one chapter; return its record, or the message of its failure."""
    try:
        return execute(request.chapter, request.passed, paths, jobs=jobs, train=train)
    except (ChapterFailed, CollectError, RecordError) as error:
        return str(error)


def current(request: Request, paths: Paths, train: bool) -> bool:
    """Say whether the published chapter already is what this request would give."""
    try:
        published = read_executed(request.chapter.name, paths)
    except AlteredError as error:
        print(error, file=sys.stderr)
        return False
    if published is None:
        return False
    now = fingerprint(request.chapter, _all_values(request), paths, train=train)
    return not changed(published.metadata.get("seqmix", {}).get("fingerprint"), now)
