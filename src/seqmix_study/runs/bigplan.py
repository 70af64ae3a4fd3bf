"""What runs that this machine cannot time would cost: the gpu tier, and long training of 124 M to 1 B parameters.

Closed forms on stated assumptions, no measurement: FLOPs and parameters come from ``accounting.py``; the rates, the
utilisation and the efficiency of several GPUs are assumptions, named here, to be replaced where a GPU can be timed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from seqmix import accounting
from seqmix.config import ModelConfig, RunConfig, SpeedConfig
from seqmix.mixers import mixers_of, unshared
from seqmix_study.runs.together import shape_of

__all__ = [
    "Assumptions",
    "LargeRun",
    "assumptions",
    "gpu_seconds",
    "large_markdown",
    "large_runs",
    "large_table",
    "replicas",
    "tier_markdown",
    "tier_seconds",
]


@dataclass(frozen=True)
class Assumptions:
    """Rates of one H200-class GPU. None of them was measured by this project."""

    small_rate: float = 40e12
    """FLOP/s of attention and delta-rule models up to ``small_width``, same-shape runs trained as one ensemble."""
    small_width: int = 256
    large_rate: float = 80e12
    """FLOP/s of wider models of this study (up to D = 768, batches of 32 k tokens)."""
    lstm_rate: float = 10e12
    lstm_step: float = 20e-6
    """Seconds of one LSTM layer for one time step, forward and backward: latency, whatever the width."""
    launch: float = 1.2e-3
    """Seconds of a layer in one training step that its kernels' launches cost at least, for all of an ensemble."""
    dense_peak: float = 790e12
    """FLOP/s of large bf16 matrix products on one GPU (from the machine's notes; the ceiling that MFU refers to)."""
    utilisation: float = 0.40
    """Model FLOP/s of a long run on one GPU over ``dense_peak`` (MFU), for Transformers from 124 M parameters on."""
    utilisation_delta: float = 0.30
    """The same for models with DeltaNet layers, on the kernel 'fla'."""
    parallel: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 0.97), (4, 0.95), (8, 0.92))
    """GPUs -> efficiency of data-parallel training (averaging gradients over the links of one host)."""
    memory: int = 141 * 10**9
    """Bytes of one GPU."""


ASSUMED = Assumptions()


def replicas(configs: Iterable[RunConfig]) -> dict[str, int]:
    """Return run_id -> how many runs of the plan could share one ensemble with it (1: it runs alone)."""
    plan = list(configs)
    shapes: dict[str, set[str]] = {}
    for config in plan:
        shapes.setdefault(shape_of(config), set()).add(config.run_id)
    return {c.run_id: 1 if unshared(c.model) else len(shapes[shape_of(c)]) for c in plan}


def sequential_layers(model: ModelConfig) -> int:
    """Return the number of layers that train token by token."""
    return sum(each.sequential for each in mixers_of(model))


def gpu_seconds(config: RunConfig | SpeedConfig, together: int = 1, assumed: Assumptions = ASSUMED) -> float:
    """Return the assumed seconds of one run on one GPU when ``together`` runs share an ensemble (and its launches).

    Evaluation adds its windows at a third of a training step's cost. A speed measurement is counted as one second a
    cell plus its FLOPs at ``small_rate``.
    """
    if isinstance(config, SpeedConfig):
        return _speed_seconds(config, assumed)
    model, train, length = config.model, config.train, config.data.seq_len
    per_token = accounting.train_flops_per_token(model, length)
    read = train.eval_sequences * length * (train.eval_points + 16 * len(config.evaluate)) / 3
    layers = sequential_layers(model)
    rate = assumed.small_rate if model.d_model <= assumed.small_width else assumed.large_rate
    if layers == model.n_layers:
        rate = assumed.lstm_rate
    compute = per_token * (config.tokens + read) / rate
    latency = train.steps * (layers * length * assumed.lstm_step + model.n_layers * assumed.launch / together)
    return max(compute, latency)


