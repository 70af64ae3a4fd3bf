"""seqmix run: execute chapters with checked parameters."""

import logging
import os

import click


@click.command("run")
@click.argument("chapter")
@click.option("--tier", metavar="TIER", help="How much is trained: quick, laptop or gpu (= -p tier TIER).")
@click.option("-p", "--parameter", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Training processes at a time; default: one a core.")
@click.option("--force", is_flag=True, help="Execute even if nothing changed.")
@click.option("--fresh", is_flag=True, help="Train from nothing, beside the committed rows and the records here.")
@click.option("--train/--no-train", default=True, help="--no-train: only read results that are already there.")
def command(chapter, tier, pairs, jobs, force, fresh, train) -> None:
    """Execute CHAPTER (a file of notebooks/, without .md) or "all" chapters of the table of contents.

    Every value is checked before anything starts. A chapter that is up to date is skipped; one that fails leaves its
    published version untouched and does not stop the others. With --fresh, what agrees with the published runs is said
    at the end. Exit codes: 0 done, 1 a chapter failed, 2 the request is wrong, 130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    from seqmix import study
    from seqmix.paths import Paths
    from seqmix_study.book.runner import prepare, run
    from seqmix_study.commands._common import tell_fresh
    from seqmix_study.runs import fresh as from_nothing
    from seqmix_study.runs.launch import terminable

    pairs = [*pairs, ("tier", tier)] if tier is not None else list(pairs)
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise click.UsageError(f"parameter {twice!r} is given twice: name each once")
    if fresh and not train:
        raise click.UsageError("--fresh and --no-train do not go together")
    passed = dict(pairs)
    if passed.get("path"):  # a folder as it is meant where the command is given; the chapter runs elsewhere
        passed["path"] = os.path.abspath(os.path.expanduser(passed["path"]))
    if fresh:
        os.environ["SEQMIX_FRESH"] = "1"
    paths = Paths()
    try:
        with terminable():
            requests = prepare(chapter, passed, paths, jobs=jobs, train=train, fresh=fresh)
            good = run(requests, paths, force=force or fresh)
            if fresh:
                trained = {request.chapter.study for request in requests} & set(study.names(paths))
                with from_nothing.comparing():
                    tell_fresh(passed.get("tier", "quick"), from_nothing.paths(), sorted(trained))
    except KeyboardInterrupt:
        logging.disable(logging.CRITICAL)  # what the notebook client says of its ended kernel while Python ends
        raise
    raise SystemExit(0 if good else 1)
