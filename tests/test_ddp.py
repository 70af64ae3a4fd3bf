"""One run on two processes (torchrun, gloo) gives the loss of one process on the same global batch, up to rounding."""

import os
import subprocess
import sys

import pytest
import torch

from seqmix import study
from seqmix.distributed import Team
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.runs import launch as engine
from seqmix_study.runs.worker import carry_out
from test_plan_cli import STUDY, project  # noqa: F401 (a fixture)

LONGER = STUDY.replace("[0, 1]", "[0]").replace(
    "steps: 3, batch_size: 2", "steps: 12, batch_size: 4, checkpoint_every: 4"
)

ROUNDING = 1e-4
"""Largest relative difference after 12 steps: the two halves of the batch are summed in another order (about 1e-7 a
step), and training amplifies that; a missing average or another batch would change the loss by more than 1e-2."""


def torchrun(paths: Paths, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    environment = os.environ | {"SEQMIX_ROOT": str(paths.root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_two_processes_train_as_one(project, tmp_path):  # noqa: F811
    (project.studies / "tiny.yaml").write_text(LONGER)
    plan = study.plan("tiny", "quick", overrides={"groups": ["main"]}, paths=project)[:2]
    alone = Paths(tmp_path / "alone")
    engine.train(engine.request(runs=plan, paths=alone), 0, progress=False)

    # first half of a run on one process, the rest on two: checkpoints are the same
    half = plan[1]
    carry_out(half, project.runs, lambda row: row["step"] == 6)
    done = torchrun(project, "-m", "seqmix_study", "train", "tiny", "--only", "main", "--quiet")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("runs:") == 1, "only the leader speaks"
    for config in plan:
        one, two = (RunFolder(place.runs / config.run_id) for place in (alone, project))
        assert two.status() == "finished"
        assert [row["step"] for row in one.curve()] == [row["step"] for row in two.curve()]
        for a, b in zip(one.curve(), two.curve(), strict=True):
            assert b["loss"] == pytest.approx(a["loss"], rel=ROUNDING)
            assert b["train_loss"] == pytest.approx(a["train_loss"], rel=ROUNDING)
            assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=100 * ROUNDING)


def test_each_process_gets_its_own_rows_and_an_uneven_batch_is_refused():
    batch = torch.arange(12).reshape(6, 2)
    shares = [Team(rank, 3, torch.device("cpu")).rows(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shares), batch)
    with pytest.raises(ValueError, match="multiple of the 4 processes"):
        Team(0, 4, torch.device("cpu")).rows(batch)
