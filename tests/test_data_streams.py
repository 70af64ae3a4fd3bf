"""Generated batches depend on (seed, step) alone; evaluation is fixed; a fingerprint names the distribution."""

import os
import subprocess
import sys

import numpy as np
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix.data.almanac import PRESETS
from seqmix.data.markov import MARKOV
from seqmix.data.oracle import KINDS

LANGUAGES = [*PRESETS, *MARKOV]

GENERATED = [*LANGUAGES, *data.TASKS]


def source(name: str, seq_len: int = 66, **fields):
    return data.open_source(DataConfig(source=name, seq_len=seq_len, **fields))


def same(a: data.Batch, b: data.Batch) -> bool:
    return bool((a.inputs == b.inputs).all() and (a.targets == b.targets).all())


@pytest.mark.parametrize("name", GENERATED)
def test_batches_depend_on_seed_and_step_alone(name):
    torch = pytest.importorskip("torch")
    first = source(name)
    expected = first.batch(7, 4, seed=3)
    assert expected.inputs.shape == expected.targets.shape == (4, 66)
    assert expected.inputs.min() >= 0
    assert max(expected.inputs.max(), expected.targets.max()) < first.vocab_size
    np.random.rand(5)  # noqa: NPY002 - the global state must not matter
    torch.nn.LSTM(8, 8, num_layers=2)
    other = source(name)
    for step in (0, 9, 3):
        other.batch(step, 2, seed=step)
    other.evaluation(3)
    assert same(other.batch(7, 4, seed=3), expected)
    assert not same(first.batch(8, 4, seed=3), expected)
    assert not same(first.batch(7, 4, seed=4), expected)


def test_another_process_draws_the_same_and_needs_no_torch():
    program = (
        "import sys; from seqmix import data; from seqmix.config import DataConfig\n"
        f"for name in {GENERATED}:\n"
        "    s = data.open_source(DataConfig(source=name, seq_len=66)); b = s.batch(7, 4, 3)\n"
        "    print(name, s.fingerprint, hash((b.inputs.tobytes(), b.targets.tobytes())))\n"
        "assert 'torch' not in sys.modules\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": threads},
        ).stdout
        for threads in "12"
    }
    assert len(said) == 1


@pytest.mark.parametrize("name", GENERATED)
def test_evaluation_is_fixed_held_out_and_a_prefix(name):
    opened = source(name)
    few, many = opened.evaluation(10), opened.evaluation(150)
    assert len(many) == 150
    for part in ("inputs", "targets", "bayes", "kind", "age"):
        np.testing.assert_array_equal(getattr(few, part), getattr(many, part)[:10])
        assert getattr(many, part).shape == (150, 66)
    assert many.kind.max() < len(KINDS)
    assert not same(opened.evaluation(10, "test"), few)
    scored = few.targets != data.IGNORE
    assert np.isfinite(few.bayes[scored]).all()
    assert np.isnan(few.bayes[~scored]).all()
    with pytest.raises(ValueError, match="split"):
        opened.evaluation(1, "train")


@pytest.mark.parametrize("name", LANGUAGES)
def test_training_pool_is_limited(name):
    opened = source(name, train_tokens=66 * 5)
    rows = {row.tobytes() for step in range(20) for row in opened.batch(step, 8, seed=1).inputs}
    assert len(rows) == 5
    other = {row.tobytes() for step in range(20) for row in opened.batch(step, 8, seed=2).inputs}
    assert other == rows
    assert opened.references["bigram"] > source(name).references["bigram"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "mqar", "pairs": 32, "seq_len": 64}, "seq_len >= 128"),
        ({"source": "mqar", "pairs": 32, "seq_len": 256, "symbols": 50}, "symbols >= 66"),
        ({"source": "first_token", "symbols": 2}, "at least 3"),
        ({"source": "almanac", "tokenizer": "bpe-512"}, "bytes"),
        ({"source": "almanac", "fingerprint": "0" * 64}, "planned on corpus 000000000000"),
    ],
)
def test_requests_that_cannot_be_met(fields, message):
    with pytest.raises(data.CorpusError, match=message):
        data.open_source(DataConfig(**fields))


def test_fingerprints_name_the_distribution():
    def of(**fields):
        return data.fingerprint(DataConfig(**fields))

    assert of(source="almanac", seq_len=64) == of(source="almanac", seq_len=256, train_tokens=999)
    assert of(source="almanac") == "e313453715404980206addccf27eb0bf3d4022da5704379c4213e5999f2f1a21"
    assert of(source="mqar", seq_len=64, pairs=4) != of(source="mqar", seq_len=64, pairs=8)
    assert of(source="markov") != of(source="markov-slow")
    assert len({of(source=name, seq_len=66) for name in GENERATED}) == len(GENERATED)