def _speed_seconds(config: SpeedConfig, assumed: Assumptions) -> float:
    flops, cells = 0.0, 0
    for model in config.models.values():
        for length in config.lengths:
            batch = max(1, config.tokens_per_call // length) if config.tokens_per_call else config.batch_size
            per_token = accounting.train_flops_per_token(model, length)
            tokens = batch * (1 if config.mode == "decode" else length)
            share = 1.0 if config.mode == "train" else 1 / 3
            flops += share * per_token * tokens * (config.repeats + 3)
            latency = length * assumed.lstm_step * sequential_layers(model) * (config.repeats + 3)
            cells += 1 + (latency if config.mode != "decode" else 0.0)
    return flops / assumed.small_rate + cells


LARGE = {
    "124M": {"layers": 12, "d_model": 768, "n_heads": 12},
    "350M": {"layers": 24, "d_model": 1024, "n_heads": 16},
    "760M": {"layers": 24, "d_model": 1536, "n_heads": 12},
    "1B": {"layers": 24, "d_model": 1792, "n_heads": 14},
}
"""Sizes of the long runs, named by what GPT-2's and GPT-3's tables call models of these shapes."""

ARMS = {"transformer": "A", "deltanet": "D", "hybrid_2": "DDDDDADDDDDA"}
LENGTH, VOCABULARY, TOKENS_PER_PARAMETER, MOST_SEQUENCES = 2048, 50304, 20, 16


@dataclass(frozen=True)
class LargeRun:
    """One long run on ``gpus`` GPUs: tokens = 20 x all parameters (Hoffmann et al. 2022)."""

    size: str
    arm: str
    parameters: int
    non_embedding: int
    tokens: int
    flops: float
    gpus: int
    sequences: int
    """Sequences of 2048 tokens a GPU and step: the largest power of two, at most 16, that fits (0: none does)."""
    memory: int
    """Bytes a GPU: 16 a parameter (weights, gradients, two moments, float32; every GPU holds all) and activations."""
    hours: float


def large_model(size: str, arm: str) -> ModelConfig:
    """Return the model of a long run, matched to the Transformer's non-embedding parameters (ValueError if not)."""
    shape = LARGE[size]
    shared = {"d_model": shape["d_model"], "n_heads": shape["n_heads"]}
    shared |= {"vocab_size": VOCABULARY, "max_length": LENGTH}
    reference = ModelConfig(pattern="A" * shape["layers"], **shared)
    pattern = (ARMS[arm] * shape["layers"])[: shape["layers"]]
    conv = "D" if "D" in pattern else ""
    model = ModelConfig(pattern=pattern, conv=conv, chunk_size=64, **shared)
    return accounting.match(model, accounting.parameters(reference)["non_embedding"])


def activation_bytes(model: ModelConfig, tokens: int) -> int:
    """Return the bytes kept for the backward pass of ``tokens`` tokens under bf16 autocast without recomputation.

    A layer keeps about 14 D + 4 F values of 2 bytes a token (inputs of norms, matrices and the gate; fused attention
    keeps no scores), a delta-rule layer about 4 C + 10 D more in float32; logits and their gradient 6 bytes a token
    and vocabulary entry.
    """
    bytes_per_token = 0
    for each in mixers_of(model):
        bytes_per_token += 2 * (14 * model.d_model + 4 * model.mlp_hidden)
        if "delta" in each.flops(model, LENGTH, True):
            bytes_per_token += 4 * (4 * model.chunk_size * model.n_heads + 10 * model.d_model)
    return tokens * (bytes_per_token + 6 * model.vocab_size)


def large_runs(sizes: Iterable[str] = tuple(LARGE), arms: Iterable[str] = tuple(ARMS), assumed=ASSUMED):
    """Return a LargeRun for every size, arm and number of GPUs in ``assumed.parallel``."""
    rows = []
    for size in sizes:
        for arm in arms:
            model = large_model(size, arm)
            count = accounting.parameters(model)
            tokens = TOKENS_PER_PARAMETER * count["total"]
            flops = accounting.train_flops_per_token(model, LENGTH) * tokens
            sequences, memory = _micro_batch(model, count["total"], assumed)
            share = assumed.utilisation if arm == "transformer" else assumed.utilisation_delta
            for gpus, efficiency in assumed.parallel:
                hours = flops / (assumed.dense_peak * share * gpus * efficiency) / 3600
                sums = (count["total"], count["non_embedding"], tokens, flops)
                rows.append(LargeRun(size, arm, *sums, gpus, sequences, memory, hours))
    return rows


def _micro_batch(model: ModelConfig, parameters: int, assumed: Assumptions) -> tuple[int, int]:
    """Return the sequences a GPU and step that fit into nine tenths of its memory, and the bytes they need."""
    sequences = MOST_SEQUENCES
    while sequences:
        memory = 16 * parameters + activation_bytes(model, sequences * LENGTH)
        if memory <= 0.9 * assumed.memory:
            return sequences, memory
        sequences //= 2
    return 0, 16 * parameters


def two(value: float) -> str:
    """Return two significant digits: assumptions give no more."""
    return f"{float(f'{value:.1e}'):g}"


def large_table(runs: Iterable[LargeRun]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table: one line a size and arm, a column of hours for every number of GPUs."""
    lines: dict[tuple[str, str], list[LargeRun]] = {}
    for run in runs:
        lines.setdefault((run.size, run.arm), []).append(run)
    gpus = sorted({run.gpus for row in lines.values() for run in row})
    head = [
        "size",
        "arm",
        "parameters",
        "tokens",
        "FLOP",
        "sequences a GPU",
        "GB a GPU",
        *(f"hours on {n}" for n in gpus),
    ]
    table = []
    for (size, arm), row in lines.items():
        one = row[0]
        cells = [f"`{size}`", arm, f"{two(one.parameters / 1e6)} M", f"{two(one.tokens / 1e9)} G", f"{one.flops:.1e}"]
        cells += [str(one.sequences or "none fits"), two(one.memory / 1e9)]
        table.append(cells + [two(run.hours) for run in sorted(row, key=lambda r: r.gpus)])
    return head, table


def large_markdown(runs: Iterable[LargeRun]) -> str:
    """Return the table as Markdown."""
    head, rows = large_table(runs)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * 2 + "---:|" * (len(head) - 2)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def assumptions(assumed: Assumptions = ASSUMED) -> str:
    """Return in words what the table of long runs takes for granted."""
    scaling = ", ".join(f"{share:.0%} on {gpus}" for gpus, share in assumed.parallel if gpus > 1)
    said = (
        f"Assumed, not measured: {assumed.dense_peak / 1e12:.0f} TFLOP/s of bf16 matrix products a GPU,",
        f"of which attention models reach {assumed.utilisation:.0%} and models with DeltaNet layers (kernel fla)",
        f"{assumed.utilisation_delta:.0%}; efficiency of several GPUs: {scaling};",
        f"`{assumed.memory / 1e9:.0f}` GB a GPU; {TOKENS_PER_PARAMETER} tokens a parameter in windows of {LENGTH},",
        f"vocabulary `{VOCABULARY}`; every GPU holds all weights and moments (data parallel), activations are not",
        "recomputed.",
    )
    return " ".join(said)


def tier_seconds(plans: dict[str, list[RunConfig | SpeedConfig]], assumed: Assumptions = ASSUMED):
    """Return (study, group) -> (runs, FLOPs, assumed seconds on one GPU); a run counts where it is first mentioned."""
    runs = [config for plan in plans.values() for config in plan]
    share = replicas(config for config in runs if isinstance(config, RunConfig))
    found: dict[tuple[str, str], tuple[int, float, float]] = {}
    seen: set[str] = set()
    for config in runs:
        if config.run_id in seen:
            continue
        seen.add(config.run_id)
        count, flops, seconds = found.get((config.study, config.group), (0, 0.0, 0.0))
        if isinstance(config, RunConfig):
            flops += accounting.train_flops_per_token(config.model, config.data.seq_len) * config.tokens
        seconds += gpu_seconds(config, share.get(config.run_id, 1), assumed)
        found[config.study, config.group] = (count + 1, flops, seconds)
    return found


def tier_markdown(found: dict[tuple[str, str], tuple[int, float, float]]) -> str:
    """Return the table of a tier, with its sum."""
    lines = ["| study | group | runs | training FLOP | minutes |", "|---|---|---:|---:|---:|"]
    for (study, group), (runs, flops, seconds) in found.items():
        lines.append(f"| {study} | {group} | {runs} | {f'{flops:.1e}' if flops else ''} | {two(seconds / 60)} |")
    runs, flops, seconds = (sum(column) for column in zip(*found.values(), strict=True))
    return "\n".join([*lines, f"| all | | `{runs}` | {flops:.1e} | {two(seconds / 60)} |"]) + "\n"
