"""``seqmix fit TABLE.csv --n COL --loss COL``: fit a scaling law to any table, or say why not."""

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command("fit")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--n", "n", required=True, metavar="COL", help="Column of parameter counts.")
@click.option("--d", "d", metavar="COL", help="Column of training tokens: fits L(N, D) instead of L(N).")
@click.option("--loss", required=True, metavar="COL", help="Column of losses, nats per token.")
@click.option("--seed", metavar="COL", help="Column of seeds; without it rows of equal size are repeats.")
@click.option("--group", metavar="COL", help="Column of families: one fit each, and their differences.")
@click.option(
    "--method",
    type=click.Choice(["varpro", "huber"]),
    default="varpro",
    show_default=True,
    help="varpro: least squares of the loss; huber: log-Huber, many starts.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(
    table: Path,
    n: str,
    d: str | None,
    loss: str,
    seed: str | None,
    group: str | None,
    method: str,
    as_json: bool,
) -> None:
    """Fit a scaling law to TABLE (CSV with a header), with intervals, a verdict and its reasons.

    The verdict is "ok", "slope_only" (the loss falls, but no exponent can be told) or "refused".
    JSON: "groups" maps each family ("all" without --group) to form, estimates, intervals (95 %, null where open),
    objective, verdict and reasons, with gates, flags, bootstrap and the other engine beside them; "comparisons" holds,
    for every two families, the difference of exponents and the iso-loss parameter ratio.

    Exit code 2: a column is missing, not numeric or not positive, or the file is empty.
    """
    from seqmix_study.findings.fits.doctor import TableError, fit_frame, read_table, render, report

    columns = {"n": n, "d": d, "loss": loss, "seed": seed, "group": group}
    try:
        fits = fit_frame(read_table(table), method=method, **columns)
    except TableError as error:
        raise click.UsageError(str(error)) from None
    document = report(fits, columns)
    click.echo(json.dumps(document, indent=2, allow_nan=False) if as_json else render(fits, document))
