"""Take a model along: a run's weights as a folder with ``config.json`` and ``model.safetensors``.

A Transformer of this package (pattern all A, pre-norm, RoPE, no convolution) is a Llama without biases: its folder
loads with ``transformers.AutoModelForCausalLM.from_pretrained`` and gives the same logits. Any other has no
counterpart there (an LSTM or DeltaNet with convolution, norms and gates as written here): it is written with this
package's own names, the tensors of ``model.state_dict()``, and its configuration under the key ``seqmix``. ``load``
reads both kinds, and foreign Llama folders: shared key and value heads are repeated, what has no place is refused.
"""

import json
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from seqmix.checkpoint import load_weights
from seqmix.config import ModelConfig
from seqmix.files import atomic_write, read_json
from seqmix.models import build
from seqmix.record import RunFolder

# ``model_type`` of architectures that ``transformers`` does not know, and the key of our configuration.
OWN = "seqmix"

# Llama's tensors that are parts of one of ours, and those of them that are rotated.
JOINED, ROTATED = re.compile(r"\.(q|k|v|gate|up)_proj\."), re.compile(r"\.[qk]_proj\.")

# Our sizes -> what a Llama's ``config.json`` calls them, where they must be whole numbers above zero.
SIZES = {"d_model": "hidden_size", "n_heads": "num_attention_heads", "n_layers": "num_hidden_layers"}
SIZES |= {"vocab_size": "vocab_size", "max_length": "max_position_embeddings", "mlp_hidden": "intermediate_size"}


def llama_obstacles(config: ModelConfig) -> list[str]:
    """Return what keeps ``config`` from being a Llama; empty if it is one."""
    checks = {
        f"pattern {config.pattern}": set(config.pattern) == {"A"} and config.skeleton == "block",
        "a short convolution": "A" not in config.conv,
        "no rotary positions": "A" in config.rope,
        "learned positions": not config.learned_positions,
        "post-norm": config.norm == "pre",
    }
    return [name for name, fine in checks.items() if not fine]


