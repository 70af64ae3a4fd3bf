"""Runs that agree are inside the published interval; runs that do not come with the likely reason."""

import contextlib
import json
import math
import os
import statistics
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from fake_records import config, record
from seqmix.paths import Paths
from seqmix_study.commands.compare import command
from seqmix_study.results import agreement as compare
from seqmix_study.results import collect
from seqmix_study.results.published import read_table
from seqmix_study.runs import verify

LOSSES = [2.40, 2.41, 2.42, 2.43, 2.44]


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """A project with five published seeds, whose records are not on this machine."""
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    paths = Paths(tmp_path)
    plan = [config(seed) for seed in range(5)]
    elsewhere = tmp_path / "elsewhere"
    for c, loss in zip(plan, LOSSES, strict=True):
        record(elsewhere, c, loss)
    monkeypatch.setenv("SEQMIX_RUNS", str(elsewhere))
    collect.collect(plan, "laptop", "scaling", paths=paths)
    monkeypatch.setenv("SEQMIX_RUNS", str(tmp_path / "runs"))
    return paths


def point(paths, c, loss, **more) -> pd.Series:
    record(paths.runs, c, loss, **more)
    return compare.compare("laptop", paths).set_index("run_id", drop=False).loc[c.run_id]


def published(tier: str, paths: Paths) -> pd.DataFrame:
    return pd.DataFrame(read_table("runs", tier, paths)).query("status == 'finished'")


def test_the_interval_is_the_prediction_interval_of_one_more_seed(paths):
    cell = compare.published_cells(published("laptop", paths)).iloc[0]
    half = 2.776445 * statistics.stdev(LOSSES) * math.sqrt(1 + 1 / 5)
    assert [*cell[["mean", "low", "high"]]] == pytest.approx([2.42, 2.42 - half, 2.42 + half], rel=1e-6)


def test_a_single_seed_has_the_spread_of_the_other_cells(paths):
    alone = config(0, d_model=32)
    record(paths.runs, alone, 2.0)
    collect.collect([alone], "laptop", "scaling", paths=paths)
    cells = compare.published_cells(published("laptop", paths)).set_index("d_model")
    half = 1.96 * math.sqrt(2) * 2.0 * statistics.stdev(LOSSES) / 2.42
    assert [*cells.loc["32", ["low", "high"]]] == pytest.approx([2 - half, 2 + half], rel=1e-6)
    assert cells.loc["32", "published"] == 1


@pytest.mark.parametrize(("loss", "verdict"), [(2.42, "inside"), (2.45, "inside"), (2.6, "outside"), (2.2, "outside")])
def test_a_new_seed_is_judged_by_the_interval(paths, loss, verdict):
    assert point(paths, config(7), loss).verdict == verdict


def test_the_published_loss_itself_is_the_same(paths):
    assert point(paths, config(2), 2.42).verdict == "same"


def test_the_published_run_up_to_rounding_is_reproduced_and_another_seed_is_not(paths):
    assert point(paths, config(2), 2.4201, device="cuda").verdict == "reproduced"
    assert point(paths, config(7), 2.4201).verdict == "inside"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"corpus_sha256": "ee" * 32}, "another text"),
        ({"device": "cuda"}, "another device"),
        ({"versions": {"torch": "9.9"}}, "another torch"),
        ({"code_commit": "ffff"}, "another version of the code"),
    ],
)
def test_the_likely_reason_is_named(paths, changed, reason):
    assert reason in point(paths, config(2), 3.0, **changed).reason


def test_without_a_difference_chance_is_named(paths):
    assert "one run in twenty" in point(paths, config(8), 3.0).reason
    assert "everything recorded is equal" in point(paths, config(3), 3.0).reason


def test_another_size_stands_alone(paths):
    found = point(paths, config(0, d_model=32), 2.42)
    assert (found.verdict, found.published) == ("alone", 0)


