"""Validated, frozen configuration: what a run is, and its name.

Every field carries its unit in its name or description; unknown keys raise. ``run_id`` is a readable name plus a hash
over the *scientific* fields (those that change the numbers), so that the same run is never trained twice, whichever
study asks for it. Fields left at their default do not enter the hash: a new field with a default that keeps the old
behaviour does not rename old runs (``tests/test_config.py`` pins the defaults).

Dimension key of the whole package: B batch, T time, D model width, H heads, K key dim/head, V value dim/head,
C chunk length, N chunks, F MLP width, W vocabulary.
"""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from seqmix.frozen import Frozen, label
from seqmix.mixers import MIXERS, mixer, mixers_of

__all__ = ["ROLES", "DataConfig", "ModelConfig", "Rate", "RunConfig", "SpeedConfig", "TrainConfig", "parse_run"]


class ModelConfig(Frozen):
    """One language model: embedding -> layers -> norm -> head, one letter of ``pattern`` a layer."""

    pattern: str = Field(min_length=1, max_length=256, description="one letter a layer, see seqmix.mixers")
    skeleton: Literal["block", "classic"] = Field(
        "block", description="block: norm-mixer-norm-MLP with residuals; classic: stacked LSTM, no MLP, no residual"
    )
    d_model: int = Field(64, ge=1, le=16384, description="model width D")
    n_heads: int = Field(4, ge=1, le=256, description="heads H; must divide d_model (the LSTM has none)")
    vocab_size: int = Field(256, ge=2, description="vocabulary W, tokens")
    max_length: int = Field(128, ge=1, description="longest training sequence T, tokens")
    mlp_width: int = Field(0, ge=0, description="SwiGLU width F; 0: 8/3 of d_model, rounded to 16")
    conv: str = Field("", description="letters of the mixers that carry a short convolution, e.g. 'DG'")
    conv_width: int = Field(4, ge=2, le=64, description="taps of the short causal convolution")
    rope: str = Field("A", description="letters of the mixers whose q and k are rotated (RoPE)")
    rope_base: float = Field(10000.0, gt=1)
    learned_positions: bool = Field(False, description="add a learned position embedding of max_length rows")
    norm: Literal["pre", "post"] = Field("pre", description="where RMSNorm stands in a block")
    norm_eps: float = Field(1e-6, gt=0)
    tie_embeddings: bool = Field(True, description="the head shares the embedding's weights")
    init: Literal["fan_in", "normal_0.02"] = Field("fan_in", description="initialisation of all matrices")
    forget_bias: float = Field(1.0, description="LSTM forget-gate bias at the start (constant init)")
    forget_init: Literal["constant", "chrono"] = Field(
        "constant", description="chrono: bias = log U(1, max_length - 1) (Tallec & Ollivier 2018)"
    )
    lstm_width: int = Field(0, ge=0, description="hidden width of the L mixer; 0: nearest to 4 D^2 parameters")
    beta_scale: float = Field(1.0, gt=0, le=2, description="2 allows negative eigenvalues of what erases")
    window: int = Field(32, ge=1, description="tokens that sliding-window attention sees, the present one included")
    key_width: Literal["", "half", "full"] = Field(
        "", description="keys of a recurrence: half of D / H or all of it; empty: as its paper has it"
    )
    output_gate: Literal["", "on", "off"] = Field(
        "", description="gate after a recurrence's norm; empty: as its paper has it (mLSTM: always on)"
    )
    chunk_size: int = Field(32, ge=1, le=256, description="chunk length C of the delta rule's training form")

    @field_validator("pattern", "conv", "rope")
    @classmethod
    def _letters(cls, value: str) -> str:
        if unknown := set(value) - set(MIXERS):
            raise ValueError(f"unknown mixer letter(s) {sorted(unknown)}; known: {', '.join(MIXERS)}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "ModelConfig":
        for letter in self.rope:
            if not mixer(letter).rotates:
                raise ValueError(f"rope: {mixer(letter).label} has no queries or keys to rotate")
        for each in mixers_of(self):
            if self.skeleton == "classic" and not each.classic:
                raise ValueError(
                    f"the classic skeleton stacks LSTM layers only: pattern {self.pattern!r} holds {each.label}"
                )
            if self.skeleton == "block" and each.heads and self.d_model % self.n_heads:
                raise ValueError(f"n_heads {self.n_heads} must divide d_model {self.d_model}")
            if each.check:
                each.check(self)
        return self

    @property
    def n_layers(self) -> int:
        return len(self.pattern)

    @property
    def head_dim(self) -> int:
        """Key and value dimension of one head, K = V = D / H."""
        return self.d_model // self.n_heads

    @property
    def mlp_hidden(self) -> int:
        """SwiGLU width F after the default is filled in."""
        return self.mlp_width or max(16, round(8 * self.d_model / 3 / 16) * 16)


class DataConfig(Frozen):
    """Where tokens come from. ``path`` only says where the files are: the fingerprint says which they are."""

    source: str = Field("stdlib", min_length=1, description="corpus or synthetic source or task, by name")
    path: str = label("", "folder of UTF-8 text, for source 'folder'")
    fingerprint: str = Field("", description="sha256 of the corpus; filled in when a study is planned")
    tokenizer: str = Field("bytes", pattern=r"^(bytes|bpe-\d+)$", description="bytes, or bpe-<vocabulary>")
    seq_len: int = Field(128, ge=2, le=1_048_576, description="window length T, tokens")
    train_tokens: int = Field(0, ge=0, description="use only the first so many training tokens; 0: all")
    pairs: int = Field(0, ge=0, description="key-value pairs, for task 'mqar'")
    symbols: int = Field(0, ge=0, description="vocabulary of a recall task; 0: the task's default")
    keys_most: int = Field(16, ge=1, le=64, description="most keys of a training sequence, for task 'boxes'")
    swaps_most: int = Field(16, ge=1, description="swaps of a training sequence, for task 'boxes'")
    swaps_ramp: int = Field(
        0, ge=0, description="steps in which swaps grow from 1 to swaps_most, for task 'boxes'; 0: all at once"
    )


RETIRED = {"kernel": "torch"}
"""Fields of ``TrainConfig`` that are gone, with the one value that ever ran: records that hold it stay readable."""


class TrainConfig(Frozen):
    """How a model is trained. Tokens a run = steps x batch_size x seq_len."""

    steps: int = Field(100, ge=1, description="optimiser steps")
    batch_size: int = Field(16, ge=1, description="sequences a step")
    lr: float = Field(
        3e-3, ge=0, lt=1, description="peak learning rate of hidden matrices at width lr_width; 0: to be tuned first"
    )
    lr_width: int = Field(
        64, ge=0, description="hidden matrices use lr * lr_width / D (muP-like); 0: lr as it is for every width"
    )
    warmup: float = Field(0.05, ge=0, lt=1, description="fraction of steps with a linear rise")
    decay: float = Field(0.3, ge=0, le=1, description="fraction of steps with a linear fall at the end")
    final_lr: float = Field(0.02, ge=0, le=1, description="learning rate at the last step / peak")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    weight_decay: float = Field(0.1, ge=0, description="on matrices only")
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    precision: Literal["float32", "bfloat16", "checked"] = Field(
        "float32",
        description="autocast dtype; weights are float32. checked: bfloat16 if the published check of this kind of "
        "model allows it, decided before training",
    )
    accelerate: Literal["none", "cuda_graph"] = label(
        "none", "fewer kernel launches a step, for small models on a GPU (the record's kernel says what ran)"
    )
    eval_sequences: int = label(64, "windows of 'valid' for every loss of the curve", ge=1)
    eval_points: int = label(8, "evaluations during training, log-spaced in tokens, last at the end", ge=1)
    test_sequences: int = label(256, "windows of 'test' for the loss that is published, at the end", ge=1)
    target_loss: float = Field(0.0, ge=0, description="stop early at this running loss (recall tasks); 0: never")
    target_accuracy: float = Field(
        0.0, ge=0, le=1, description="stop early at this accuracy on fresh sequences (tasks); 0: never"
    )
    check_every: int = Field(50, ge=1, description="steps between checks of target_accuracy")
    checkpoint_every: int = label(200, "steps between checkpoints")

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, plain: Any) -> Any:
        if not isinstance(plain, dict):
            return plain
        return {name: value for name, value in plain.items() if (name, value) not in RETIRED.items()}


