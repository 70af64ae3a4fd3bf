"""The Transformer is Llama: weights go both ways with equal logits; runs are exported and loaded back."""

import json

import pytest
import torch
from click.testing import CliRunner

from seqmix import models
from seqmix.config import ModelConfig, RunConfig
from seqmix.models import reference
from seqmix.record import RunFolder
from seqmix_study.__main__ import main
from seqmix_study.runs import export

SHAPE = {"d_model": 48, "n_heads": 4, "vocab_size": 61, "max_length": 64, "mlp_width": 80, "rope_base": 5000.0}


def model_of(**change) -> torch.nn.Module:
    model = models.build(ModelConfig(**{"pattern": "AAA"} | SHAPE | change))
    random = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():  # gains off 1, so that a mix-up of norms shows
            parameter += 0.1 * torch.randn(parameter.shape, generator=random)
    return model


def tokens() -> torch.Tensor:
    return torch.randint(61, (2, 50), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("tied", [True, False])
def test_exported_weights_give_llama_the_same_logits(tmp_path, tied):
    transformers = pytest.importorskip("transformers")
    model = model_of(tie_embeddings=tied)
    assert export.save(model, tmp_path)
    llama = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(llama).__name__ == "LlamaForCausalLM"
    assert sum(p.numel() for p in llama.parameters()) == sum(p.numel() for p in model.parameters())
    assert (llama(tokens()).logits - model(tokens())).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("tied", [True, False])
def test_llama_weights_load_here_and_give_the_same_logits(tied):
    transformers = pytest.importorskip("transformers")
    config = ModelConfig(pattern="AA", tie_embeddings=tied, **SHAPE)
    plain = {name: value for name, value in export.llama_config(config).items() if name != "architectures"}
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**plain, initializer_range=0.1)).eval()
    model = models.build(config)
    model.load_state_dict(export.from_llama(config, llama.state_dict()))
    assert (llama(tokens()).logits - model(tokens())).abs().max() < 1e-5
    start = tokens()[:1, :7]
    text = llama.generate(
        start, attention_mask=torch.ones_like(start), max_new_tokens=20, do_sample=False, pad_token_id=0
    )
    assert torch.equal(text, model.generate(start, 20, temperature=0))


def test_names_and_rows_return_after_a_round_trip():
    model = model_of()
    there = export.to_llama(model.config, model.state_dict())
    back = export.from_llama(model.config, there)
    assert all(torch.equal(back[name], weight) for name, weight in model.state_dict().items())
    assert len(back) == len(model.state_dict())


@pytest.mark.parametrize(
    "change",
    [{"pattern": "ADA"}, {"conv": "A"}, {"rope": ""}, {"learned_positions": True}, {"norm": "post"}],
    ids=lambda change: next(iter(change)),
)
def test_what_is_not_a_llama_says_so_and_is_written_under_our_names(tmp_path, change):
    pytest.importorskip("safetensors")
    model = model_of(**change)
    with pytest.raises(ValueError, match="not a Llama"):
        export.to_llama(model.config, model.state_dict())
    assert not export.save(model, tmp_path)
    with torch.no_grad():
        assert torch.equal(export.load(tmp_path)(tokens()), model(tokens()))


