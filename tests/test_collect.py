"""The result tables hold what the records say, do not churn, and refuse contradictions by name."""

import csv
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from data_corpus import at, write_corpus
from fake_records import config, context_row, provenance, record, say, speed_record
from seqmix import data
from seqmix.config import DataConfig, parse_run
from seqmix.paths import Paths
from seqmix.record import RecordError
from seqmix_study.__main__ import main
from seqmix_study.findings import study
from seqmix_study.results import collect, columns, configurations, published, rows
from seqmix_study.results.collect import CollectError
from seqmix_study.runs import selection


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    return Paths(tmp_path)


def table(paths, name="runs", tier="laptop") -> list[dict[str, str]]:
    with open(paths.results / tier / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(paths, plan, **more):
    return collect.collect(plan, "laptop", "scaling", paths=paths, **more)


def test_tables_hold_the_records_with_every_documented_column(paths):
    plan = [config(0), config(1)]
    for c in plan:
        record(paths.runs, c, 2.5 + c.seed)
    assert write(paths, plan)["runs"] == 2
    rows = table(paths)
    assert list(rows[0]) == list(columns.TABLES["runs"])
    one = {row["seed"]: row for row in rows}["1"]
    assert (one["loss"], one["unigram"], one["bayes"], one["torch"]) == ("3.5", "3.25", "", "2.13.0")
    assert [row["step"] for row in table(paths, "curves")] == ["5", "10"] * 2
    assert len(table(paths, "context")) == 6


def test_collecting_again_changes_no_byte(paths):
    plan = [config(seed) for seed in range(3)]
    for c in plan:
        record(paths.runs, c)
    write(paths, plan)
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths.results.rglob("*.csv")}
    write(paths, plan[::-1])
    assert files == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths.results.rglob("*.csv")}


def test_other_studies_and_machines_keep_their_rows(paths):
    record(paths.runs, config(0, study="context"))
    record(paths.runs, config(1))
    write(paths, [config(0, study="context")])
    (paths.runs / config(0).run_id / "outcome.json").unlink()  # trained elsewhere, not here
    write(paths, [config(1)])
    assert [row["study"] for row in table(paths)] == ["context", "scaling"]


def test_a_run_of_two_groups_has_two_rows_that_differ_in_their_labels(paths):
    plan = [config(0, group="lr"), config(0, group="main")]
    record(paths.runs, plan[0])
    write(paths, plan)
    first, second = table(paths)
    assert {name for name in first if first[name] != second[name]} == {"group"}
    assert len(table(paths, "curves")) == 2


def test_rows_of_runs_that_left_the_study_go_only_when_asked(paths):
    plan = [config(0), config(1)]
    for c in plan:
        record(paths.runs, c)
    write(paths, plan)
    write(paths, plan[:1])
    assert len(table(paths)) == 2
    write(paths, plan[:1], spare=set())
    assert len(table(paths)) == 1
    assert len(table(paths, "context")) == 3


def test_a_record_that_contradicts_the_table_is_refused_by_name(paths):
    folder = record(paths.runs, config(0), 2.5)
    write(paths, [config(0)])
    again(folder, 2.75)
    with pytest.raises(CollectError, match=r"runs\.csv has run .* loss 2\.5.* 2\.75") as caught:
        write(paths, [config(0)])
    assert str(folder.path) in str(caught.value)
    write(paths, [config(0)], replace=True)
    assert table(paths)[0]["loss"] == "2.75"


def again(folder, loss):
    """Seal the record anew, as another training of the same run would, a second later."""
    folder.write_metrics(folder.metrics() | {"loss": loss})
    folder.finish("finished")
    outcome = folder.outcome()
    import hashlib

    from seqmix.files import json_text

    plain = {k: v for k, v in outcome.items() if k != "seal"} | {"finished_at": "2026-01-01"}
    sealed = plain | {"seal": hashlib.sha256(json_text(plain).encode()).hexdigest()}
    (folder.path / "outcome.json").write_text(json_text(sealed))


