"""Checkpoints come back exactly; a torn, altered or hostile one is refused, and the run goes on from the one before."""

import os
import pickle

import pytest
import torch

from seqmix import checkpoint
from seqmix.checkpoint import CheckpointError
from seqmix.config import ModelConfig, RunConfig
from seqmix.record import RunFolder

CONFIG = RunConfig(model=ModelConfig(pattern="A"))


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / CONFIG.run_id)
    folder.write_config(CONFIG)
    return folder


def state(step: int) -> dict:
    return {"model": {"w": torch.full((3,), 1.0 / step)}, "state": {"step": step, "smooth": 0.1 * step}}


def test_a_checkpoint_comes_back_bitwise(folder):
    folder.append_curve({"step": 3, "loss": 1.5})
    checkpoint.save_checkpoint(folder, state(7))
    folder.append_curve({"step": 9, "loss": 1.25})
    back = checkpoint.resume(folder)
    assert back["state"] == state(7)["state"]
    assert torch.equal(back["model"]["w"], state(7)["model"]["w"])
    assert folder.curve() == [{"step": 3, "loss": 1.5}]


def test_an_emptied_curve_comes_back_from_the_checkpoint(folder):
    folder.append_curve({"step": 3, "loss": 1.5})
    checkpoint.save_checkpoint(folder, state(7))
    (folder.path / "progress.jsonl").write_text("")
    checkpoint.resume(folder)
    assert folder.curve() == [{"step": 3, "loss": 1.5}]


def truncate(content: bytes) -> bytes:
    return content[:-100]


def empty(content: bytes) -> bytes:
    return b""


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def foreign(content: bytes) -> bytes:
    return b"PK\x03\x04 something else"


@pytest.mark.parametrize("damage", [truncate, empty, flip, foreign])
def test_a_damaged_checkpoint_is_set_aside_for_the_one_before(folder, damage):
    checkpoint.save_checkpoint(folder, state(5))
    checkpoint.save_checkpoint(folder, state(10))
    folder.checkpoint.write_bytes(damage(folder.checkpoint.read_bytes()))
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt.*delete it"):
        checkpoint.load(folder.checkpoint)
    assert checkpoint.resume(folder)["state"]["step"] == 5
    assert "previous checkpoint" in folder.notes()[0]
    assert f"{folder.run_id}/checkpoint.pt" in folder.notes()[0]


def test_with_both_damaged_the_run_starts_again_and_says_so(folder):
    checkpoint.save_checkpoint(folder, state(5))
    checkpoint.save_checkpoint(folder, state(10))
    for path in (folder.checkpoint, folder.previous_checkpoint):
        path.write_bytes(b"")
    assert checkpoint.resume(folder) is None
    assert "the beginning" in folder.notes()[-1]


def test_a_kill_between_the_two_renames_costs_one_checkpoint(folder):
    checkpoint.save_checkpoint(folder, state(5))
    os.replace(folder.checkpoint, folder.previous_checkpoint)
    assert checkpoint.resume(folder)["state"]["step"] == 5


class Hostile:
    """Unpickles by creating a file."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (self.target,))


@pytest.mark.parametrize("wrapped", ["plain", "torch", "sealed"])
def test_a_malicious_pickle_is_not_executed(folder, tmp_path, wrapped):
    trap = str(tmp_path / "executed")
    folder.path.mkdir(exist_ok=True)
    if wrapped == "plain":
        folder.checkpoint.write_bytes(pickle.dumps(Hostile(trap)))
    elif wrapped == "torch":
        torch.save({"state": Hostile(trap)}, folder.checkpoint)
    else:  # with the right mark and checksum: only the safe loader stands in between
        checkpoint.save(folder.checkpoint, {"state": Hostile(trap)})
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt"):
        checkpoint.load(folder.checkpoint)
    assert checkpoint.resume(folder) is None
    torch.save({"w": Hostile(trap)}, folder.weights)
    with pytest.raises(CheckpointError, match=r"weights\.pt"):
        checkpoint.load_weights(folder.weights)
    assert not os.path.exists(trap)


def test_weights_are_tensors_only(folder):
    checkpoint.save_weights(folder.weights, {"w": torch.ones(2, requires_grad=True)})
    assert torch.equal(checkpoint.load_weights(folder.weights)["w"], torch.ones(2))
    torch.save({"w": [1, 2]}, folder.weights)
    with pytest.raises(CheckpointError, match="more than tensors"):
        checkpoint.load_weights(folder.weights)


def test_a_full_disk_keeps_the_last_checkpoint(folder, monkeypatch):
    checkpoint.save_checkpoint(folder, state(5))

    def refuse(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(RuntimeError, match="free some space"):
            checkpoint.save_checkpoint(folder, state(10))
    assert checkpoint.resume(folder)["state"]["step"] == 5
