"""``seqmix export RUN FOLDER``: a trained model as a Hugging Face folder."""

from pathlib import Path

import click


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def command(run: Path, folder: Path) -> None:
    """Write the weights of RUN (a run id, or a run folder) to FOLDER as config.json and model.safetensors.

    A Transformer loads with transformers' AutoModelForCausalLM; other architectures with seqmix_study.runs.export.load.
    """
    from seqmix.paths import Paths

    source = run if run.is_dir() else Paths().runs / run
    if not source.is_dir():
        raise click.UsageError(f"no run folder {run} (looked in {Paths().runs} too)")
    from seqmix_study.runs.export import export_run

    try:
        known = export_run(source, folder)
    except (FileNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    how = (
        f'transformers.AutoModelForCausalLM.from_pretrained("{folder}")'
        if known
        else f'seqmix_study.runs.export.load("{folder}")'
    )
    click.echo(f"wrote {folder}; load it with {how}")