def test_the_same_result_trained_again_does_not_change_the_table(paths):
    folder = record(paths.runs, config(0), 2.5)
    write(paths, [config(0)])
    before = (paths.results / "laptop" / "runs.csv").read_bytes()
    again(folder, 2.5)
    write(paths, [config(0)])
    assert (paths.results / "laptop" / "runs.csv").read_bytes() == before


def test_two_versions_of_a_corpus_are_refused(paths):
    record(paths.runs, config(0))
    record(paths.runs, config(1), corpus_sha256="dd" * 32)
    with pytest.raises(CollectError, match=r"mixes two versions of source 'stdlib'"):
        write(paths, [config(0), config(1)])
    assert not (paths.results / "laptop" / "runs.csv").exists()


def test_an_unknown_metric_or_column_is_refused_by_file(paths):
    record(paths.runs, config(0), metrics={"sparkle": 1.0})
    with pytest.raises(CollectError, match=r"metrics\.json has column\(s\) sparkle"):
        write(paths, [config(0)])
    folder = record(paths.runs, config(1))
    folder.write_table("context-index", [context_row(0, 2.5) | {"shine": 1}])
    folder.finish("finished")
    with pytest.raises(CollectError, match=r"context-index\.csv has column\(s\) shine"):
        write(paths, [config(1)])


def test_a_table_with_an_unknown_column_is_refused_by_name(paths):
    record(paths.runs, config(0))
    published.write(paths.results / "laptop", {"runs.csv": "study,wrong\nscaling,1\n"})
    with pytest.raises(CollectError, match=r"runs\.csv has unknown column\(s\) wrong"):
        write(paths, [config(0)])


def test_an_edited_record_is_not_collected(paths):
    folder = record(paths.runs, config(0))
    (folder.path / "metrics.json").write_text('{"loss": 0.1}')
    with pytest.raises(CollectError, match=r"metrics\.json"):
        write(paths, [config(0)])


def test_a_read_only_results_folder_is_named(paths, monkeypatch):
    record(paths.runs, config(0))

    def refuse(*args):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(RecordError, match=r"results/laptop/.*read-only"):
        write(paths, [config(0)])


def test_an_analysis_sees_the_same_numbers_from_records_and_from_tables(paths):
    plan = [config(0), config(1), config(2)]
    for c in plan[:2]:
        record(paths.runs, c, 2.123456789)
    write(paths, plan)
    here = collect.load("scaling", "laptop", plan, paths=paths)
    committed = collect.load("scaling", "laptop", plan, paths=Paths(paths.root, paths.root / "none"))
    for name in columns.TABLES:
        assert here[name].equals(committed[name])
    assert here["runs"].loss.tolist() == [2.12346, 2.12346]
    assert here["runs"].steps.dtype == "int64"
    assert math.isnan(here["runs"].bayes[0])
    assert here["runs"].reason.tolist() == ["", ""]
    for asked in ("scaling", "all"):
        assert collect.load(asked, "laptop", paths=paths)["runs"].equals(committed["runs"])


def test_a_run_published_by_another_study_is_found_under_the_plans_labels(paths):
    record(paths.runs, config(0, study="context", arm="same_thing"))
    write(paths, [config(0, study="context", arm="same_thing")])
    plan = [config(0, study="scaling")]
    tables = collect.load("scaling", "laptop", plan, paths=Paths(paths.root, paths.root / "none"))
    assert tables["runs"][["study", "arm"]].values.tolist() == [["scaling", "transformer"]]
    assert set(tables["context"].study) == {"scaling"}


def test_a_run_that_failed_is_no_result(paths):
    record(paths.runs, config(0), status="failed")
    record(paths.runs, config(1), status="diverged")
    plan = [config(0), config(1)]
    write(paths, plan)
    assert [row["status"] for row in table(paths)] == ["diverged"]
    assert not len(collect.load("scaling", "laptop", plan[:1], paths=paths)["runs"])


MEASURED = {"context": [context_row(0, 2.5) | {"measure": "truncate"}]}


