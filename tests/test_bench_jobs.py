"""Benchmark (``SEQMIX_BENCH=1 pytest tests/test_bench_jobs.py -s``, on a quiet machine): is ``--jobs`` worth it?

A grid of 16 runs of under 300k parameters with the default workers, against one run after the other in one worker
with all threads. Start-up of the workers counts. Asked for: at least 1.2 times faster on two cores.
"""

import os
import time

import pytest

from seqmix.accounting import parameters
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.paths import Paths
from seqmix.provenance import cores
from seqmix_study.runs import launch as engine
from seqmix_study.runs.local import run_local
from seqmix_study.runs.machine import layout
from seqmix_study.runs.progress import Display

pytestmark = pytest.mark.skipif("SEQMIX_BENCH" not in os.environ, reason="a benchmark: set SEQMIX_BENCH=1")

MIXERS = {"A": "block", "D": "block", "G": "block", "L": "classic"}


def grid() -> list[RunConfig]:
    steps = int(os.environ.get("SEQMIX_BENCH_STEPS", "40"))
    train = TrainConfig(steps=steps, batch_size=16, eval_sequences=32, eval_points=2)
    data = DataConfig(source="almanac", seq_len=128)
    runs = []
    for letter, skeleton in MIXERS.items():
        for width in (32, 64):
            shape = {"d_model": width, "n_heads": 2, "vocab_size": 324, "max_length": 128, "skeleton": skeleton}
            model = ModelConfig(pattern=letter * 2, **shape)
            runs += [RunConfig(model=model, data=data, train=train, seed=seed) for seed in range(2)]
    return runs


def test_the_default_workers_are_faster_than_all_threads_in_one(tmp_path):
    configs = grid()
    assert len(configs) == 16
    assert max(parameters(c.model)["total"] for c in configs) < 300_000
    place = layout(configs)
    times = {}
    for name, jobs, threads in (("one", 1, cores()), ("default", place.jobs, place.threads)):
        paths = Paths(tmp_path / name)
        began = time.perf_counter()
        display = Display(configs, show=False)
        results, _ = run_local(configs, paths.runs, jobs, threads, engine.TASKS, display, float("inf"), place.gpus)
        times[name] = time.perf_counter() - began
        assert all(result.status == "finished" for result in results.values())
    ratio = times["one"] / times["default"]
    print(f"\n16 runs: {times['one']:.1f} s one after the other with {cores()} threads, {times['default']:.1f} s with "
          f"{place.jobs} workers: {ratio:.2f} times faster (load {os.getloadavg()[0]:.1f})")  # fmt: skip
    assert ratio > 1.2
