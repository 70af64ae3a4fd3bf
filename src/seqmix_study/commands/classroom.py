"""seqmix classroom: notebooks and slides of the lessons."""

import sys

import click


@click.command("classroom")
@click.argument("lessons", nargs=-1)
@click.option("--execute/--no-execute", default=True, help="--no-execute: write the notebooks without running them.")
@click.option("--pages", is_flag=True, help="Only write the book's exercise pages (book/lessons/exercises).")
def command(lessons, execute, pages) -> None:
    """Make classroom/student, classroom/instructor and classroom/slides from LESSONS (all if none is named).

    The instructor version must pass every check and the student version must fail every check with a hint, or nothing
    is written. A shared $SEQMIX_RUNS makes the live cells of a whole class read what was trained once.
    """
    from seqmix.paths import Paths
    from seqmix_study.classroom import build
    from seqmix_study.classroom import lesson as source

    paths = Paths()
    known = source.names(paths)
    if unknown := sorted(set(lessons) - set(known)):
        click.echo(f"seqmix classroom: no lesson {', '.join(unknown)}; lessons: {', '.join(known)}", err=True)
        sys.exit(2)
    wanted = list(lessons) or known
    if pages:
        for path in build.write_pages(wanted, paths):
            click.echo(path.relative_to(paths.root))
        return
    failed = False
    for name in wanted:
        try:
            lesson = build.build(name, paths, execute)
        except (build.ClassroomError, source.LessonError) as error:
            click.echo(f"{name}: FAILED (its published notebooks are untouched)\n{error}", err=True)
            failed = True
        else:
            state = "all checks passed, and fail with hints without answers" if execute else "not executed"
            click.echo(f"{name}: {len(lesson.exercises)} exercises; {state}")
    if failed:
        sys.exit(1)
    click.echo(f"the classroom: {paths.root / 'classroom'}")