@pytest.mark.parametrize("trained", ["once", "again", "at another commit"])
def test_a_measurement_that_a_published_run_got_since_is_taken_or_its_leaving_out_is_said(paths, capsys, trained):
    folder = record(paths.runs, config(0))
    write(paths, [config(0)])
    before = table(paths), table(paths, "context"), table(paths, "curves")
    if trained == "at another commit":
        folder.write_provenance(provenance(code_commit="another"))
    if trained != "once":
        again(folder, 2.5)
    folder.add("truncate", MEASURED)
    capsys.readouterr()
    write(paths, [config(0)])
    said = capsys.readouterr().err
    if trained == "at another commit":
        assert "0 measurements of published runs added, 1 left out (--replace)" in said
        assert (table(paths), table(paths, "context"), table(paths, "curves")) == before
        write(paths, [config(0)], replace=True)
    else:
        assert "1 measurements of published runs added, 0 left out" in said
        assert (table(paths), table(paths, "curves")) == (before[0], before[2])
    measures = [row["measure"] for row in table(paths, "context")]
    assert sorted(measures) == ["index"] * 3 + ["truncate"]
    assert [row for row in table(paths, "context") if row["measure"] == "index"] == before[1]
    capsys.readouterr()
    write(paths, [config(0)])
    assert capsys.readouterr().err == ""


def test_a_record_that_lacks_a_published_measurement_takes_it_from_nobody(paths):
    """It was packed before the measurement was taken, and is what another machine has."""
    folder = record(paths.runs, config(0))
    early = folder.outcome()
    folder.add("truncate", MEASURED)
    write(paths, [config(0)])
    before = table(paths, "context")
    assert len(before) == 4
    say(folder, evaluated=[], files=early["files"])
    assert set(folder.tables()) == {"context-index"}
    write(paths, [config(0)])
    assert table(paths, "context") == before


def test_speed_measurements_have_their_table(paths):
    c = speed_record(paths.runs)
    write(paths, [c])
    rows = table(paths, "speed")
    assert [(row["arm"], row["hardware"], row["seconds"]) for row in rows] == [
        ("transformer", "a processor", "0.25"),
        ("deltanet", "a processor", "0.25"),
    ]


def test_the_parts_of_a_text_are_counted_where_that_very_text_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQMIX_CACHE", str(tmp_path / "cache"))
    folder = write_corpus(tmp_path / "texts")

    def planned(asked):
        return asked.model_copy(update={"fingerprint": data.fingerprint(asked)})

    text = planned(at(folder))
    sizes = rows._sizes(text)
    documents = [path.stat().st_size + 1 for path in folder.glob("*.txt")]  # each with its separator
    assert sizes["train_size"] > sizes["valid_size"] > 0
    assert sum(sizes.values()) == sum(documents)
    assert rows._sizes(text.model_copy(update={"fingerprint": "0" * 64})) == {}
    assert rows._sizes(planned(DataConfig(source="almanac", seq_len=32))) == {"train_size": 0}
    assert rows._sizes(DataConfig(source="almanac")) == {}


def test_the_data_dictionary_describes_every_column(paths):
    record(paths.runs, config(0))
    write(paths, [config(0)])
    text = (paths.results / "README.md").read_text()
    assert text == columns.dictionary()
    for name, cols in columns.TABLES.items():
        assert f"## {name}.csv" in text
        assert all(column["meaning"] for column in columns.FILE["tables"][name]["columns"].values())
        assert set(cols.values()) <= {"text", "int", "float"}
        assert set(columns.KEYS[name]) <= set(cols)


def test_reading_tables_needs_neither_torch_nor_pandas_at_import():
    code = "import sys, seqmix_study.results.published; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_published_run_can_be_built_again_from_its_configuration(paths):
    plan = [config(0), config(1), speed_record(paths.runs)]
    for c in plan[:2]:
        record(paths.runs, c)
    write(paths, plan)
    found = configurations.read("laptop", paths)
    assert {parse_run(fields).run_id for fields in found.values()} == {c.run_id for c in plan}
    (paths.runs / plan[0].run_id / "outcome.json").unlink()  # trained elsewhere: its line stays
    write(paths, plan)
    assert configurations.read("laptop", paths) == found


