"""What cannot be timed here is computed: the gpu tier fits its budget, long runs have tokens, memory and hours."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner

from seqmix import accounting, study
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.paths import Paths
from seqmix_study.__main__ import main
from seqmix_study.runs import bigplan
from seqmix_study.runs.selection import select

BUDGET = 25 * 60
START = 60
"""Seconds for starting, opening corpora and the first kernels."""


@pytest.fixture(scope="module")
def tier():
    return bigplan.tier_seconds(select("all", "gpu", paths=Paths()))


def test_the_gpu_tier_fits_twenty_five_minutes_at_the_assumed_rates(tier):
    assert sum(seconds for _, _, seconds in tier.values()) + START <= BUDGET
    for name in ("scaling", "hybrids"):
        assert sum(seconds for (study, _), (_, _, seconds) in tier.items() if study == name) <= 9 * 60


def test_every_study_has_a_gpu_tier_with_its_main_question_first(tier):
    assert {name for name, _ in tier} == set(study.names(Paths()))
    for name in study.names(Paths()):
        groups = [group for found, group in tier if found == name]
        assert {"main", "lr", "data", "first_token", "train"} & set(groups[:2]), name


def test_seconds_of_a_run_follow_its_flops_or_its_latency():
    def run(pattern: str, width: int, steps: int = 100) -> RunConfig:
        skeleton = {"skeleton": "classic"} if "L" in pattern else {}
        model = ModelConfig(pattern=pattern, d_model=width, n_heads=4, **skeleton)
        data = DataConfig(source="almanac", seq_len=512)
        train = TrainConfig(steps=steps, batch_size=64, eval_sequences=1, eval_points=1)
        return RunConfig(model=model, data=data, train=train)

    large = run("AAAAAA", 256)
    flops = accounting.train_flops_per_token(large.model, 512) * large.tokens
    assert bigplan.gpu_seconds(large, 100) == pytest.approx(flops / 40e12, rel=0.01)
    assert bigplan.gpu_seconds(run("LL", 16)) == pytest.approx(100 * 512 * 2 * 20e-6, rel=0.2)
    tiny = run("AA", 8)
    assert bigplan.gpu_seconds(tiny, 1) > 3 * bigplan.gpu_seconds(tiny, 8)
    seeds = [large.model_copy(update={"seed": seed}) for seed in range(3)]
    lstm = [run("LL", 16).model_copy(update={"seed": seed}) for seed in range(2)]
    assert sorted(bigplan.replicas([*seeds, *lstm]).values()) == [1, 1, 3, 3, 3]


def test_long_runs_agree_with_the_usual_estimates():
    """124 M is GPT-2's smallest shape; training FLOPs are near 6 N D; hours fall with GPUs almost evenly."""
    runs = bigplan.large_runs()
    assert len(runs) == 4 * 3 * 4
    for run in runs:
        assert run.tokens == 20 * run.parameters
        assert 1.0 <= run.flops / (6 * run.parameters * run.tokens) < 1.3
        assert run.memory > 16 * run.parameters
        assert run.sequences >= 1
    named = {"124M": 124e6, "350M": 350e6, "760M": 760e6, "1B": 1e9}
    for size, expected in named.items():
        (one,) = [run for run in runs if (run.size, run.arm, run.gpus) == (size, "transformer", 1)]
        assert one.parameters == pytest.approx(expected, rel=0.03)
        for other in (run for run in runs if run.size == size):
            assert other.non_embedding == pytest.approx(one.non_embedding, rel=0.03)
        hours = [run.hours for run in runs if (run.size, run.arm) == (size, "transformer")]
        assert all(1.7 < a / b < 2 for a, b in pairwise(hours))


def test_a_small_gpu_takes_fewer_sequences_or_none():
    small = replace(bigplan.ASSUMED, memory=24 * 10**9)
    assert {run.sequences for run in bigplan.large_runs(["124M"], ["transformer"], small)} == {8}
    assert {run.sequences for run in bigplan.large_runs(["1B"], ["deltanet"], small)} == {0}
    assert "none fits" in bigplan.large_markdown(bigplan.large_runs(["1B"], ["deltanet"], small))


def test_the_command_prints_the_table_with_its_assumptions():
    done = CliRunner().invoke(main, ["large", "--size", "124M", "--utilisation", "0.2"])
    assert done.exit_code == 0, done.output
    assert done.output.count("`124M`") == 3
    assert "Assumed, not measured" in done.output
    assert "attention models reach 20%" in done.output
    assert CliRunner().invoke(main, ["large", "--size", "7B"]).exit_code == 2


def test_the_page_shows_what_the_code_computes(tier):
    """To write it anew: python tools/gpu_page.py."""
    text = (Paths().root / "book" / "gpu.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"<!-- generated: (\w+) -->\n\n?(.*?)\n?<!-- end -->", text, re.S))
    assert shown["tier"].strip() == bigplan.tier_markdown(tier).strip()
    large = bigplan.large_markdown(bigplan.large_runs()) + "\n" + bigplan.assumptions()
    assert shown["large"].strip() == large.strip()
