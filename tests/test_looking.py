"""Traces of trained models: gates and attention are what the models compute, and pictures come from plain data."""

import importlib
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from seqmix import checkpoint, data, models
from seqmix import interpret as inside
from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.models.lstm import LSTMLayer
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.book.fingerprint import results_digest
from seqmix_study.chapters import inside as pictures
from seqmix_study.results import published
from seqmix_study.runs import samples_and_traces, traces

ROOT = Path(__file__).resolve().parents[1]
ARMS = {"transformer": "AA", "gated_deltanet": "GD", "lstm_1": "L"}
SOURCE = DataConfig(source="almanac-12", seq_len=32)


def config(arm: str, seed: int = 0) -> RunConfig:
    pattern = ARMS[arm]
    classic = {"skeleton": "classic"} if arm == "lstm_1" else {}
    shape = ModelConfig(pattern=pattern, d_model=16, n_heads=2, max_length=32, vocab_size=56, **classic)
    return RunConfig(arm=arm, model=shape, data=SOURCE, seed=seed, train=TrainConfig(eval_sequences=4))


def model(arm: str, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return models.build(config(arm).model, seed=seed).eval()


@pytest.fixture(scope="module")
def source():
    return data.open_source(SOURCE)


@pytest.fixture(scope="module")
def found(source) -> dict:
    """Traces of untrained models: three seeds an architecture."""
    question = traces.question(source)
    runs = [
        traces.trace(model(arm, seed), source, config(arm, seed), question, whole=seed == 0)
        for arm in ARMS
        for seed in range(3)
    ]
    return {"question": {"position": int(question.position), "stated": int(question.source)}, "runs": runs}


def of_arms(found: dict, *arms: str) -> dict:
    return {**found, "runs": [run for run in found["runs"] if run["arm"] in arms]}


def test_lstm_gates_equal_a_recomputation_token_by_token():
    torch.manual_seed(0)
    layer = LSTMLayer(3, 5)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 7, 3)
    opened, kept = traces.lstm_gates(layer, x)
    state = layer.initial_state(2)
    for t in range(7):
        drive = x[:, t] @ layer.input_weight.T + layer.bias + state.hidden @ layer.recurrent_weight.T
        assert torch.allclose(opened[:, t], torch.sigmoid(drive[:, :5]), atol=1e-5)
        assert torch.allclose(kept[:, t], torch.sigmoid(drive[:, 5:10]), atol=1e-5)
        _, state = layer.step(x[:, t], state)


@pytest.mark.parametrize("arm", ["lstm_1", "gated_deltanet"])
def test_gates_lie_between_shut_and_open(arm):
    net = model(arm)
    found = traces.gates(net, torch.randint(0, 56, (3, 32)))
    assert {gate.name for gate in found} == ({"input", "forget"} if arm == "lstm_1" else {"write", "decay"})
    for gate in found:
        assert gate.open.shape[:2] == (3, 32)
        assert gate.open.min() >= 0
        assert gate.open.max() <= net.config.beta_scale


def test_a_model_without_gates_has_none():
    assert traces.gates(model("transformer"), torch.zeros(1, 8, dtype=torch.long)) == []


def test_the_mean_by_class_is_that_of_its_tokens():
    opened = torch.tensor([[[0.0, 1.0], [1.0, 1.0], [0.2, 0.2]]])
    rows = traces.by_class([traces.Gate(1, "input", opened)], np.array([[0, 1, 0]]))
    assert {row["class"]: row["mean"] for row in rows} == pytest.approx({"key": 0.35, "value": 1.0})
    assert [row["class"] for row in rows] == ["key", "value"]


def test_the_question_has_one_source_stated_long_before(source):
    asked = traces.question(source)
    tokens, at, stated = asked.inputs[0], int(asked.position), int(asked.source)
    assert (tokens[:at] == tokens[at]).sum() == 1
    assert tokens[stated - 1] == tokens[at]
    assert tokens[stated] == asked.answer[0]
    assert 4 <= at - stated + 1 <= 16


def test_attention_rows_sum_to_one_and_never_look_ahead(found):
    (run,) = [run for run in found["runs"] if "heads" in run]
    assert (run["arm"], run["seed"], len(run["heads"])) == ("transformer", 0, 4)
    for head in run["heads"]:
        assert len(head["row"]) == found["question"]["position"] + 1
        assert sum(head["row"]) == pytest.approx(1, abs=0.02)


