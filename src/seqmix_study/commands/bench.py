"""``seqmix bench``: how fast this machine runs the package, against its alternatives."""

import json
from pathlib import Path

import click


@click.command("bench")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option("--rounds", type=click.IntRange(3), default=7, show_default=True, help="Timed calls of every arm.")
@click.option("--threads", type=click.IntRange(1), default=None, help="Threads of PyTorch; its own choice if left out.")
@click.option("--only", default="", help="Run the comparisons whose name contains this: training, delta, decoding.")
@click.option(
    "--nanogpt",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a nanoGPT checkout to compare the training step with.",
)
def command(as_json: bool, rounds: int, threads: int | None, only: str, nanogpt: Path | None) -> None:
    """Time training, the delta rule and decoding; arms take turns, ratios are of medians."""
    import torch

    from seqmix_study.runs import bench

    if threads:
        torch.set_num_threads(threads)
    if nanogpt is not None and not (nanogpt / "model.py").is_file():
        raise click.UsageError(f"{nanogpt} holds no model.py")
    answer = bench.run(rounds, nanogpt, only)
    if not answer["comparisons"]:
        raise click.UsageError(f"no comparison is named like {only!r}; known: training, delta, decoding")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(", ".join(f"{name} {value}" for name, value in answer["machine"].items()))
    for comparison in answer["comparisons"]:
        click.echo(f"\n{comparison['comparison']} ({comparison['kernel']}, {comparison['rounds']} rounds)")
        click.echo(f"  {'arm':<24}{'seconds':>10}{'tokens/s':>12}{'x first':>9}   (10-90 %)      CPU time x first")
        for row in comparison["arms"]:
            spread = f"({row['times_first_low']:.2f}-{row['times_first_high']:.2f})"
            numbers = f"{row['seconds']:>10.4f}{row['tokens_per_second']:>12.0f}{row['times_first']:>9.2f}"
            click.echo(f"  {row['arm']:<24}{numbers}   {spread:<14} {row['times_first_cpu']:>6.2f}")