def test_the_command_exports_a_run_and_refuses_what_is_none(tmp_path):
    pytest.importorskip("safetensors")
    model, run = model_of(), tmp_path / RunConfig(model=model_of().config).run_id
    run.mkdir()
    config = RunConfig(model=model.config)
    (run / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    unfinished = CliRunner().invoke(main, ["export", str(run), str(tmp_path / "out")])
    assert unfinished.exit_code == 1
    assert "not a finished training run" in unfinished.output
    torch.save(model.state_dict(), run / "weights.pt")
    RunFolder(run).finish("finished")
    done = CliRunner().invoke(main, ["export", str(run), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "AutoModelForCausalLM" in done.output
    with torch.no_grad():
        assert torch.equal(export.load(tmp_path / "out")(tokens()), model(tokens()))
    assert CliRunner().invoke(main, ["export", "no-such-run", str(tmp_path / "x")]).exit_code == 2


def llama(**change):
    transformers = pytest.importorskip("transformers")
    shape = {"hidden_size": 48, "num_attention_heads": 4, "vocab_size": 61, "max_position_embeddings": 64}
    shape |= {"intermediate_size": 80, "num_hidden_layers": 2, "initializer_range": 0.1}
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape | change)).eval()


@torch.no_grad()
@pytest.mark.parametrize(
    "change", [{}, {"num_key_value_heads": 2}, {"num_key_value_heads": 1}, {"tie_word_embeddings": True}]
)
def test_foreign_folders_of_llama_load_with_equal_logits(tmp_path, change):
    theirs = llama(**change)
    theirs.save_pretrained(tmp_path, max_shard_size="40KB")
    ours = export.load(tmp_path)
    assert (theirs(tokens()).logits - ours(tokens())).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attention_bias": True}, "biases in the attention"),
        ({"mlp_bias": True}, "biases in the MLP"),
        ({"hidden_act": "gelu"}, "activation gelu"),
        ({"head_dim": 16}, "heads of 16 and not 12"),
        (
            {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
            "rotary positions of type linear",
        ),
    ],
)
def test_variants_of_llama_are_refused_in_words(tmp_path, change, words):
    llama(**change).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=words):
        export.load(tmp_path)


def test_weights_without_a_place_are_refused_in_words(tmp_path):
    model = model_of()
    config, weights = model.config, export.to_llama(model.config, model.state_dict())
    bias = weights | {"model.layers.0.self_attn.q_proj.bias": torch.zeros(48)}
    more = weights | {name.replace("layers.0", "layers.3"): w for name, w in weights.items() if "layers.0" in name}
    head = weights | {"lm_head.weight": torch.zeros(61, 48)}
    odd = weights | {"model.layers.0.self_attn.k_proj.weight": torch.zeros(20, 48)}
    tied = config.model_copy(update={"tie_embeddings": True})
    untied = config.model_copy(update={"tie_embeddings": False})
    less = {name: w for name, w in weights.items() if name != "lm_head.weight"}
    for given, shape, words in (
        (bias, config, "1 biases"),
        (more, config, "4 layers"),
        (head, tied, "head of their own"),
        (less, untied, "no head of their own"),
        (odd, config, r"asks for \[48, 48\]"),
        ({k: w for k, w in weights.items() if "norm" not in k}, config, "missing"),
    ):
        with pytest.raises(ValueError, match=words):
            export.from_llama(shape, given)


