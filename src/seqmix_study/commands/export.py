"""``seqmix export RUN TARGET``: a trained model as a Hugging Face folder, or as a file that a page can hold."""

from pathlib import Path

import click

from seqmix_study.commands._common import say


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--page", is_flag=True, help="write one JSON file for the book's pages instead of a folder")
def command(run: Path, target: Path, page: bool) -> None:
    """Write the weights of RUN (a run id, or a run folder) to the folder TARGET as config.json and model.safetensors.

    A Transformer loads with transformers' AutoModelForCausalLM; other architectures with seqmix_study.runs.export.load.
    With --page TARGET is a file: results/<tier>/models/NAME.json is where the directive `live` finds it by NAME. Its
    numbers are as short as keeps the loss of every token of a passage within 0.0005 nats.
    """
    from seqmix.paths import Paths

    source = run if run.is_dir() else Paths().runs / run
    if not (source / "config.json").is_file():
        raise click.UsageError(f"no run folder {run} (looked in {Paths().runs} too; seqmix status --json names all)")
    try:
        if page:
            from seqmix_study.runs.page_export import export_page

            written = export_page(source, target)
            size, rounding = target.stat().st_size, written["check"]["rounding"]
            say(f"wrote {target}: {size:,} bytes, {written['format']}, losses within {rounding:.1e} nats")
        else:
            from seqmix_study.runs.export import save, trained_model

            known = save(trained_model(source)[1], target)
            module = "transformers.AutoModelForCausalLM.from_pretrained" if known else "seqmix_study.runs.export.load"
            say(f'wrote {target}; load it with {module}("{target}")')
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
