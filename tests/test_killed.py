"""Training killed with SIGKILL at random moments, and resumed each time, ends bitwise where it would have ended."""

import json
import os
import random
import resource
import signal
import time

import pytest
import torch

from seqmix import checkpoint
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.record import RunFolder
from seqmix_study.runs.worker import carry_out

TIMES = {"seconds", "tokens_per_second"}
"""The only metrics that may differ."""

KILLS = 5


def config(pattern: str) -> RunConfig:
    train = TrainConfig(steps=120, batch_size=4, eval_sequences=8, eval_points=6, checkpoint_every=9)
    model = ModelConfig(pattern=pattern, d_model=16, n_heads=2, vocab_size=324, max_length=32)
    data = DataConfig(source="almanac", seq_len=32)
    return RunConfig(model=model, data=data, train=train, evaluate=("index",))


def train_in_child(c: RunConfig, runs, last: int) -> int:
    """Start the run in a forked process (torch is loaded already) that stands still at step ``last``; return its id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            status = carry_out(c, runs, lambda row: time.sleep(0.01 if row["step"] < last else 60)).status != "finished"
        finally:
            os._exit(status)
    return child


@pytest.mark.parametrize("pattern", ["LD"])
def test_killed_five_times_ends_bitwise_where_it_would_have_ended(tmp_path, pattern):
    torch.set_num_threads(1)
    c, rng = config(pattern), random.Random(20)
    whole, killed = RunFolder(tmp_path / "whole" / c.run_id), RunFolder(tmp_path / "killed" / c.run_id)
    undisturbed = carry_out(c, tmp_path / "whole", lambda row: False)
    assert undisturbed.status == "finished", undisturbed.message
    steps = []
    for kill in range(KILLS):
        known = killed.checkpoint.stat().st_mtime_ns if killed.checkpoint.exists() else 0
        child = train_in_child(c, tmp_path / "killed", last=22 * (kill + 1))
        # a random moment after the checkpoint has moved on (or, for some, while the run is still starting)
        until = time.monotonic() + (60 if kill % 2 == 0 else rng.uniform(0, 0.5))
        while time.monotonic() < until:
            if killed.checkpoint.exists() and killed.checkpoint.stat().st_mtime_ns > known:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the run ended before it could be killed"
        assert killed.status() in ("interrupted", "new")
        steps.append(killed.step())
    assert carry_out(c, tmp_path / "killed", lambda row: False).status == "finished"
    assert any(steps), "no kill came after the first evaluation"
    compare(whole, killed)


def test_a_disk_that_fills_up_ends_in_a_message_and_the_run_goes_on_later(tmp_path):
    """The real limit of the system on the size of a file stands in for a full disk: the checkpoint does not fit."""
    c, whole = config("A"), RunFolder(tmp_path / "whole" / config("A").run_id)
    carry_out(c, tmp_path / "whole", lambda row: False)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        result = carry_out(c, tmp_path / "full", lambda row: False)
        os.write(write, json.dumps(vars(result)).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    result = json.loads(os.read(read, 10_000))
    full = RunFolder(tmp_path / "full" / c.run_id)
    assert (result["status"], result["fatal"]) == ("failed", True)
    assert f"cannot write {full.checkpoint}" in result["message"]
    assert "Traceback" not in result["message"]
    assert full.status() == "interrupted"
    assert carry_out(c, tmp_path / "full", lambda row: False).status == "finished"
    compare(whole, full)


def compare(one: RunFolder, two: RunFolder) -> None:
    for a, b in ((one.metrics(), two.metrics()), *zip(one.curve(), two.curve(), strict=True)):
        assert {k: v for k, v in a.items() if k not in TIMES} == {k: v for k, v in b.items() if k not in TIMES}
    assert repr(one.tables()) == repr(two.tables())  # repr: NaN equals NaN
    first, second = checkpoint.load_weights(one.weights), checkpoint.load_weights(two.weights)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_truncated_checkpoint_costs_time_but_no_accuracy(tmp_path):
    torch.set_num_threads(1)
    c = config("A")
    whole, torn = RunFolder(tmp_path / "whole" / c.run_id), RunFolder(tmp_path / "torn" / c.run_id)
    carry_out(c, tmp_path / "whole", lambda row: False)
    assert carry_out(c, tmp_path / "torn", lambda row: row["step"] == 50).status == "interrupted"
    torn.checkpoint.write_bytes(torn.checkpoint.read_bytes()[:-1000])
    (torn.path / "progress.jsonl").write_text("")
    result = carry_out(c, tmp_path / "torn", lambda row: False)
    assert result.status == "finished"
    assert f"{c.run_id}/checkpoint.pt" in torn.notes()[0]
    compare(whole, torn)
