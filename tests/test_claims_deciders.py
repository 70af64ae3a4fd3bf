"""Every kind of decider finds what was planted: supported, refuted, too close, or not tested with the reason."""

import numpy as np
import pytest

import claims_tables as made
from seqmix_study.findings import finding as d
from seqmix_study.findings.judge import DECIDERS

STEEP, FLAT = made.power(1.2, 18, 0.3), made.power(1.3, 8, 0.2)


def ask(name: str, evidence, **given) -> str:
    return DECIDERS[name](evidence, **given).verdict


def scaling(transformer=STEEP, lstm=FLAT, **more):
    return made.evidence(made.ladder({"transformer": transformer, "lstm_2": lstm}, **more))


@pytest.mark.parametrize(
    ("law", "falls", "rises"),
    [
        (STEEP, d.SUPPORTED, d.REFUTED),
        (lambda n: 1.0 + 0.02 * np.log(n), d.REFUTED, d.SUPPORTED),
        (lambda n: 2.0, d.CLOSE, d.CLOSE),
    ],
)
def test_trend(law, falls, rises):
    tables = scaling(law)
    assert ask("trend", tables, arms=["transformer"], direction="falls") == falls
    assert ask("trend", tables, arms=["transformer"], direction="rises") == rises


@pytest.mark.parametrize(
    ("shift", "noise", "wanted"),
    [(0.1, 0.002, d.SUPPORTED), (-0.1, 0.002, d.REFUTED), (0.0, 0.002, d.REFUTED), (0.02, 0.05, d.CLOSE)],
)
def test_loss_difference(shift, noise, wanted):
    tables = scaling(STEEP, lambda n: STEEP(n) + shift, noise=noise)
    assert ask("loss_difference", tables, worse="lstm_2", better="transformer") == wanted


def test_a_loss_difference_on_two_corpora_that_disagree_is_too_close_to_call():
    one = made.ladder({"transformer": STEEP, "lstm_2": lambda n: STEEP(n) + 0.2}, sources=("stdlib",))
    two = made.ladder({"transformer": STEEP, "lstm_2": lambda n: STEEP(n) - 0.2}, sources=("almanac",))
    given = {"worse": "lstm_2", "better": "transformer"}
    assert ask("loss_difference", made.evidence(one), **given) == d.SUPPORTED
    assert ask("loss_difference", made.evidence(two), **given) == d.REFUTED
    found = DECIDERS["loss_difference"](made.evidence(one + two), **given)
    assert found.verdict == d.CLOSE
    assert "stdlib: supported" in found.sentence
    control = made.ladder({"transformer": STEEP, "lstm_2": lambda n: STEEP(n) - 0.2}, sources=("markov",))
    assert ask("loss_difference", made.evidence(one + control), **given) == d.SUPPORTED  # a control has no vote


def test_a_loser_whose_learning_rate_stands_at_the_edge_is_not_judged():
    rows = made.ladder({"transformer": STEEP, "lstm_2": lambda n: STEEP(n) + 0.2})
    given = {"worse": "lstm_2", "better": "transformer"}
    for best, wanted in ((4e-3, d.SUPPORTED), (16e-3, d.CLOSE)):
        sweep = [
            made.run("scaling", "lstm_2", 0, 2 + np.log2(lr / best) ** 2, group="lr", lr=lr)
            for lr in (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)
        ]
        assert ask("loss_difference", made.evidence(rows + sweep), **given) == wanted


def test_a_refutation_needs_the_tokens_that_the_rule_asks_for():
    tables = scaling(STEEP, lambda n: STEEP(n) - 0.2)
    given = {"worse": "lstm_2", "better": "transformer"}
    assert ask("loss_difference", tables, **given, refute_needs_tokens=1e5) == d.REFUTED
    assert ask("loss_difference", tables, **given, refute_needs_tokens=4e6) == d.CLOSE


@pytest.mark.parametrize(
    ("a", "b", "wanted", "equal"),
    [(0.10, 0.02, d.SUPPORTED, d.REFUTED), (0.02, 0.02, d.REFUTED, d.SUPPORTED), (0.02, 0.10, d.REFUTED, d.REFUTED)],
)
def test_gap_slope(a, b, wanted, equal):
    """``a`` and ``b`` are the falls per e-fold of the Transformer and the LSTM."""
    tables = scaling(lambda n: 3 - a * np.log(n), lambda n: 3.2 - b * np.log(n))
    given = {"worse": "lstm_2", "better": "transformer"}
    assert ask("gap_slope", tables, **given) == wanted
    assert ask("gap_slope", tables, **given, equal=True, margin=0.05) == equal


