"""Deciders about context, recall and speed find what was planted."""

import numpy as np
import pytest

import claims_tables as made
from seqmix_study.findings import finding as d
from seqmix_study.findings.finding import NotTested
from seqmix_study.findings.judge import DECIDERS


def ask(name: str, evidence, **given) -> str:
    return DECIDERS[name](evidence, **given).verdict


def falling(index):
    return 4 - 0.3 * np.log(index)


def flat_after(stop):
    return lambda index: falling(min(index, stop))


def context(shapes: dict, sizes=(24_000.0,), length: int = 512, measured: bool = True):
    """Return a context study: ``shapes`` maps arm to its loss by index (seeds differ a little)."""
    rows = [
        made.run("context", arm, seed, shape(100), seq_len=length, params_non_embedding=n)
        for arm, shape in shapes.items()
        for n in sizes
        for seed in range(3)
    ]
    table = [
        point
        for r in rows
        for point in made.by_index(r, lambda i, r=r: shapes[r["arm"]](i) + 0.002 * r["seed"], length)
    ]
    return made.evidence(rows, context=table if measured else [])


PLATEAU = {"arm": "lstm_2", "bound": 100, "reference": "transformer"}


@pytest.mark.parametrize(
    ("shape", "wanted"), [(flat_after(40), d.SUPPORTED), (falling, d.REFUTED), (flat_after(350), d.REFUTED)]
)
def test_plateau(shape, wanted):
    assert ask("plateau", context({"transformer": falling, "lstm_2": shape}), **PLATEAU) == wanted


def test_a_plateau_where_nothing_is_left_to_learn_is_not_the_architectures():
    found = DECIDERS["plateau"](context({"transformer": flat_after(30), "lstm_2": flat_after(30)}), **PLATEAU)
    assert found.verdict == d.UNTESTED
    assert "says nothing about the architecture" in found.sentence


def test_a_plateau_needs_a_window_of_256_and_the_context_table():
    short = context({"transformer": falling, "lstm_2": flat_after(40)}, length=128)
    assert "too short" in DECIDERS["plateau"](short, **PLATEAU).sentence
    bare = context({"transformer": falling, "lstm_2": flat_after(40)}, measured=False)
    assert ask("plateau", bare, **PLATEAU) == d.UNTESTED


def test_late_slope_and_late_gain():
    tables = context({"transformer": falling, "lstm_2": flat_after(40), "deltanet": flat_after(100)})
    assert ask("late_slope", tables, arm="transformer") == d.SUPPORTED
    assert ask("late_slope", tables, arm="lstm_2") == d.REFUTED
    assert ask("late_slope", tables, arm="deltanet") == d.REFUTED
    assert ask("late_gain_difference", tables, more="transformer", less="lstm_2") == d.SUPPORTED
    assert ask("late_gain_difference", tables, more="lstm_2", less="transformer") == d.REFUTED
    assert ask("length_effect", tables, arm="transformer") == d.SUPPORTED
    assert ask("length_effect", tables, arm="lstm_2") == d.REFUTED


def test_early_gap():
    given = {"worse": "lstm_2", "better": "transformer"}
    alike = context({"transformer": falling, "lstm_2": flat_after(40)})
    apart = context({"transformer": falling, "lstm_2": lambda i: falling(i) + 0.1})
    assert ask("early_gap", alike, **given) == d.SUPPORTED
    assert ask("early_gap", apart, **given) == d.REFUTED


def test_gap_by_training_window():
    rows = [
        made.run("context", arm, seed, 3 + 0.01 * seed + shift, seq_len=length)
        for length, gap in {16: 0.0, 64: 0.05, 512: 0.2}.items()
        for arm, shift in (("transformer", 0.0), ("lstm_2", gap))
        for seed in range(3)
    ]
    given = {"worse": "lstm_2", "better": "transformer"}
    tables = made.evidence(rows)
    assert ask("length_gap", tables, **given, where="longest") == d.SUPPORTED
    assert ask("length_gap", tables, **given, where="shortest") == d.REFUTED
    assert ask("length_gap", tables, **given, where="shortest", equal=True) == d.SUPPORTED
    one = made.evidence([r for r in rows if r["seq_len"] == 512])
    assert ask("length_gap", one, **given, where="longest") == d.UNTESTED


def test_utilisation():
    given = {"arm": "lstm_2", "reference": "transformer"}
    sizes = (24_000.0, 330_000.0)
    assert (
        ask("utilisation", context({"transformer": falling, "lstm_2": flat_after(40)}, sizes), **given) == d.SUPPORTED
    )
    assert ask("utilisation", context({"transformer": falling, "lstm_2": falling}, sizes), **given) == d.REFUTED
    one = context({"transformer": falling, "lstm_2": flat_after(40)})
    assert "two sizes" in DECIDERS["utilisation"](one, **given).sentence


