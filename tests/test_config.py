"""Configuration: strict, frozen, and a run's name is a function of what decides its numbers."""

import pytest
from pydantic import ValidationError

from seqmix.config import DataConfig, ModelConfig, RunConfig, SpeedConfig, TrainConfig, parse_run


def run(**changes) -> RunConfig:
    return RunConfig(**{"model": ModelConfig(pattern="DA")} | changes)


def test_unknown_keys_and_wrong_values_raise():
    with pytest.raises(ValidationError, match="n_haeds"):
        ModelConfig(pattern="A", n_haeds=2)
    with pytest.raises(ValidationError, match="unknown mixer"):
        ModelConfig(pattern="AX")
    with pytest.raises(ValidationError, match="must divide"):
        ModelConfig(pattern="A", d_model=30, n_heads=4)
    with pytest.raises(ValidationError, match="classic"):
        ModelConfig(pattern="LA", skeleton="classic")
    with pytest.raises(ValidationError):
        TrainConfig(lr=-1)


def test_configuration_is_frozen():
    with pytest.raises(ValidationError):
        run().seed = 3


def test_labels_do_not_rename_a_run():
    same = [run(), run(study="context", arm="hybrid", tier="gpu", group="lr", evaluate=("index",))]
    same.append(
        run(
            data=DataConfig(path="/somewhere"),
            train=TrainConfig(checkpoint_every=7, accelerate="cuda_graph", eval_sequences=5, eval_points=2),
        )
    )
    assert len({config.run_id for config in same}) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"data_seed": 1},
        {"model": ModelConfig(pattern="AD")},
        {"model": ModelConfig(pattern="DA", conv="D")},
        {"data": DataConfig(fingerprint="abc")},
        {"data": DataConfig(source="almanac")},
        {"train": TrainConfig(lr=1e-3)},
    ],
)
def test_science_renames_a_run(changed):
    assert run(**changed).run_id != run().run_id


def test_defaults_are_pinned():
    """A changed default would give old names to new numbers: change this hash only together with the field's name."""
    everything = {
        c.__name__: c(**k).model_dump(mode="json")
        for c, k in ((ModelConfig, {"pattern": "A"}), (DataConfig, {}), (TrainConfig, {}))
    }
    assert everything["TrainConfig"] == {
        "steps": 100, "batch_size": 16, "lr": 0.003, "lr_width": 64, "warmup": 0.05, "decay": 0.3, "final_lr": 0.02,
        "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.1, "clip": 1.0, "precision": "float32",
        "accelerate": "none", "eval_sequences": 64, "eval_points": 8, "test_sequences": 256, "target_loss": 0.0,
        "target_accuracy": 0.0, "check_every": 50, "checkpoint_every": 200,
    }  # fmt: skip
    assert everything["DataConfig"] == {
        "source": "stdlib", "path": "", "fingerprint": "", "tokenizer": "bytes", "seq_len": 128, "train_tokens": 0,
        "pairs": 0, "symbols": 0, "keys_most": 16, "swaps_most": 16, "swaps_ramp": 0,
    }  # fmt: skip
    assert run().run_id == "block-DA-d64-s0-" + run().sha256()[:10]
    assert ModelConfig(pattern="AAD", conv="D").sha256()[:10] == "0fa854fb84"


def test_records_read_back():
    config = run(evaluate=("index",), seed=3)
    assert parse_run(config.model_dump(mode="json")) == config


def test_records_with_a_field_that_is_gone_read_back_at_its_only_value():
    plain = run().model_dump(mode="json")
    assert parse_run(plain | {"train": plain["train"] | {"kernel": "torch"}}) == run()
    with pytest.raises(ValidationError, match="kernel"):
        parse_run(plain | {"train": plain["train"] | {"kernel": "fla"}})
    speed = SpeedConfig(models={"transformer": ModelConfig(pattern="A")}, mode="decode", lengths=(64,))
    assert parse_run(speed.model_dump(mode="json")) == speed


def test_every_field_says_what_it_is():
    for kind in (ModelConfig, DataConfig, TrainConfig, RunConfig):
        for name, field in kind.model_fields.items():
            plain = name in {"kind", "model", "data", "train", "rope_base", "norm_eps", "beta1", "beta2"}
            assert plain or field.description, f"{kind.__name__}.{name} has no description"
