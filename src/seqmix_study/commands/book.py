"""seqmix book: build the book from the executed chapters."""

import click

from seqmix_study.commands._common import say


@click.command("book")
@click.option("--pdf", is_flag=True, help="Also print the whole book to _build/seqmix.pdf (needs Chromium).")
@click.option("--epub", is_flag=True, help="Also build _build/seqmix.epub.")
@click.option("--force", is_flag=True, help="Build even if nothing changed.")
def command(pdf, epub, force) -> None:
    """Build _build/html from book/ and the executed chapters, and check it; every warning is an error.

    Where nothing that the pages are made from has changed, the book that is there stays.
    """
    from seqmix.paths import Paths
    from seqmix_study.book import stamp
    from seqmix_study.book.build import build, html_folder, put_in_place
    from seqmix_study.book.check_chapters import check_chapters
    from seqmix_study.book.check_pages import check_pages
    from seqmix_study.book.formats import build_epub, build_pdf
    from seqmix_study.results.transaction import locked

    paths = Paths()
    with locked(paths.build / ".lock"):  # a killed build is not waited for
        sources = stamp.made_from(paths)
        built = not force and stamp.is_built(paths, sources)
        if not built:
            if findings := check_chapters(paths):
                raise click.ClickException("\n".join(findings))
            html = build(paths)
            if findings := check_pages(paths, html):
                raise click.ClickException("\n".join(findings))
            put_in_place(paths, html)
            stamp.put(paths, sources)
    say(f"the book{' (nothing changed)' if built else ''}: {html_folder(paths) / 'index.html'}")
    if pdf:
        say(f"the PDF: {build_pdf(paths)}")
    if epub:
        say(f"the EPUB: {build_epub(paths)}")
