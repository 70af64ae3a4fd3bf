"""seqmix classroom: notebooks, slides and grades of the lessons."""

from itertools import product
from pathlib import Path

import click


@click.command("classroom")
@click.argument("lessons", nargs=-1)
@click.option("--execute/--no-execute", default=True, help="--no-execute: write the notebooks without running them.")
@click.option("--pages", is_flag=True, help="Only write the book's exercise pages (book/lessons/exercises).")
@click.option("--pdf", is_flag=True, help="Only print the slides that are there, without and with notes (Chromium).")
@click.option("--grade", "submitted", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER",
              help="Only grade the notebooks below FOLDER: STUDENT/LESSON.ipynb or STUDENT-LESSON.ipynb.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default=Path("grades.csv"), show_default=True,
              help="Where the grades are written.")  # fmt: skip
def command(lessons, execute, pages, pdf, submitted, out) -> None:
    """Make classroom/student, classroom/instructor and classroom/slides from LESSONS (all if none is named).

    The instructor version must pass every check and the student version must fail every check with a hint, or nothing
    is written. A shared $SEQMIX_RUNS makes the live cells of a whole class read what was trained once.
    """
    from seqmix.files import atomic_write
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
        grades.collect(submitted, out, paths, say)
    elif pages:
        for name in wanted:
            atomic_write(paths.book / "lessons" / "exercises" / f"{name}.md", source.load(name, paths).page())
    elif findings := slides.stale(paths, wanted) if pdf else check_chapters(paths, slides.chapters(wanted, paths)):
        raise click.UsageError("\n".join(findings))
    elif pdf:
        for name, (query, suffix) in product(wanted, {"": ".pdf", "?notes": ".notes.pdf"}.items()):
            deck = paths.root / "classroom" / "slides" / f"{name}.html"
            print_page(deck.as_uri() + query, deck.with_suffix(suffix))
            say(str(deck.with_suffix(suffix)))
    else:
        failed = []
        for name in wanted:
            try:
                lesson = build.build(name, paths, execute)
                state = "all checks passed, and fail with hints without answers" if execute else "not executed"
                say(f"{name}: {len(lesson.exercises)} exercises; {state}")
            except (build.ClassroomError, source.LessonError) as error:
                failed.append(f"{name}: FAILED (its published notebooks are untouched)\n{error}")
        if failed:
            raise click.ClickException("\n".join(failed))
        build.write_student_folder(paths)
        say(f"the classroom: {paths.root / 'classroom'}")
