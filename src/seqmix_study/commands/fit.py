"""``seqmix fit TABLE.csv --n COL --loss COL``: fit a scaling law to any table, or say why not."""

import json
from pathlib import Path

import click

from seqmix_study.commands._common import Named, say


@click.command("fit")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--n", "n", required=True, metavar="COL", help="Column of parameter counts.")
@click.option("--loss", metavar="COL", help="Column of losses, nats per token (or named ppl, bpb, bits).")
@click.option("--d", "d", metavar="COL", help="Column of training tokens: fits L(N, D) instead of L(N).")
@click.option("--flops", metavar="COL", help="Column of training FLOPs: compute-optimal sizes by budget.")
@click.option("--seed", metavar="COL", help="Column of seeds; without it rows of equal size are repeats.")
@click.option("--group", metavar="COL", help="Column of families: one fit each, and their differences.")
@click.option("--form", type=click.Choice(["c5", "c6"]), help="c5: E + A/N^a + B/D^b (default); c6: with gamma.")
@click.option("--method", type=click.Choice(["huber", "squares"]), help="Surfaces: huber (default) or squares of ln L.")
@click.option("--plot", type=Named(".svg", ".png", ".pdf"), metavar="FILE", help="Write a figure (.svg, .png or .pdf).")
@click.option("--report", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write one page of HTML.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(table: Path, plot: Path | None, page: Path | None, as_json: bool, **options: str | bool | None) -> None:
    """Fit a scaling law to TABLE (text with a header), with intervals, a verdict and its reasons.

    The verdict is "ok" (consistent with the law), "interval" (only the interval of the exponent may be quoted),
    "slope_only" (the loss falls, but no exponent can be told) or "refused".
    With --flops, or --d and a few budgets, one curve per budget answers beside the surface and the report says which
    to believe; --n and --flops without --loss fit a table of compute-optimal sizes.
    JSON: "groups" maps each family ("all" without --group) to form, estimates, intervals (95 %, null where open),
    objective, verdict, reasons, derived.optimal_exponent, isoflop and agreement; "comparisons" holds, for every two
    families, the difference of exponents and the iso-loss parameter ratio.

    Exit code 2: a column is missing, not numeric or not positive, or the file is no table.
    """
    from seqmix_study.findings.fits import fit_frame, read_table, render, report

    columns = {key: options[key] for key in ("n", "d", "loss", "flops", "seed", "group")}
    fits = fit_frame(read_table(table), **options)
    document = report(fits, columns)
    if plot or page:
        from seqmix_study.chapters import fit_page as pages

        if plot:
            pages.plot(fits, plot)
        if page:
            pages.write_page(fits, document, page, table.name)
    say(json.dumps(document, indent=2, allow_nan=False) if as_json else render(fits, document))