def test_exponents_are_compared_only_if_both_fits_pass():
    steep, flat = made.power(1.0, 200, 0.6), made.power(1.0, 20, 0.35)
    tables = scaling(steep, flat, noise=0.0004)
    assert ask("exponent_difference", tables, steeper="transformer", flatter="lstm_2") == d.SUPPORTED
    assert ask("exponent_difference", tables, steeper="lstm_2", flatter="transformer") == d.REFUTED
    assert ask("own_exponent", tables, arm="transformer") == d.SUPPORTED
    few = scaling(steep, flat, sizes=made.SIZES[:3])
    found = DECIDERS["exponent_difference"](few, steeper="transformer", flatter="lstm_2")
    assert found.verdict == d.UNTESTED
    assert "too few sizes" in found.sentence


def test_iso_loss_ratio_finds_the_planted_factor():
    tables = scaling(STEEP, lambda n: STEEP(n / 2))
    found = DECIDERS["iso_loss_ratio"](tables, leaner="transformer", other="lstm_2")
    assert found.verdict == d.SUPPORTED
    assert found.estimate == pytest.approx(2, rel=0.1)
    assert found.lo < 2.05
    assert found.hi > 1.95
    assert ask("iso_loss_ratio", tables, leaner="lstm_2", other="transformer") == d.REFUTED


def test_crossover_inside_the_sizes_is_judged_and_outside_is_not():
    tables = scaling(lambda n: 3 - 0.1 * np.log(n / 50_000), lambda n: 3.0 + 0 * n)
    given = {"below": "transformer", "above": "lstm_2"}
    assert ask("crossover", tables, **given, claimed=5e4) == d.SUPPORTED
    assert ask("crossover", tables, **given, claimed=3e5) == d.REFUTED
    far = DECIDERS["crossover"](tables, **given, claimed=2e7)
    assert far.verdict == d.UNTESTED
    assert "outside the sizes" in far.sentence
    assert far.lo < 5e4 < far.hi


@pytest.mark.parametrize(("speed", "wanted"), [(2.0, d.SUPPORTED), (0.5, d.REFUTED)])
def test_seconds_to_a_common_loss(speed, wanted):
    rows = made.ladder({"transformer": STEEP, "lstm_2": STEEP})
    points = [p for r in rows for p in made.curve(r, speed=speed if r["arm"] == "lstm_2" else 1.0)]
    tables = made.evidence(rows, curves=points)
    given = {"faster": "lstm_2", "slower": "transformer", "quantity": "seconds"}
    found = DECIDERS["to_target"](tables, **given)
    assert found.verdict == wanted
    assert found.estimate == pytest.approx(speed, rel=0.1)
    mixed = made.evidence([r | {"hardware": f"machine {i % 2}"} for i, r in enumerate(rows)], curves=points)
    assert "one machine" in DECIDERS["to_target"](mixed, **given).sentence


def test_little_and_much_text():
    rows = [
        made.run("budget", arm, seed, 3 + 0.01 * seed + shift, train_tokens=amount)
        for amount, (attention, lstm) in {32768: (0.3, 0.0), 524288: (0.1, 0.1), 0: (0.0, 0.2)}.items()
        for arm, shift in (("transformer", attention), ("lstm_2", lstm))
        for seed in range(3)
    ]
    tables = made.evidence(rows, curves=[p for r in rows for p in made.curve(r)])
    assert ask("data_size", tables, worse="transformer", better="lstm_2", where="smallest") == d.SUPPORTED
    assert ask("data_size", tables, worse="lstm_2", better="transformer", where="largest") == d.SUPPORTED
    assert ask("data_size", tables, worse="transformer", better="lstm_2", where="largest") == d.REFUTED


BOWL = [2 + 0.02 * abs(k - 2) for k in range(13)]
FLAT_STACKS = [2.0] * 13


@pytest.mark.parametrize(
    ("name", "given", "bowl", "flat"),
    [
        ("best_of", {"count": 2}, d.SUPPORTED, d.CLOSE),
        ("best_count", {"claimed": 2, "low": 1, "high": 3}, d.SUPPORTED, d.CLOSE),
        ("rank_last", {"count": 12}, d.SUPPORTED, d.CLOSE),
        ("count_contrast", {"counts": [2], "against": [12]}, d.SUPPORTED, d.REFUTED),
        ("count_slope", {"first": 5, "last": 11}, d.SUPPORTED, d.REFUTED),
        ("pure_against_hybrids", {"count": 12}, d.SUPPORTED, d.REFUTED),
        ("u_shape", {}, d.SUPPORTED, d.REFUTED),
    ],
)
def test_counts_of_attention_layers(name, given, bowl, flat):
    assert ask(name, made.evidence(made.stacks(BOWL)), **given) == bowl
    assert ask(name, made.evidence(made.stacks(FLAT_STACKS)), **given) == flat
    single = DECIDERS[name](made.evidence(made.stacks(BOWL, seeds=1)), **given)
    assert single.verdict == d.UNTESTED
    assert "3 seeds" in single.sentence