def test_traces_come_from_the_weights_and_survive_their_file(tmp_path):
    here, one = Paths(tmp_path), config("lstm_1")
    folder = RunFolder(here.runs / one.run_id)
    folder.path.mkdir(parents=True)
    checkpoint.save_weights(folder.weights, model("lstm_1").state_dict())
    fresh = samples_and_traces.trace([one], here)
    assert [run["run_id"] for run in fresh["runs"]] == [one.run_id]
    assert fresh["question"]["stated"] == int(traces.question(data.open_source(SOURCE)).source)
    published.write(here.results / "laptop", {"traces.json": json.dumps(fresh)})
    assert published.beside("laptop", "traces.json", here) == json.loads(json.dumps(fresh))
    assert published.beside("quick", "traces.json", here) is None


def test_runs_of_different_sources_are_refused(tmp_path):
    other = config("lstm_1").model_copy(update={"data": DataConfig(source="almanac", seq_len=32)})
    with pytest.raises(ValueError, match="different sources"):
        samples_and_traces.trace([config("lstm_1"), other], Paths(tmp_path))


def test_the_heat_map_frames_the_source_and_says_what_lies_on_it(found):
    figure, _, alt = pictures.heads(found)
    plt.close(figure)
    stated = found["question"]["stated"]
    frame = figure.axes[0].patches[0]
    assert (frame.get_x(), frame.get_width()) == (stated - 1.5, 2)
    first = next(run for run in found["runs"] if run.get("heads"))["heads"][0]["row"]
    assert f"{sum(first[stated - 1 : stated + 1]):.2f} by layer 1, head 1" in alt
    low, high = figure.axes[0].get_xlim()
    assert low < stated - 1 < found["question"]["position"] < high


def test_gates_for_a_figure_are_a_row_a_model_gate_and_class(found):
    opened = pictures.gates(found)
    assert set(opened["Gate"]) == {"LSTM, 1 layer: input, layer 1", "LSTM, 1 layer: forget, layer 1"} | {
        f"Gated DeltaNet: {gate}, layer 1" for gate in ("write", "decay")} | {
        f"Gated DeltaNet: {gate}, layer 2" for gate in ("write",)}  # fmt: skip
    assert (opened.groupby(["Gate", "Token"])["seed"].nunique() == 3).all()


@pytest.mark.parametrize("arm", ARMS)
def test_the_sums_written_out_equal_captum(arm, source):
    captum = pytest.importorskip("captum.attr")
    net, asked = model(arm).train(), inside.draw_queries(source.evaluation(64), 6, torch.device("cpu"))
    embedded = net.embed(asked.inputs).detach().requires_grad_()
    baseline = net.embedding.weight.detach().mean(0).expand_as(embedded)

    def loss(embedded, position, answer):
        return inside.answer_loss(net, inside.Queries(position, position, answer, answer), embedded)

    about = {"additional_forward_args": (asked.position, asked.answer)}
    path = {"n_steps": inside.PATH_STEPS, "method": "riemann_middle", "internal_batch_size": len(asked)}
    by_captum = [
        captum.InputXGradient(loss).attribute(embedded, **about).detach().sum(-1).abs(),
        captum.IntegratedGradients(loss).attribute(embedded, baseline, **about, **path).detach().sum(-1),
    ]
    ours = [method(net, asked) for method in (inside.gradient_x_input, inside.integrated_gradients)]
    for one, two in zip(by_captum, ours, strict=True):
        assert (one - two).abs().max() <= 1e-6 * two.abs().max()


def test_published_traces_belong_to_published_runs():
    frames = importlib.import_module("seqmix_study.results.collect").load("attribution", "laptop")
    traced = published.beside("laptop", "traces.json", Paths(ROOT))
    assert (ROOT / "results" / "laptop" / "traces.json").stat().st_size < 400_000
    evidence = frames["runs"].query("role == 'evidence'")
    assert set(evidence["run_id"]) == {run["run_id"] for run in traced["runs"]}


def test_new_traces_make_the_chapter_stale_and_no_other(tmp_path):
    def digests() -> list[str]:
        return [results_digest(Paths(tmp_path), (study,)) for study in ("attribution", "scaling")]

    published.write(tmp_path / "results" / "laptop", {"traces.json": "{}"})
    before = digests()
    published.write(tmp_path / "results" / "laptop", {"traces.json": '{"runs":[]}'})
    after = digests()
    assert before[0] != after[0]
    assert before[1] == after[1]
