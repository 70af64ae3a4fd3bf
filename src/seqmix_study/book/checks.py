"""All checks of the book: of the sources, of the executed chapters, and of the built pages."""

from seqmix.paths import Paths
from seqmix_study.book.check_chapters import check_chapters
from seqmix_study.book.check_pages import check_pages
from seqmix_study.book.check_sources import check_sources
from seqmix_study.book.finding import Finding

__all__ = ["before_build", "everything"]


def before_build(paths: Paths) -> list[Finding]:
    """Check what the build starts from."""
    return sorted([*check_sources(paths), *check_chapters(paths)])


def everything(paths: Paths) -> list[Finding]:
    """Check sources, chapters and pages."""
    return [*before_build(paths), *sorted(check_pages(paths))]