def test_the_best_of_thirteen_and_the_last_rank_can_be_refuted():
    other = made.evidence(made.stacks([2 + 0.02 * abs(k - 9) for k in range(13)]))
    assert ask("best_of", other, count=2) == d.REFUTED
    assert ask("best_count", other, claimed=2, low=1, high=3) == d.REFUTED
    assert ask("rank_last", other, count=12) == d.REFUTED
    monotone = made.evidence(made.stacks([2 - 0.02 * k for k in range(13)]))
    assert ask("u_shape", monotone) == d.REFUTED


def placed(back: float, count: float, rng=0):
    """Return stacks at front, middle and back: ``back`` nats worse at the back, ``count`` nats a further layer."""
    draw = np.random.default_rng(rng)
    rows = []
    for k in (1, 2, 4):
        for place, first in (("front", 0), ("middle", (12 - k) // 2), ("back", 12 - k)):
            pattern = "".join("A" if first <= i < first + k else "D" for i in range(12))
            for seed in range(3):
                loss = 2 + back * (place == "back") + count * k + draw.normal(0, 0.002)
                rows.append(made.run("hybrids", f"hybrid_{k}_{place}", seed, loss, pattern=pattern, conv="D"))
    return made.evidence(rows)


def test_placement_against_count():
    given = {"worse": ["back"], "better": ["front", "middle"]}
    assert ask("placement_contrast", placed(0.1, 0.001), **given) == d.SUPPORTED
    assert ask("placement_contrast", placed(0.0, 0.05), **given) == d.REFUTED
    assert ask("variance_shares", placed(0.1, 0.001), margin=-0.1) == d.SUPPORTED
    assert ask("variance_shares", placed(0.0, 0.05), margin=-0.1) == d.REFUTED


def test_learning_rate_optima_and_grid_edges():
    def sweep(best: dict):
        return made.evidence([
            made.run("hybrids", arm, 0, 2 + 0.1 * np.log2(lr / at) ** 2, group="lr", lr=lr)
            for arm, at in best.items() for lr in (0.75e-3, 1.5e-3, 3e-3, 6e-3, 12e-3)
        ])  # fmt: skip

    given = {"higher": "hybrid_12", "lower": "hybrid_0"}
    assert ask("lr_optimum", sweep({"hybrid_12": 6e-3, "hybrid_0": 1.5e-3}), **given) == d.SUPPORTED
    assert ask("lr_optimum", sweep({"hybrid_12": 1.5e-3, "hybrid_0": 6e-3}), **given) == d.REFUTED
    assert ask("lr_optimum", sweep({"hybrid_12": 3e-3, "hybrid_0": 2e-3}), **given) == d.CLOSE
    edge = DECIDERS["lr_optimum"](sweep({"hybrid_12": 12e-3, "hybrid_0": 1.5e-3}), **given)
    assert edge.verdict == d.UNTESTED
    assert "edge" in edge.sentence


def test_rankings_at_two_training_lengths():
    arms = {0: 2.4, 2: 2.0, 6: 2.1, 9: 2.2, 12: 2.3}
    same = made.stacks(arms) + made.stacks({k: v - 0.3 for k, v in arms.items()}, tokens=1.6e6, group="long")
    turned = made.stacks(arms) + made.stacks({k: 4 - v for k, v in arms.items()}, tokens=1.6e6, group="long")
    assert ask("ranking_holds", made.evidence(same)) == d.SUPPORTED
    assert ask("ranking_holds", made.evidence(turned)) == d.REFUTED
    assert "one training length" in DECIDERS["ranking_holds"](made.evidence(made.stacks(arms))).sentence.lower()


def test_inside():
    def scores(head, blind, fresh, lstm):
        rows, table = [], []
        for arm in ("transformer", "lstm_1"):
            for seed in range(4):
                rows.append(made.run("inside", arm, seed, 1.0))
                methods = {"attention_best_head": head, "occlusion": blind, "untrained": fresh,
                           "integrated_gradients": blind if arm == "transformer" else lstm}  # fmt: skip
                table += [
                    {"study": "inside", "run_id": rows[-1]["run_id"], "arm": arm, "method": m,
                     "score": "recall_at_1_right", "value": v + 0.01 * seed}
                    for m, v in methods.items()
                ]  # fmt: skip
        return made.evidence(rows, inside=table)

    assert ask("attention_shows", scores(0.9, 0.9, 0.05, 0.9), arm="transformer") == d.SUPPORTED
    assert ask("attention_shows", scores(0.4, 0.9, 0.05, 0.9), arm="transformer") == d.REFUTED
    given = {"dark": "lstm_1", "clear": "transformer"}
    assert ask("black_box", scores(0.9, 0.9, 0.05, 0.3), **given) == d.SUPPORTED
    assert ask("black_box", scores(0.9, 0.9, 0.05, 0.9), **given) == d.REFUTED
    assert ask("black_box", scores(0.9, 0.9, 0.95, 0.9), **given) == d.CLOSE
