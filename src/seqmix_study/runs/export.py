"""Take a model along: a run's weights as a folder with ``config.json`` and ``model.safetensors``.

A Transformer of this package (pattern all A, pre-norm, RoPE, no convolution) is a Llama without biases: its folder
loads with ``transformers.AutoModelForCausalLM.from_pretrained`` and gives the same logits. Any other has no
counterpart there and is written with this package's own names; both kinds load with ``seqmix_study.runs.export.load``.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from seqmix.checkpoint import load_weights
from seqmix.config import ModelConfig
from seqmix.models import build
from seqmix.record import RunFolder

__all__ = ["export_run", "from_llama", "load", "save", "to_llama"]

OWN = "seqmix"
"""``model_type`` of architectures that ``transformers`` does not know, and the key of our configuration."""


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
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": config.d_model,
        "intermediate_size": config.mlp_hidden,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_length,
        "rope_theta": config.rope_base,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_base},
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tie_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "dtype": "float32",
    }


def swap_pairs(weight: Tensor, config: ModelConfig, ours: bool) -> Tensor:
    """Reorder rows of q or k ``[D, D]``: rotary planes are (2j, 2j + 1) here and (j, j + K/2) in Llama.

    ``ours``: the given rows are in our order; else in Llama's.
    """
    shape = (config.n_heads, -1, 2) if ours else (config.n_heads, 2, config.head_dim // 2)
    return weight.view(*shape, weight.shape[-1]).transpose(1, 2).reshape(weight.shape).contiguous()


def to_llama(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return ``weights`` (our state dict) under Llama's names; ValueError if ``config`` is not Llama-shaped."""
    llama_config(config)
    out = {"model.embed_tokens.weight": weights["embedding.weight"], "model.norm.weight": weights["norm.weight"]}
    if not config.tie_embeddings:
        out["lm_head.weight"] = weights["head.weight"]
    for n in range(config.n_layers):
        ours, llama = f"layers.{n}.", f"model.layers.{n}."
        q, k, v = weights[ours + "mixer.qkv.weight"].chunk(3)
        gate, up = weights[ours + "mlp.up.weight"].chunk(2)
        out |= {
            llama + "self_attn.q_proj.weight": swap_pairs(q, config, ours=True),
            llama + "self_attn.k_proj.weight": swap_pairs(k, config, ours=True),
            llama + "self_attn.v_proj.weight": v,
            llama + "self_attn.o_proj.weight": weights[ours + "mixer.out.weight"],
            llama + "mlp.gate_proj.weight": gate,
            llama + "mlp.up_proj.weight": up,
            llama + "mlp.down_proj.weight": weights[ours + "mlp.down.weight"],
            llama + "input_layernorm.weight": weights[ours + "mixer_norm.weight"],
            llama + "post_attention_layernorm.weight": weights[ours + "mlp_norm.weight"],
        }
    return {name: weight.detach().clone().contiguous() for name, weight in out.items()}


def from_llama(config: ModelConfig, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return our state dict of Llama ``weights``; KeyError for a missing one, ValueError if not Llama-shaped."""
    llama_config(config)
    out = {"embedding.weight": weights["model.embed_tokens.weight"], "norm.weight": weights["model.norm.weight"]}
    if not config.tie_embeddings:
        out["head.weight"] = weights["lm_head.weight"]
    for n in range(config.n_layers):
        ours, llama = f"layers.{n}.", f"model.layers.{n}."
        q, k, v = (weights[f"{llama}self_attn.{part}_proj.weight"] for part in "qkv")
        out |= {
            ours + "mixer.qkv.weight": torch.cat([swap_pairs(q, config, False), swap_pairs(k, config, False), v]),
            ours + "mixer.out.weight": weights[llama + "self_attn.o_proj.weight"],
            ours + "mlp.up.weight": torch.cat([weights[f"{llama}mlp.{part}_proj.weight"] for part in ("gate", "up")]),
            ours + "mlp.down.weight": weights[llama + "mlp.down_proj.weight"],
            ours + "mixer_norm.weight": weights[llama + "input_layernorm.weight"],
            ours + "mlp_norm.weight": weights[llama + "post_attention_layernorm.weight"],
        }
    return {name: weight.detach().clone() for name, weight in out.items()}


def save(model: nn.Module, folder: Path) -> bool:
    """Write ``config.json`` and ``model.safetensors`` into ``folder``; return whether ``transformers`` can load it."""
    from safetensors.torch import save_file

    config: ModelConfig = model.config
    known = not llama_obstacles(config)
    weights = {name: weight.detach().clone().contiguous() for name, weight in model.state_dict().items()}
    plain = llama_config(config) if known else {"model_type": OWN}
    plain |= {OWN: config.model_dump(mode="json")}
    folder.mkdir(parents=True, exist_ok=True)
    tensors = to_llama(config, weights) if known else weights
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    return known


def load(folder: Path) -> nn.Module:
    """Read a folder that ``save`` wrote; FileNotFoundError or KeyError if it is not one."""
    from safetensors.torch import load_file

    plain = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = ModelConfig.model_validate(plain[OWN])
    weights = load_file(folder / "model.safetensors")
    model = build(config)
    model.load_state_dict(from_llama(config, weights) if plain["model_type"] == "llama" else weights)
    return model


def export_run(run: Path, folder: Path) -> bool:
    """Write the trained model of the run folder ``run`` to ``folder``; return whether ``transformers`` can load it.

    FileNotFoundError if the run has not ended or has no weights here, RecordError or CheckpointError if its record or
    weights are damaged.
    """
    record = RunFolder(run)
    if not record.outcome() or not record.weights.is_file():
        raise FileNotFoundError(f"{run}: not a finished training run with its weights")
    model = build(record.config().model)
    model.load_state_dict(load_weights(record.weights))
    return save(model, folder)