def test_folders_that_are_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="no config"):
        export.load(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(FileNotFoundError, match="safetensors"):
        export.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="gpt2"):
        export.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vocab_size": None}, "no number above zero for vocab_size"),
        ({"num_attention_heads": 0}, "no number above zero for num_attention_heads"),
        ({"vocab_size": 60}, "size mismatch for embedding"),
        ({"intermediate_size": 96}, r"asks for \[96, 48\]"),
        ({"num_key_value_heads": 2}, r"asks for \[24, 48\]"),
        ({"num_key_value_heads": 3}, "3 key and value heads for 4"),
        ({"rope_parameters": "linear"}, "rotary positions by 'linear'"),
        ({"partial_rotary_factor": 0.5}, "0.5 of a head"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantised"),
        (None, "no configuration"),
    ],
)
def test_a_configuration_that_is_not_of_its_weights_is_refused_in_words(tmp_path, change, words):
    export.save(model_of(), tmp_path)
    config = tmp_path / "config.json"
    plain = {key: value for key, value in json.loads(config.read_text()).items() if key != export.OWN}
    config.write_text(json.dumps([] if change is None else plain | change))
    with pytest.raises(ValueError, match=words):
        export.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("self_attn.q_proj", (24, 48)), ("self_attn.k_proj", (48,)), ("self_attn.v_proj", (48, 48, 1)), ("mlp", (60, 48))],
)
def test_parts_of_another_shape_are_refused_and_never_joined(name, shape):
    """Half of q's rows are no shared heads, and gate and up of 60 and 100 rows are not two of 80."""
    model = model_of()
    weights = export.to_llama(model.config, model.state_dict())
    name = f"model.layers.1.{name}"
    parts = {f"{name}.weight": shape}
    if name.endswith("mlp"):
        parts = {f"{name}.gate_proj.weight": shape, f"{name}.up_proj.weight": (100, 48)}
    with pytest.raises(ValueError, match="asks for"):
        export.from_llama(model.config, weights | {part: torch.ones(size) for part, size in parts.items()})


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1", b"<html>", None])
def test_damaged_files_are_refused_with_the_name_of_their_folder(tmp_path, content):
    export.save(model_of(), tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    with pytest.raises(ValueError, match=f"{tmp_path.name}.*Safetensor"):
        export.load(tmp_path)
    (tmp_path / "config.json").write_bytes(content or b"{")
    with pytest.raises(ValueError, match=f"{tmp_path.name}.*JSON"):
        export.load(tmp_path)


@pytest.mark.parametrize(
    "value", [torch.full((48,), float("nan")), torch.ones(48, dtype=torch.int8), torch.ones(48).to(torch.float8_e4m3fn)]
)
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    from safetensors.torch import load_file, save_file

    export.save(model_of(), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(weights | {"model.norm.weight": value}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.norm\.weight"):
        export.load(tmp_path)


def test_what_lies_beside_the_weights_is_not_mixed_in(tmp_path):
    """Shards of an earlier export, and adapters."""
    old, new = llama(), model_of(pattern="AA")
    old.save_pretrained(tmp_path, max_shard_size="40KB")
    export.save(new, tmp_path)
    (tmp_path / "model_adapter.safetensors").write_bytes(b"")
    with torch.no_grad():
        assert torch.equal(export.load(tmp_path)(tokens()), new(tokens()))


def test_shards_of_two_exports_are_refused(tmp_path):
    old = llama()
    old.save_pretrained(tmp_path, max_shard_size="40KB")
    shards = sorted(tmp_path.glob("model-*-of-*.safetensors"))
    shards[0].with_name(shards[0].name.replace("-of-", "-of-9")).write_bytes(shards[0].read_bytes())
    with pytest.raises(ValueError, match="two models are mixed"):
        export.load(tmp_path)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"rms_norm_eps": 0.1}, {"norm_eps": 0.1}),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 3.0}}, {"rope_base": 3.0}),
    ],
)
def test_what_others_change_in_the_configuration_of_a_llama_counts(tmp_path, theirs, ours):
    """There is one description of it: none of ours that they could leave behind."""
    export.save(model_of(), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | theirs))
    assert ours.items() <= export.load(tmp_path).config.model_dump().items()


@torch.no_grad()
def test_a_folder_that_transformers_wrote_again_still_loads(tmp_path):
    transformers = pytest.importorskip("transformers")
    export.save(ours := model_of(), tmp_path / "ours")
    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "again")
    assert (export.load(tmp_path / "again")(tokens()) - ours(tokens())).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize(
    "change", [{"pattern": "LL"}, {"pattern": "LL", "skeleton": "classic"}, {"pattern": "DD", "conv": "D"}]
)
def test_an_lstm_and_a_deltanet_are_usable_by_the_page_alone(tmp_path, change):
    """Load and ask the model, and compute its logits from the named tensors without it."""
    from safetensors.torch import load_file

    model = model_of(**change)
    export.save(model, tmp_path)
    same = export.load(str(tmp_path))
    assert torch.equal(same(tokens()), model(tokens()))
    assert same.generate(tokens()[:, :5], 7, temperature=0).shape == (2, 12)
    config = ModelConfig(**json.loads((tmp_path / "config.json").read_text())["seqmix"])
    weights = {name: w.double() for name, w in load_file(tmp_path / "model.safetensors").items()}
    slow = reference.logits(config, weights, tokens()[0])
    assert (slow - model(tokens())[0]).abs().max() < 1e-4