def llama_config(config: ModelConfig) -> dict:
    """Return the ``config.json`` of a Llama-shaped ``config``; ValueError for another architecture."""
    if obstacles := llama_obstacles(config):
        raise ValueError(f"not a Llama: {', '.join(obstacles)}")
    plain = {theirs: getattr(config, ours) for ours, theirs in SIZES.items()}
    plain |= {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "dtype": "float32"}
    plain |= {"num_key_value_heads": config.n_heads, "head_dim": config.head_dim, "rms_norm_eps": config.norm_eps}
    plain |= {"rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base}}
    plain |= {"rope_theta": config.rope_base, "tie_word_embeddings": config.tie_embeddings}
    return plain | {"bos_token_id": None, "eos_token_id": None}


def swap_pairs(weight: Tensor, config: ModelConfig, ours: bool) -> Tensor:
    """Reorder rows of q or k ``[D, D]``: rotary planes are (2j, 2j + 1) here and (j, j + K/2) in Llama.

    ``ours``: the given rows are in our order; else in Llama's.
    """
    shape = (config.n_heads, -1, 2) if ours else (config.n_heads, 2, config.head_dim // 2)
    return weight.view(*shape, weight.shape[-1]).transpose(1, 2).reshape(weight.shape).contiguous()


# Part of one of our layers -> the parts of Llama's whose rows it holds, in order.
LAYER = {
    "mixer.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mixer.out": ("self_attn.o_proj",),
    "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down": ("mlp.down_proj",),
    "mixer_norm": ("input_layernorm",),
    "mlp_norm": ("post_attention_layernorm",),
}


def places(config: ModelConfig) -> dict[str, list[str]]:
    """Return our name of every tensor -> Llama's names of those whose rows it holds; ValueError for no Llama."""
    llama_config(config)
    found = {"embedding": ["model.embed_tokens"], "norm": ["model.norm"]}
    if not config.tie_embeddings:
        found["head"] = ["lm_head"]
    for n in range(config.n_layers):
        found |= {f"layers.{n}.{ours}": [f"model.layers.{n}.{part}" for part in parts] for ours, parts in LAYER.items()}
    return {f"{ours}.weight": [f"{name}.weight" for name in theirs] for ours, theirs in found.items()}


def to_llama(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return ``weights`` (our state dict) under Llama's names; ValueError if ``config`` is not Llama-shaped."""
    out = {}
    for ours, theirs in places(config).items():
        for name, part in zip(theirs, weights[ours].detach().chunk(len(theirs)), strict=True):
            out[name] = swap_pairs(part, config, ours=True) if ROTATED.search(name) else part.clone()
    return out


def from_llama(config: ModelConfig, weights: dict[str, Tensor], shared: int = 0) -> dict[str, Tensor]:
    """Return our state dict of Llama ``weights``.

    Where ``shared`` key and value heads (0: one a query head) serve several query heads, they are repeated, which
    changes no logit. ValueError, with the tensors named, for what this package has no place for (biases, more layers,
    a head of its own), what is missing or has another shape.
    """
    wanted = places(config)
    weights = {name: weight for name, weight in weights.items() if not name.endswith("rotary_emb.inv_freq")}
    head = weights.pop("lm_head.weight", None) if config.tie_embeddings else None
    if head is not None and not torch.equal(head, weights.setdefault("model.embed_tokens.weight", head)):
        raise ValueError("the weights have a head of their own (lm_head.weight); set tie_embeddings: false")
    _refuse_others(config, weights, {name for theirs in wanted.values() for name in theirs})
    rows = {name: _rows(config, name, weight, shared or config.n_heads) for name, weight in weights.items()}
    return {ours: torch.cat([rows[name] for name in theirs]) for ours, theirs in wanted.items()}


def _refuse_others(config: ModelConfig, weights: dict[str, Tensor], wanted: set[str]) -> None:
    """ValueError unless ``weights`` hold exactly the tensors ``wanted``."""
    surplus, lacking = sorted(set(weights) - wanted), sorted(wanted - set(weights))
    if biases := [name for name in surplus if name.endswith(".bias")]:
        raise ValueError(f"{len(biases)} biases ({biases[0]}, ...): the attention and MLP of this package have none")
    if lacking == ["lm_head.weight"] and not surplus:
        raise ValueError("the weights have no head of their own (lm_head.weight); set tie_embeddings: true")
    layers = {name.split(".")[2] for name in weights if name.startswith("model.layers.")}
    if layers and len(layers) != config.n_layers:
        raise ValueError(f"the weights have {len(layers)} layers, pattern {config.pattern} has {config.n_layers}")
    if surplus or lacking:
        raise ValueError(f"not the tensors of a Llama: missing {lacking[:3]}, unknown {surplus[:3]}")


def _rows(config: ModelConfig, name: str, weight: Tensor, shared: int) -> Tensor:
    """The rows of one tensor as ours has them: shared heads repeated, pairs swapped. ValueError for other shapes."""
    weight, wide, head = weight.detach(), config.d_model, config.head_dim
    if not (part := JOINED.search(name)):
        return weight  # it has a place of its own, and torch compares the shapes
    rows = {"q": wide, "k": shared * head, "v": shared * head}.get(part[1], config.mlp_hidden)
    if weight.shape != (rows, wide):
        raise ValueError(f"{name} is {list(weight.shape)}, its configuration asks for [{rows}, {wide}]")
    if part[1] in "kv":
        weight = weight.view(-1, head, wide).repeat_interleave(wide // rows, dim=0).reshape(wide, wide)
    return swap_pairs(weight, config, ours=False) if ROTATED.search(name) else weight


def config_of_llama(plain: dict) -> ModelConfig:
    """Return the configuration that a Llama's ``config.json`` describes; ValueError for variants it is not."""
    if plain.get("model_type") != "llama":
        raise ValueError(f"model_type {plain.get('model_type')!r}: only folders of Llama models can be read")
    if lacking := [name for name in SIZES.values() if not (isinstance(plain.get(name), int) and plain[name] > 0)]:
        raise ValueError(f"config.json has no number above zero for {', '.join(lacking)}")
    rope = plain.get("rope_parameters") or plain.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise ValueError(f"config.json describes rotary positions by {rope!r}")
    partial = rope.get("partial_rotary_factor", plain.get("partial_rotary_factor", 1))
    kind = rope.get("rope_type", rope.get("type", "default"))
    width, heads = plain["hidden_size"], plain["num_attention_heads"]
    shared = plain.get("num_key_value_heads") or heads
    checks = {
        f"rotary positions of type {kind}": kind == "default",
        f"rotary positions for {partial} of a head": partial == 1,
        f"activation {plain.get('hidden_act')}": plain.get("hidden_act", "silu") in ("silu", "swish"),
        "biases in the attention": not plain.get("attention_bias"),
        "biases in the MLP": not plain.get("mlp_bias"),
        f"heads of {plain.get('head_dim')!r} and not {width // heads}": plain.get("head_dim") in (None, width // heads),
        f"width {width} over {heads} heads": width % heads == 0,
        f"{shared!r} key and value heads for {heads}": shared in range(1, heads + 1) and heads % shared == 0,
        "quantised weights": not plain.get("quantization_config"),
    }
    if obstacles := [name for name, fine in checks.items() if not fine]:
        raise ValueError(f"a Llama that this package cannot be: {', '.join(obstacles)}")
    shape = {ours: plain[theirs] for ours, theirs in SIZES.items()}
    shape |= {"pattern": "A" * shape.pop("n_layers"), "mlp_width": shape.pop("mlp_hidden")}
    shape |= {"rope_base": rope.get("rope_theta", plain.get("rope_theta", 10000.0))}
    shape |= {"norm_eps": plain.get("rms_norm_eps", 1e-6), "tie_embeddings": plain.get("tie_word_embeddings", False)}
    return ModelConfig(**shape)


def save(model: nn.Module, folder: Path | str) -> bool:
    """Write ``config.json`` and ``model.safetensors`` into ``folder``; return whether ``transformers`` can load it."""
    import safetensors.torch

    config: ModelConfig = model.config
    known = not llama_obstacles(config)
    weights = {name: weight.detach().clone().contiguous() for name, weight in model.state_dict().items()}
    plain = llama_config(config) if known else {"model_type": OWN, OWN: config.model_dump(mode="json")}
    tensors = to_llama(config, weights) if known else weights
    atomic_write(Path(folder) / "model.safetensors", safetensors.torch.save(tensors, {"format": "pt"}))
    atomic_write(Path(folder) / "config.json", json.dumps(plain, indent=2) + "\n")
    return known


def load(folder: Path | str) -> nn.Module:
    """Read a folder that ``save`` wrote, or one of a Llama by ``transformers`` (in one or several safetensors files).

    FileNotFoundError or ValueError for any other, in words and with the folder's name.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder}: no config.json, this is no folder of a model")
    whole = folder / "model.safetensors"
    files = [whole] if whole.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder}: no model.safetensors; weights in other formats (.bin, .pt) are not read")
    try:
        plain = read_json((folder / "config.json").read_bytes())
        if not isinstance(plain, dict):
            raise ValueError("config.json is no configuration of a model")
        own = plain.get("model_type") == OWN
        config = ModelConfig.model_validate(plain.get(OWN)) if own else config_of_llama(plain)
        parts = [load_file(file) for file in files]
        weights = {name: weight for part in parts for name, weight in part.items()}
        if len(weights) < sum(map(len, parts)):
            raise ValueError("a tensor is in two of its files: those of two models are mixed")
        for name, weight in weights.items():
            if not (weight.is_floating_point() and weight.itemsize > 1 and weight.float().isfinite().all()):
                raise ValueError(f"{name} ({weight.dtype}) is damaged or quantised: it has values that are no numbers")
        if not own:
            weights = from_llama(config, weights, plain.get("num_key_value_heads", 0))
        model = build(config)
        model.load_state_dict(weights)
    except (ValueError, RuntimeError, SafetensorError) as error:  # torch names each tensor of another shape
        raise ValueError(f"{folder}: no model that can be read ({type(error).__name__}: {error})") from None
    return model


def trained_model(run: Path) -> tuple[RunFolder, nn.Module]:
    """Return the record and the trained model of the run folder ``run``.

    FileNotFoundError if the run has not ended or has no weights here, RecordError or CheckpointError if its record or
    weights are damaged.
    """
    record = RunFolder(run)
    if not record.outcome() or not record.weights.is_file():
        raise FileNotFoundError(f"{run}: not a finished training run with its weights")
    model = build(record.config().model)
    model.load_state_dict(load_weights(record.weights))
    return record, model
