"""``seqmix large``: what long training of 124 M to 1 B parameters would cost, by closed forms."""

import json

import click


@click.command("large")
@click.option("--size", "sizes", multiple=True, help="124M, 350M, 760M or 1B (repeatable). Default: all.")
@click.option("--utilisation", type=click.FloatRange(0.01, 1), help="Model FLOP/s over the GPU's peak (MFU).")
@click.option("--peak", type=click.FloatRange(1e12), help="Peak of one GPU in bf16 matrix products, FLOP/s.")
@click.option("--memory-gb", type=click.FloatRange(1), help="Memory of one GPU, GB.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    sizes: tuple[str, ...], utilisation: float | None, peak: float | None, memory_gb: float | None, as_json: bool
) -> None:
    """Print tokens, FLOPs, memory and hours on 1, 2, 4 and 8 GPUs for runs of 20 tokens a parameter.

    Nothing is measured: the assumptions are printed with the table, and the options replace them.
    """
    from dataclasses import asdict, replace

    from seqmix_study.runs import bigplan

    if unknown := set(sizes) - set(bigplan.LARGE):
        raise click.UsageError(f"no size {', '.join(sorted(unknown))}; known: {', '.join(bigplan.LARGE)}")
    assumed = bigplan.ASSUMED
    if utilisation:
        assumed = replace(assumed, utilisation=utilisation, utilisation_delta=utilisation)
    assumed = replace(
        assumed, dense_peak=peak or assumed.dense_peak, memory=int((memory_gb or assumed.memory / 1e9) * 1e9)
    )
    runs = bigplan.large_runs(sizes or tuple(bigplan.LARGE), assumed=assumed)
    if as_json:
        click.echo(json.dumps({"assumed": asdict(assumed), "runs": [asdict(run) for run in runs]}, indent=1))
        return
    click.echo(bigplan.large_markdown(runs))
    click.echo(bigplan.assumptions(assumed))
