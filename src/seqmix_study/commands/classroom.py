"""seqmix classroom: notebooks, slides and grades of the lessons."""

from pathlib import Path

import click


@click.command("classroom")
@click.argument("lessons", nargs=-1)
@click.option("--execute/--no-execute", default=True, help="--no-execute: write the notebooks without running them.")
@click.option("--pdf", is_flag=True, help="Also print the slides, without and with notes (needs Chromium).")
@click.option("--grade", "submitted", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER",
              help="Only grade the notebooks below FOLDER: STUDENT/LESSON.ipynb or STUDENT-LESSON.ipynb.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("grades.csv"), show_default=True,
              help="Where the grades are written.")  # fmt: skip
def command(lessons, execute, pdf, submitted, out) -> None:
    """Make classroom/student, classroom/instructor and classroom/slides from LESSONS (all if none is named).

    Their exercise pages in the book are written as well. The instructor version must pass every check and the student
    version must fail every check with a hint, or nothing is written. A shared $SEQMIX_RUNS makes the live cells of a
    whole class read what was trained once.
    """
    from seqmix.paths import Paths
    from seqmix_study.book.check_chapters import check_chapters
    from seqmix_study.book.formats import print_page
    from seqmix_study.classroom import build, grades, slides
    from seqmix_study.classroom import lesson as source
    from seqmix_study.commands._common import say

    paths = Paths()
    known = source.names(paths)
    if unknown := sorted(set(lessons) - set(known)):
        raise click.UsageError(f"no lesson {', '.join(unknown)}; lessons: {', '.join(known)}")
    wanted = list(lessons) or known
    if submitted:
        return grades.collect(submitted, out, paths, say)
    if findings := check_chapters(paths, slides.chapters(wanted, paths)):
        raise click.UsageError("\n".join(findings))
    failed = []
    for name in wanted:
        try:
            lesson = build.build(name, paths, execute)
        except (build.ClassroomError, source.LessonError) as error:
            failed.append(f"{name}: FAILED (its published notebooks are untouched)\n{error}")
            continue
        state = "all checks passed, and fail with hints without answers" if execute else "not executed"
        say(f"{name}: {len(lesson.exercises)} exercises; {state}")
        for query, suffix in {"": ".pdf", "?notes": ".notes.pdf"}.items() if pdf else ():
            deck = paths.root / "classroom" / "slides" / f"{name}.html"
            print_page(deck.as_uri() + query, deck.with_suffix(suffix))
            say(str(deck.with_suffix(suffix)))
    if failed:
        raise click.ClickException("\n".join(failed))
    build.write_student_folder(paths)
