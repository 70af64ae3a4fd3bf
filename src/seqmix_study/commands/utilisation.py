"""``seqmix utilisation``: training speed of the arms against this machine's own matrix products."""

import json
import sys

import click


@click.command("utilisation")
@click.option("--size", default="d768", show_default=True, help="A size of studies/arms.yaml.")
@click.option("--arms", default="transformer,deltanet,gated_deltanet,lstm_2", show_default=True)
@click.option("--length", type=click.IntRange(2), default=1024, show_default=True, help="Window, tokens.")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True)
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="bfloat16", show_default=True)
@click.option("--kernel", type=click.Choice(["torch", "fla"]), default="torch", show_default=True)
@click.option("--accelerate", type=click.Choice(["none", "cuda_graph"]), default="none", show_default=True)
@click.option("--repeats", type=click.IntRange(3), default=10, show_default=True)
@click.option(
    "--ceiling-size", type=click.IntRange(64), default=8192, show_default=True, help="Matrices of the ceiling."
)
@click.option(
    "--replicas", type=click.IntRange(2), help="Also compare so many runs as one ensemble with one at a time."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    size: str,
    arms: str,
    length: int,
    batch_size: int,
    precision: str,
    kernel: str,
    accelerate: str,
    repeats: int,
    ceiling_size: int,
    replicas: int | None,
    as_json: bool,
) -> None:
    """Time the trainer's own step of several architectures: tokens/s, MFU, memory. Byte vocabulary, random tokens."""
    from seqmix import study
    from seqmix.config import TrainConfig
    from seqmix.mixers import unshared
    from seqmix.train import choose_device
    from seqmix_study.runs import utilisation

    try:
        built = {arm: study.model_of(arm, size, 256, length) for arm in dict.fromkeys(arms.split(","))}
    except study.StudyError as error:
        click.echo(f"seqmix utilisation: {error}", err=True)
        sys.exit(2)
    train = TrainConfig(batch_size=batch_size, precision=precision, kernel=kernel, accelerate=accelerate)
    place = choose_device()
    try:
        rows = utilisation.report(built, train, length, place, repeats, ceiling_size)
        shared = [arm for arm in built if not unshared(built[arm])] if replicas else []
        gains = {arm: utilisation.ensemble_gain(built[arm], train, length, replicas, place, repeats) for arm in shared}
    except (ValueError, RuntimeError, ImportError) as error:
        click.echo(f"seqmix utilisation: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({"rows": rows, "ensembles": gains}, indent=1))
        return
    click.echo(f"{rows[0]['hardware']}: {rows[0]['ceiling'] / 1e12:.3g} TFLOP/s in matrix products, {precision}\n")
    click.echo(utilisation.markdown(rows))
    for arm, row in gains.items():
        spread = f"{row['gain_low']:.2f} to {row['gain_high']:.2f}"
        click.echo(f"{arm}: {replicas} runs as one ensemble train {row['gain']:.2f} times as fast ({spread})")
