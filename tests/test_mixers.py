"""The registry of mixers: what a descriptor says is what the module is, and what it leaves out is named."""

import subprocess
import sys

import pytest

from seqmix import models
from seqmix.config import ModelConfig
from seqmix.mixers import MIXERS, WRITE, Mixer, MixerError, Weight, mixer, resolve, weight_of

WHOLE = {name: getattr(mixer("A"), name) for name in WRITE}


@pytest.mark.parametrize("name", WRITE)
def test_a_part_that_was_forgotten_is_named_with_what_to_write(name):
    with pytest.raises(MixerError, match=f"lacks '{name}': write {name}="):
        Mixer(**{key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize("conv", [False, True], ids=["plain", "conv"])
@pytest.mark.parametrize("letter", MIXERS)
def test_the_descriptor_lists_the_parameters_of_the_module(letter, conv):
    config = ModelConfig(pattern=letter, d_model=32, n_heads=2, conv=letter if conv else "")
    shapes = {name: tuple(p.shape) for name, p in models.build(config).layers[0].mixer.named_parameters()}
    listed = {name: weight.shape for name, weight in mixer(letter).weights(config).items()}
    if conv:
        listed["conv.weight"] = (mixer(letter).conv_channels(config), config.conv_width)
    assert shapes == listed


@pytest.mark.parametrize("letter", MIXERS)
def test_descriptors_name_modules_and_twins_that_exist(letter):
    found = mixer(letter)
    assert issubclass(resolve(found.module), models.lm.nn.Module)
    assert found.reference is None or callable(resolve(found.reference))
    assert found.marker
    assert found.colour.startswith("#")


def test_descriptors_of_the_package_need_no_torch():
    own = [letter for letter, place in MIXERS.items() if str(place).startswith("seqmix.mixers.")]
    assert len(own) > 5
    code = f"import sys; from seqmix.mixers import *; [mixer(m) for m in {own}]; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_parameter_that_the_descriptor_does_not_list_is_named(monkeypatch):
    monkeypatch.setitem(MIXERS, "Z", Mixer(**WHOLE | {"weights": lambda c: {"out.weight": Weight((8, 8))}}))
    with pytest.raises(MixerError, match=r"'qkv.weight' that its descriptor does not list; write weights="):
        models.build(ModelConfig(pattern="Z", d_model=8))
    wrong = {"qkv.weight": Weight((8, 8)), "out.weight": Weight((8, 8))}
    monkeypatch.setitem(MIXERS, "Z", Mixer(**WHOLE | {"weights": lambda c: wrong}))
    with pytest.raises(MixerError, match=r"says \(8, 8\), the module holds \(24, 8\)"):
        models.build(ModelConfig(pattern="Z", d_model=8))


def test_a_registry_line_without_a_descriptor_is_an_error(monkeypatch):
    monkeypatch.setitem(MIXERS, "Z", "seqmix.mixers.attention:weights")
    with pytest.raises(MixerError, match=r"mixer Z: seqmix\.mixers\.attention:weights is no descriptor"):
        mixer("Z")
    with pytest.raises(MixerError, match="unknown mixer letter 'Y'; known: A, "):
        mixer("Y")


def test_the_classic_skeleton_counts_the_layer_alone():
    config = ModelConfig(pattern="LL", skeleton="classic", d_model=16)
    assert weight_of(config, "layers.1.recurrent_weight").shape == (64, 16)
    assert weight_of(config, "norm.weight") is None
