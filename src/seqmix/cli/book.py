"""seqmix book: build the book from the executed chapters."""

import sys

import click


@click.command("book")
@click.option("--pdf", is_flag=True, help="Also print the whole book to _build/seqmix.pdf (needs Chromium).")
@click.option("--epub", is_flag=True, help="Also build _build/seqmix.epub.")
def command(pdf, epub) -> None:
    """Build _build/html from book/ and the executed chapters; every warning is an error."""
    from seqmix.book.build import BuildFailed, build
    from seqmix.paths import Paths

    paths = Paths()
    try:
        html = build(paths)
    except BuildFailed as error:
        click.echo(f"seqmix book: {error}", err=True)
        sys.exit(1)
    click.echo(f"the book: {html / 'index.html'}")