class Rate(Frozen):
    """Where a learning rate came from: the sweep, its optimum, and what the rate that was used costs (``regret``).

    Losses are means on the validation split, nats; ``curvature`` in nats per squared octave of the rate.
    """

    sweep: str = Field(description="name of the sweep, or of the rate law and the sweeps that it was fitted to")
    optimum: float = Field(0.0, ge=0, description="rate at the lowest point of the parabola or of the law")
    where: Literal["interior", "edge", "law", "none"] = Field(
        "none", description="interior: the best rate has worse neighbours on both sides; law: predicted, checked"
    )
    curvature: float = Field(0.0, description="second coefficient of the parabola in log2(rate)")
    regret: float = Field(0.0, ge=0, description="loss at the rate used minus the lowest, nats")
    regret_hi: float = Field(0.0, ge=0, description="its upper bound with 90 % confidence, nats")
    trials: int = Field(0, ge=0, description="runs spent on tuning the arm in this study")
    trial_flops: float = Field(0.0, ge=0, description="their training FLOPs")


ROLES = ("evidence", "sweep", "choice", "check")
"""What a run is for: evidence is published; sweep finds a rate; choice loses to a sibling; check tests a rule."""


class RunConfig(Frozen):
    """One training run with its measurements."""

    kind: Literal["train"] = "train"
    study: str = label("", "the study that asked for this run")
    tier: str = label("", "quick, laptop or gpu")
    arm: str = label("", "name of the architecture in the study")
    group: str = label("", "the part of the study that the run belongs to, e.g. 'main' or 'lr'")
    size: str = label("", "name of the size in the study")
    role: Literal["", "evidence", "sweep", "choice", "check"] = label("", "what the run is for")
    family: str = label("", "the family whose best member on 'valid' this run is; else the arm")
    place: str = label("", "where the attention layers stand: none, front, middle, back, even, all, ...")
    control: str = label("", "what the arm is a control for, e.g. 'convolution'")
    rate: Rate | None = label(None, "where the learning rate came from")
    model: ModelConfig
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    seed: int = Field(0, ge=0, description="seed of the initial weights")
    data_seed: int = Field(0, ge=0, description="seed of the order of the data; the same for every architecture")
    evaluate: tuple[str, ...] = label(
        (), "extra measurements after training, by name (a finished run can be re-measured)"
    )

    @property
    def tokens(self) -> int:
        """Training tokens of the run."""
        return self.train.steps * self.train.batch_size * self.data.seq_len

    @property
    def run_id(self) -> str:
        m = self.model
        shape = m.pattern if m.n_layers <= 16 else f"{m.pattern[:8]}x{m.n_layers}"
        return f"{m.skeleton}-{shape}-d{m.d_model}-s{self.seed}-{self.sha256()[:10]}"