def test_a_divergence_where_the_published_runs_end_well_is_a_disagreement(paths):
    found = point(paths, config(9), 2.42, status="diverged")
    assert found.verdict == "diverged"
    assert not compare.summarise(pd.DataFrame([found]))["agrees"]


def test_one_outside_in_twenty_is_chance_and_five_are_not(paths):
    point(paths, config(7), 2.42)
    point(paths, config(8), 3.0)
    inside, outside = compare.compare("laptop", paths).sort_values("verdict").index
    points = compare.compare("laptop", paths)
    assert compare.summarise(points.loc[[inside] * 19 + [outside]])["agrees"]
    assert not compare.summarise(points.loc[[inside] * 15 + [outside] * 5])["agrees"]
    assert compare.summarise(points.loc[[]])["agrees"]


def test_the_command_prints_points_and_reasons(paths):
    record(paths.runs, config(7), 2.42)
    record(paths.runs, config(8), 3.0, device="cuda")
    shown = CliRunner().invoke(command, ["--json"])
    report = json.loads(shown.output)
    assert {p["run_id"]: p["verdict"] for p in report["points"]}[config(8).run_id] == "outside"
    text = CliRunner().invoke(command, [])
    assert "another device" in text.output
    assert text.exit_code == 0  # one of two may be chance


def test_a_published_cell_holds_every_seed_once_and_one_kind_of_model():
    """Columns of runs.csv do not say all of a model (positions, eigenvalues): what its arm is called does."""
    rows = published("laptop", Paths())
    cells = compare.published_cells(rows)
    seeds = rows.groupby(compare.CELL)["seed"].nunique()
    assert (cells.set_index(compare.CELL)["published"] - seeds == 0).all()
    wide = rows[rows["arm"].isin(["transformer", "transformer_nope"]) & (rows["study"] == "context")]
    assert wide.drop(columns="arm").duplicated([c for c in compare.CELL if c != "arm"]).any()
    assert cells.merge(wide[["arm"]].drop_duplicates())["arm"].nunique() == 2


def test_a_finding_of_part_of_the_runs_is_not_compared():
    """What small models say is no contradiction of what large ones said; a rate decided anew is another run alike."""
    there = pd.DataFrame({"lo": 1.0, "hi": 2.0, "verdict": "yes", "runs": "block-A-d8-s0-aa block-A-d8-s1-ab"}, ["gap"])

    def compared(runs: str, estimate: float) -> list[bool]:
        here = pd.DataFrame({"estimate": estimate, "runs": runs}, ["gap"])
        return compare.findings(here, there)["inside"].tolist()

    assert compared("block-A-d8-s0-ba block-A-d8-s1-bb", 1.5) == [True]
    assert compared("block-A-d8-s0-aa block-A-d8-s1-ab block-A-d8-s2-ac", 3.0) == [False]
    assert compared("block-A-d8-s0-aa", 3.0) == []
    assert compared("block-A-d4-s0-aa block-A-d4-s1-ab", 3.0) == []


def test_two_verifications_at_once_do_not_delete_each_others_records(tmp_path, monkeypatch):
    def train(job, jobs):
        mine = job.paths.runs / str(os.getpid())
        mine.mkdir(parents=True)
        time.sleep(0.3)
        assert list(job.paths.runs.iterdir()) == [mine]
        return SimpleNamespace(problems={})

    monkeypatch.delenv("SEQMIX_CACHE", raising=False)
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.setattr(verify.launch, "train", train)
    for name in ("sample", "compare"):
        monkeypatch.setattr(verify, name, lambda *args: [])
    monkeypatch.setattr(verify.tables, "read_table", lambda *args: [])
    children = []
    for _ in range(2):
        children.append(os.fork())
        if not children[-1]:
            with contextlib.suppress(AssertionError, OSError):
                verify.verify("quick", 1, 0, None)
                os._exit(0)
            os._exit(1)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
