"""Finished records without training, for tests of what reads them."""

import hashlib
from pathlib import Path

from seqmix.config import DataConfig, ModelConfig, RunConfig, SpeedConfig, TrainConfig
from seqmix.files import json_text
from seqmix.record import RunFolder

CORPUS = "c0" * 32


def config(seed: int = 0, study: str = "scaling", d_model: int = 16, **more) -> RunConfig:
    """Return a small run of a study."""
    settings = {"tier": "laptop", "group": "main", "arm": "transformer", "data": DataConfig(seq_len=32)} | more
    train = settings.pop("train", TrainConfig(steps=10, batch_size=4))
    model = ModelConfig(pattern="A", d_model=d_model, n_heads=1)
    return RunConfig(study=study, model=model, train=train, seed=seed, data_seed=seed, **settings)


def provenance(**more) -> dict:
    plain = {"device": "cpu", "kernel": "torch", "precision": "float32", "threads": 1, "hardware": "a processor"}
    plain |= {"code_commit": "0123456789ab", "python": "3.11.7", "versions": {"torch": "2.13.0"}}
    return plain | {"corpus_sha256": CORPUS} | more


def record(runs: Path, c: RunConfig, loss: float = 2.5, status: str = "finished", metrics=(), **proven) -> RunFolder:
    """Write the record of a run that ended with ``loss``."""
    folder = RunFolder(runs / c.run_id)
    folder.write_config(c)
    folder.write_provenance(provenance(**proven))
    folder.append_curve({"step": 5, "tokens": 640, "seconds": 0.5, "loss": loss + 1, "train_loss": 3.0, "lr": 1e-3})
    folder.append_curve({"step": 10, "tokens": 1280, "seconds": 1.0, "loss": loss, "train_loss": 2.0, "lr": 1e-4})
    folder.write_table("context-index", [context_row(block, loss) for block in range(3)])
    known = {"loss": loss, "loss_valid": loss, "loss_se": 0.01, "steps_done": 10, "tokens_done": 1280}
    known |= {"seconds": 1.0, "evaluated": []}
    folder.write_metrics(known | {"reference_unigram": 3.25, "train_loss": 2.0} | dict(metrics))
    folder.finish(status)
    return folder


def say(folder: RunFolder, **change) -> None:
    """Write an outcome with other fields, properly sealed: what a foreign archive may hold."""
    plain = {name: value for name, value in folder.outcome().items() if name != "seal"} | change
    plain["seal"] = hashlib.sha256(json_text(plain).encode()).hexdigest()
    (folder.path / "outcome.json").write_text(json_text(plain))


def context_row(block: int, loss: float) -> dict:
    row = {"measure": "index", "kind": "all", "lo": 1, "hi": 2, "block": block, "loss": loss + 1e-9 * block}
    return row | {"bayes": float("nan"), "count": 7}


def speed_record(runs: Path) -> SpeedConfig:
    """Write a speed measurement and return its configuration."""
    models = {"transformer": ModelConfig(pattern="A"), "deltanet": ModelConfig(pattern="D", conv="D")}
    c = SpeedConfig(study="speed", tier="laptop", group="train", models=models, machine="here")
    folder = RunFolder(runs / c.run_id)
    folder.write_config(c)
    folder.write_provenance(provenance())
    row = {"mode": "train", "length": 128, "batch_size": 1, "seconds": 0.25, "tokens": 128, "threads": 1}
    folder.write_table("speed", [row | {"arm": arm, "repeat": 0, "order": n} for n, arm in enumerate(models)])
    folder.write_metrics({"seconds": 1.0})
    folder.finish("finished")
    return c