class SpeedConfig(Frozen):
    """One speed measurement: several models, interleaved, in one process."""

    kind: Literal["speed"] = "speed"
    study: str = label("", "the study that asked for this measurement")
    tier: str = label("", "quick, laptop or gpu")
    group: str = label("", "the part of the study")
    models: dict[str, ModelConfig] = Field(description="arm -> model; the documents' demos bring their own")
    mode: Literal["train", "prefill", "decode", "document_3", "document_4"] = "train"
    lengths: tuple[int, ...] = Field((128,), description="sequence lengths T, tokens")
    batch_size: int = Field(1, ge=1)
    tokens_per_call: int = Field(0, ge=0, description="if > 0, batch = tokens_per_call / T instead of batch_size")
    repeats: int = Field(20, ge=3, description="timed calls a cell")
    threads: int = Field(1, ge=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    machine: str = Field("", description="fingerprint of the machine: measurements never travel")

    @property
    def run_id(self) -> str:
        return f"speed-{self.mode}-{self.sha256()[:10]}"


def parse_run(plain: dict) -> RunConfig | SpeedConfig:
    """Read a configuration back from the plain data of a run record; raises pydantic.ValidationError."""
    return {"train": RunConfig, "speed": SpeedConfig}[plain.get("kind", "train")].model_validate(plain)
