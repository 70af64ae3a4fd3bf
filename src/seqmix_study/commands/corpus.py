"""``seqmix corpus``: describe what a model would be trained on."""

import json
from pathlib import Path

import click


@click.command("corpus")
@click.argument("name", required=False)
@click.option("--tokenizer", default="bytes", show_default=True, help="bytes, or bpe-<vocabulary>")
@click.option("--seq-len", default=128, show_default=True, help="window length, tokens")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
def command(name: str | None, tokenizer: str, seq_len: int, as_json: bool) -> None:
    """Describe a corpus: documents, bytes, tokens, splits, hash, and what counting alone reaches.

    NAME is a source (stdlib, almanac, ...) or a folder of UTF-8 text. Without NAME, the known sources are listed.
    """
    from pydantic import ValidationError

    from seqmix import data
    from seqmix.config import DataConfig

    if name is None:
        known = {source: data.describe(source) for source in data.names()}
        lines = "\n".join(f"{source:<18}{what}" for source, what in known.items())
        click.echo(json.dumps(known, indent=1) if as_json else lines)
        return
    place = {"source": name} if name in data.names() else {"source": "folder", "path": name}
    if place["source"] == "folder" and name != "folder" and not Path(name).is_dir():
        raise click.UsageError(f"{name!r} is neither a folder nor a known source ({', '.join(data.names())})")
    try:
        config = DataConfig(**place, tokenizer=tokenizer, seq_len=seq_len)
        description = describe(data.open_source(config))
    except ValidationError as error:
        problems = "; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise click.UsageError(problems) from error
    except data.CorpusError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(description, indent=1) if as_json else _text(description))


def describe(source) -> dict:
    """Return the description of an opened source as plain data; losses in nats per token, nan left out."""
    import math

    meta = getattr(source, "meta", {})
    description = {
        "name": source.name,
        "sha256": source.fingerprint,
        "vocab_size": source.vocab_size,
        "tokenizer": meta.get("tokenizer", ""),
        "tokenizer_sha256": meta.get("tokenizer_sha256", ""),
        "bytes_per_token": source.bytes_per_token,
        "chance_accuracy": source.chance,
        "splits": {
            split: {
                "documents": meta["documents"][split],
                "bytes": meta["bytes"][split],
                "tokens": len(source.streams[split]),
            }
            for split in meta.get("documents", {})
        },
        "references": source.references,
    }
    if not math.isnan(source.bytes_per_token):
        bits = 1 / (source.bytes_per_token * math.log(2))
        description["references_bits_per_byte"] = {k: v * bits for k, v in source.references.items()}
    missing = (None, "", {})
    return {
        key: value
        for key, value in description.items()
        if value not in missing and not (isinstance(value, float) and math.isnan(value))
    }


def _text(description: dict) -> str:
    lines = []
    for key, value in description.items():
        if key == "splits":
            for split, sizes in value.items():
                lines.append(f"{split:<18}" + " ".join(f"{count:>12,} {unit}" for unit, count in sizes.items()))
        elif isinstance(value, dict):
            unit = "bits/byte" if "bits" in key else "nats/token"
            lines += [f"{name:<18}{loss:7.4f} {unit}" for name, loss in value.items()]
        else:
            lines.append(f"{key:<18}{value:.4g}" if isinstance(value, float) else f"{key:<18}{value}")
    return "\n".join(lines)