def recall(**arms):
    """Return a recall study: arm -> accuracy, one value or one a seed."""
    runs, rows, curves = [], [], []
    for arm, accuracy in arms.items():
        more = made.recalled(arm, accuracy)
        for store, new in zip((runs, rows, curves), more, strict=True):
            store += new
    return made.evidence(runs, recall=rows, curves=curves)


@pytest.mark.parametrize(
    ("accuracy", "fails", "reaches"),
    [
        (0.01, d.SUPPORTED, d.REFUTED),
        (1.0, d.REFUTED, d.SUPPORTED),
        ([1, 1, 1, 0.01, 0.01, 1], d.CLOSE, d.CLOSE),
    ],
)
def test_recall_of_the_first_token(accuracy, fails, reaches):
    tables = recall(lstm_1=accuracy)
    assert ask("recall_fails", tables, arms=["lstm_1"], delay=100) == fails
    assert ask("recall_reaches", tables, arms=["lstm_1"], delay=100) == reaches


def test_one_setting_that_recalls_in_every_seed_refutes_a_failure():
    tables = recall(lstm_1=0.01, lstm_1_chrono=1.0)
    assert ask("recall_fails", tables, arms=["lstm_1", "lstm_1_chrono"], delay=100) == d.REFUTED
    assert ask("recall_difference", tables, more="lstm_1_chrono", less="lstm_1", delay=100) == d.SUPPORTED
    assert ask("recall_difference", tables, more="lstm_1", less="lstm_1_chrono", delay=100) == d.REFUTED


def test_a_run_that_diverged_has_not_recalled():
    tables = recall(lstm_1=1.0)
    runs = tables.tables["runs"]
    runs.loc[0, "status"] = "diverged"
    assert ask("recall_fails", tables, arms=["lstm_1"], delay=100) == d.CLOSE


def test_a_delay_that_was_not_measured_is_not_judged():
    with pytest.raises(NotTested, match="measured: 100"):
        DECIDERS["recall_fails"](recall(lstm_1=1.0), arms=["lstm_1"], delay=400)


def test_steps_to_recall_against_instantly():
    tables = recall(transformer=1.0)
    assert ask("steps_to_recall", tables, arm="transformer", delay=100, limit=50) == d.REFUTED
    assert ask("steps_to_recall", tables, arm="transformer", delay=100, limit=500) == d.SUPPORTED
    never = recall(transformer=0.01)
    found = DECIDERS["steps_to_recall"](never, arm="transformer", delay=100, limit=50)
    assert found.verdict == d.REFUTED
    assert found.estimate == np.inf


def test_distance_and_key_value_queries():
    runs, rows, curves = made.recalled("transformer", 1.0, delay=25)
    more = made.recalled("transformer", 0.4, delay=100)
    tables = made.evidence(runs + more[0], recall=rows + more[1], curves=curves + more[2])
    assert ask("same_at_all_delays", tables, arm="transformer") == d.REFUTED
    runs, rows = [], []
    for arm, right in (("hybrid_half", 0.99), ("transformer", 0.7)):
        for seed in range(3):
            runs.append(made.run("recall", arm, seed, 1.0, source="mqar", seq_len=64))
            rows.append({"study": "recall", "run_id": runs[-1]["run_id"], "task": "mqar", "distance": 4, "step": 256,
                         "accuracy": right + 0.001 * seed})  # fmt: skip
    tables = made.evidence(runs, recall=rows)
    assert ask("mqar_difference", tables, more="hybrid_half", less="transformer") == d.SUPPORTED
    assert ask("mqar_difference", tables, more="transformer", less="hybrid_half", margin=-0.05) == d.REFUTED


ALL_MODES = ("train", "prefill", "decode")


def linear(cost):
    return lambda mode, length: cost * (1 if mode == "decode" else length)


def quadratic(mode, length):
    return 1e-6 * length * (1 + length / 200) if mode != "decode" else 1e-4


def test_faster_everywhere_somewhere_and_nowhere():
    slow_late = {"transformer": quadratic, "lstm_2": linear(3e-6)}
    rows = made.timings(slow_late, ("prefill",))
    tables = made.evidence(speed=rows)
    given = {"faster": "transformer", "slower": "lstm_2", "modes": ["prefill"]}
    found = DECIDERS["speed_ratio"](tables, **given)
    assert found.verdict == d.REFUTED
    assert "holds in 2 of 4 regimes" in found.sentence
    back = {"faster": "lstm_2", "slower": "transformer", "modes": ["prefill"]}
    assert ask("speed_ratio", tables, **back) == d.REFUTED
    assert ask("speed_ratio", tables, **back, anywhere=True) == d.SUPPORTED
    same = made.evidence(speed=made.timings({"transformer": linear(1e-6), "lstm_2": linear(1e-6)}))
    assert ask("speed_ratio", same, faster="transformer", slower="lstm_2", modes=["train"], anywhere=True) == d.REFUTED