def test_a_configuration_of_another_run_is_refused_by_name(paths):
    record(paths.runs, config(1))
    write(paths, [config(1)])
    text = (paths.results / "laptop" / configurations.NAME).read_text().replace('"seed": 1', '"seed": 5')
    published.write(paths.results / "laptop", {configurations.NAME: text})
    with pytest.raises(ValueError, match="those of another run"):
        configurations.read("laptop", paths)


def test_a_published_trial_that_becomes_evidence_is_published_as_that(paths):
    """The rate of a sweep is decided, and one of its trials, trained again elsewhere, is the run of that rate."""
    record(paths.runs, config(0, role="sweep"))
    write(paths, [config(0, role="sweep")])
    assert not (paths.results / "laptop" / "curves.csv").exists()
    evidence = config(0, role="evidence")
    assert evidence.run_id == config(0, role="sweep").run_id
    say(record(paths.runs, evidence), finished_at="2031-01-01T00:00:00+00:00")
    write(paths, [evidence])
    assert [row["role"] for row in table(paths)] == ["evidence"]
    assert len(table(paths, "curves")) == 2, "the curve of evidence is published, that of a trial is not"


def test_findings_of_older_tables_count_as_none_until_they_are_computed_again(paths, monkeypatch):
    """Who is killed between tables and findings leaves no finding of other runs than those in the tables."""
    record(paths.runs, config(0))
    write(paths, [config(0)])
    folder, asked = paths.results / "laptop", []
    findings = {"findings.csv": "row,estimate\ngap,1\n", "verdicts.csv": "id\n0.1\n", "samples.json": "[]\n"}
    published.write(folder, findings)
    monkeypatch.setattr(study, "compute", lambda *which: asked.append(which) or Nothing())
    assert list(study.rows("laptop", paths).index) == ["gap"]
    record(paths.runs, config(1))
    write(paths, [config(0), config(1)])
    assert published.beside("laptop", "samples.json", paths) == []
    assert published.frame(folder / "findings.csv") is published.frame(folder / "verdicts.csv") is None
    assert len(published.frame(folder / "runs.csv")) == 2
    assert (list(study.rows("laptop", paths).index), len(asked)) == (["computed"], 1)
    published.write(folder, findings)  # they are what they were
    assert (list(study.rows("laptop", paths).index), len(asked)) == (["gap"], 1)


class Nothing:
    def table(self):
        return pd.DataFrame({"row": ["computed"]})


def test_nothing_of_a_group_is_dropped_while_its_cells_wait_for_results(tmp_path, monkeypatch):
    """What a group still asks for is not known then: a row that it names later would be lost."""
    monkeypatch.setenv("SEQMIX_ROOT", str(tmp_path))
    monkeypatch.delenv("SEQMIX_RUNS", raising=False)
    spared = []
    monkeypatch.setattr(collect, "collect", lambda *_, spare, **more: spared.append(spare) or {})
    for waiting in (set(), {"books"}):
        plans = {"tiny": SimpleNamespace(runs=[], open=waiting)}
        monkeypatch.setattr(selection, "resolve", lambda *_, plans=plans: plans)
        told = CliRunner().invoke(main, ["collect", "tiny", "--prune"])
        assert told.exit_code == 0, told.output
        assert ("nothing of books is dropped" in told.output) == bool(waiting)
    assert spared == [set(), {"books"}]


def test_rows_of_a_spared_group_stay(paths):
    plan = [config(0), config(1)]
    for c in plan:
        record(paths.runs, c)
    write(paths, plan)
    write(paths, plan[:1], spare={plan[1].group})
    assert len(table(paths)) == 2
    write(paths, plan[:1], spare={"another"})
    assert len(table(paths)) == 1
    assert len(table(paths, "context")) == 3