def test_unmatched_models_and_missing_modes_are_not_compared():
    rows = made.timings({"transformer": linear(1e-6), "lstm_2": linear(2e-6)})
    for row in rows:
        row["params_non_embedding"] *= 9 if row["arm"] == "transformer" else 1
    given = {"faster": "transformer", "slower": "lstm_2"}
    with pytest.raises(NotTested, match="matched parameters"):
        DECIDERS["speed_ratio"](made.evidence(speed=rows), **given, modes=["train"])
    with pytest.raises(NotTested, match="decode"):
        DECIDERS["speed_ratio"](made.evidence(speed=rows), **given, modes=["decode"])


def test_a_model_that_differs_from_itself_shows_a_noisy_machine():
    given = {"faster": "transformer", "slower": "lstm_2", "modes": ["train"]}
    for second, wanted in ((1.0, d.SUPPORTED), (1.6, d.CLOSE)):
        arms = {"transformer": linear(1e-6), "lstm_2": linear(2e-6), "transformer_again": linear(second * 1e-6)}
        found = DECIDERS["speed_ratio"](made.evidence(speed=made.timings(arms)), **given)
        assert found.verdict == wanted
        assert ("noisy machine" in found.sentence) == (wanted == d.CLOSE)


def test_complexity_and_growing_advantage():
    tables = made.evidence(speed=made.timings({"transformer": quadratic, "lstm_2": linear(3e-6)}, ALL_MODES,
                                              (1024, 2048, 4096, 8192)))  # fmt: skip
    assert ask("complexity", tables, arm="lstm_2", mode="prefill", low=0.8, high=1.2) == d.SUPPORTED
    assert ask("complexity", tables, arm="transformer", mode="prefill", low=1.5) == d.SUPPORTED
    assert ask("complexity", tables, arm="lstm_2", mode="prefill", low=1.5) == d.REFUTED
    assert ask("complexity", tables, arm="transformer", mode="decode", low=1.5) == d.REFUTED
    given = {"mode": "train"}
    assert ask("advantage_grows", tables, faster="lstm_2", slower="transformer", **given) == d.SUPPORTED
    assert ask("advantage_grows", tables, faster="transformer", slower="lstm_2", **given) == d.REFUTED


def test_memory_and_state():
    rows = made.timings({"transformer": linear(1e-6), "lstm_2": linear(1e-6)}, ("train", "decode"))
    for row in rows:
        row["peak_bytes"] *= 100 if row["arm"] == "transformer" else 1
    tables = made.evidence(speed=rows)
    assert ask("peak_memory", tables, leaner="lstm_2", other="transformer") == d.SUPPORTED
    assert ask("peak_memory", tables, leaner="transformer", other="lstm_2") == d.REFUTED
    assert ask("state_bytes", tables, leaner="lstm_2", other="transformer") == d.SUPPORTED


@pytest.mark.parametrize(("cost", "wanted"), [(0.2, d.SUPPORTED), (0.9, d.REFUTED)])
def test_the_demonstration_as_printed(cost, wanted):
    arms = {"transformer_as_written": lambda m, t: cost * 1e-4, "lstm_as_written": lambda m, t: 1e-4}
    tables = made.evidence(speed=made.timings(arms, ("document_3",), (10,)))
    assert ask("demo_share", tables, share=0.4) == wanted


def test_the_kernel_must_be_named():
    rows = made.timings({"transformer": linear(1e-6)}, ("benchmark_document4",))
    with pytest.raises(NotTested, match="do not name"):
        DECIDERS["kernel_was"](made.evidence(speed=rows), groups=["benchmark_document4"])
    for kernel, wanted in (("math", d.SUPPORTED), ("flash", d.REFUTED)):
        for row in rows:
            row["kernel"] = kernel
        assert ask("kernel_was", made.evidence(speed=rows), groups=["benchmark_document4"]) == wanted


def test_out_of_reach_is_never_judged():
    rows = made.ladder({"transformer": made.power(1, 10, 0.3)})
    given = {"study": "scaling", "column": "params_non_embedding"}
    assert "largest run here" in DECIDERS["out_of_reach"](made.evidence(rows), **given, needed=1e9).sentence
    assert ask("out_of_reach", made.evidence(rows), **given, needed=1e3) == d.UNTESTED
