"""Tasks with known truth: groups are groups, boxes are simulated by hand, guessing lines are what guessers score."""

import itertools
import math

import numpy as np
import pytest

from seqmix import data
from seqmix.config import DataConfig
from seqmix.data import boxes, tracking
from seqmix.data.boxes import unbound_accuracy, unmoved_accuracy

PROBES = [*data.GROUPS, "boxes"]
SIZES = {"parity": 2, "sum_mod5": 5, "s3": 6, "a5": 60}


def source(name: str, seq_len: int = 66, **fields):
    return data.open_source(DataConfig(source=name, seq_len=seq_len, **fields))


def closure(generators: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """Return all products of some permutations."""
    found = frontier = set(generators)
    while frontier:
        frontier = {tuple(g[x] for x in p) for p in frontier for g in generators} - found
        found = found | frontier
    return found


@pytest.mark.parametrize("name", data.GROUPS)
def test_the_elements_form_the_group_that_is_meant(name):
    known, table = tracking.elements(name), tracking.table_of(name)
    size = SIZES[name]
    assert len(known) == len(set(known)) == size
    assert known[0] == tuple(range(len(known[0])))
    assert (table[0] == np.arange(size)).all()  # the identity changes nothing, before or after
    assert (table[:, 0] == np.arange(size)).all()
    assert (np.sort(table, 0) == np.arange(size)[:, None]).all()  # every element can be undone, from either side
    assert (np.sort(table, 1) == np.arange(size)).all()
    every = np.arange(size)
    left = table[table[every[:, None, None], every[:, None]], every]
    assert (left == table[every[:, None, None], table[every[:, None], every]]).all()  # associative
    commutes = bool((table == table.T).all())
    assert commutes == (name in ("parity", "sum_mod5"))
    made_of = {"s3": [(1, 0, 2), (1, 2, 0)], "a5": [(1, 2, 0, 3, 4), (0, 1, 3, 4, 2)]}
    if name in made_of:
        assert closure(made_of[name]) == set(known)


def test_a5_has_no_smaller_part_that_could_be_tracked_instead():
    """A5 equals its own commutators; those of S3 are half of it: its sign is the smaller task inside it."""
    for name, size in (("a5", 60), ("s3", 3)):
        known = tracking.elements(name)
        number = {p: i for i, p in enumerate(known)}
        inverse = [tuple(np.argsort(p)) for p in known]
        words = itertools.product(range(len(known)), repeat=2)
        table = tracking.table_of(name)
        back = [number[p] for p in inverse]
        commutators = {int(table[table[table[a, b], back[a]], back[b]]) for a, b in words}
        assert len(closure([known[i] for i in commutators])) == size


@pytest.mark.parametrize("name", data.GROUPS)
def test_targets_are_the_product_so_far(name):
    opened = source(name, seq_len=40)
    held_out = opened.evaluation(20)
    known = tracking.elements(name)
    for factors, products in zip(held_out.inputs, held_out.targets, strict=True):
        things = tuple(range(len(known[0])))  # where each thing is
        for factor, product in zip(factors, products, strict=True):
            things = tuple(known[factor][at] for at in things)
            assert known[product] == things
    assert (held_out.steps == np.arange(1, 41)).all()


def test_the_docstring_of_tracking_is_right():
    lines = [line.split() for line in tracking.__doc__.splitlines()]
    example = next(line for line in lines if "inputs" in line)
    at = example.index("targets")
    inputs, targets = ([int(word) for word in example[a : a + 4]] for a in (1, at + 1))
    state, said = 0, []
    for factor in inputs:
        state = int(tracking.table_of("s3")[state, factor])
        said.append(state)
    assert said == targets
    elements = next(line for line in lines if line and line[0] == "s3")[-6:]
    assert ["".join(map(str, p)) for p in tracking.elements("s3")] == elements


def test_parity_and_sums_are_arithmetic():
    for name, size in (("parity", 2), ("sum_mod5", 5)):
        held_out = source(name).evaluation(10)
        np.testing.assert_array_equal(held_out.targets, held_out.inputs.cumsum(1) % size)


@pytest.mark.parametrize("name", data.GROUPS)
def test_training_has_every_length_and_padding_is_not_scored(name):
    opened = source(name, seq_len=40)
    lengths = []
    for step in range(40):
        batch = opened.batch(step, 32, seed=0)
        scored = batch.targets != data.IGNORE
        assert (scored == (batch.inputs < SIZES[name])).all()
        assert (np.diff(scored.astype(int), axis=1) <= 0).all()  # padding stands at the end
        lengths.extend(scored.sum(1))
    counts = np.bincount(lengths, minlength=41)[3:]
    assert sum(counts) == len(lengths) == 1280
    assert counts.min() > 0
    assert np.mean(lengths) == pytest.approx(21.5, abs=1.2)
    with pytest.raises(data.CorpusError, match="raise seq_len 2"):
        source(name, seq_len=2)


def simulate(tokens: np.ndarray) -> list[tuple[int, int, int]]:
    """Read one sequence as a person would; return (position, swaps so far, box token) of every question."""
    pairs = list(itertools.combinations(range(5), 2))
    contents: list[set[int]] = [set() for _ in range(5)]
    asking, swaps, said, held = False, 0, [], None
    for position, token in enumerate(tokens):
        if token == boxes.PAD:
            break
        if token == boxes.ASK:
            asking = True
        elif boxes.BOX <= token < boxes.SWAP:
            contents[token - boxes.BOX].add(held)
        elif boxes.SWAP <= token < boxes.KEY:
            one, other = pairs[token - boxes.SWAP]
            contents[one], contents[other] = contents[other], contents[one]
            swaps += 1
        elif asking:
            said.append((position, swaps, boxes.BOX + next(b for b in range(5) if token in contents[b])))
        else:
            held = token
    assert (tokens[position + 1 :] == boxes.PAD).all() or position == len(tokens) - 1
    return said


@pytest.mark.parametrize(("keys", "swaps", "width"), [(16, 16, 66), (1, 3, 10), (3, 1, 12), (64, 2, 140)])
def test_boxes_agree_with_a_simulation(keys, swaps, width):
    opened = source("boxes", seq_len=width, keys_most=keys, swaps_most=swaps)
    held_out = opened.evaluation(50)
    loads = []
    for tokens, targets, steps, ages in zip(
        held_out.inputs, held_out.targets, held_out.steps, held_out.age, strict=True
    ):
        said = simulate(tokens)
        asked = np.flatnonzero(targets != data.IGNORE)
        assert said == [(int(at), int(steps[at]), int(targets[at])) for at in asked]
        assert [swaps_so_far for _, swaps_so_far, _ in said] == list(range(swaps + 1))
        assert (tokens[asked - ages[asked]] == tokens[asked]).all()
        start = int(np.flatnonzero(tokens == boxes.ASK)[0])
        assert len(set(tokens[0:start:2])) == start // 2  # keys differ
        loads.append(start // 2)
    assert set(loads) <= set(range(1, keys + 1))
    assert len(set(loads)) > keys / 3
    batch = opened.batch(5, 50, seed=1)
    for tokens, targets in zip(batch.inputs, batch.targets, strict=True):
        assert [box for _, _, box in simulate(tokens)] == targets[targets != data.IGNORE].tolist()


@pytest.mark.parametrize("keys", [2, 64])
def test_a_cell_of_the_map_has_its_load(keys):
    opened = source("boxes")
    cell = opened.cell(keys, 48, 70)
    assert cell.inputs.shape == (70, 2 * keys + 2 + 96)
    assert ((cell.inputs == boxes.ASK).argmax(1) == 2 * keys).all()
    assert ((cell.targets != data.IGNORE).sum(1) == 49).all()
    assert cell.inputs.max() < opened.vocab_size
    np.testing.assert_array_equal(cell.inputs[:10], opened.cell(keys, 48, 10).inputs)
    assert (cell.inputs != opened.cell(keys, 48, 70, "valid").inputs).any()
    assert [box for _, _, box in simulate(cell.inputs[3])] == cell.targets[3][cell.targets[3] != data.IGNORE].tolist()


def test_guessing_lines_are_what_guessers_score():
    """Fractions over simulated sequences: any box, the fullest box, the box of the beginning."""
    opened = source("boxes")
    for keys in (2, 8):
        cell = opened.cell(keys, 4, 3000)
        asked = cell.targets != data.IGNORE
        first = cell.inputs[:, 1 : 2 * keys : 2] - boxes.BOX
        largest = np.stack([(first == b).sum(1) for b in range(5)]).max(0)
        assert (largest / keys).mean() == pytest.approx(unbound_accuracy(keys), abs=0.012)
        rows, columns = np.nonzero(asked)
        put = cell.inputs[rows, columns - cell.age[rows, columns] + 1]
        right = put == cell.targets[asked]
        for swaps in range(5):
            now = cell.steps[asked] == swaps
            assert right[now].mean() == pytest.approx(unmoved_accuracy(swaps), abs=0.03)
        assert np.bincount(cell.targets[asked])[1:] / asked.sum() == pytest.approx([opened.chance] * 5, abs=0.02)


def test_guessing_lines_by_counting_every_case():
    for keys in (1, 2, 3, 5):
        cases = [np.bincount(put, minlength=5) for put in itertools.product(range(5), repeat=keys)]
        assert unbound_accuracy(keys) == pytest.approx(np.mean([case.max() for case in cases]) / keys)
    pairs = list(itertools.combinations(range(5), 2))
    for swaps in (0, 1, 2, 3):
        stays = 0
        for word in itertools.product(pairs, repeat=swaps):
            at = 0
            for one, other in word:
                at = other if at == one else one if at == other else at
            stays += at == 0
        assert unmoved_accuracy(swaps) == pytest.approx(stays / 10**swaps)
    assert 0.2 < unbound_accuracy(64) < unbound_accuracy(32) < unbound_accuracy(16)
    assert source("boxes").references == pytest.approx({"uniform": math.log(81), "chance": math.log(5), "bayes": 0})


def test_swaps_can_grow_during_training():
    opened = source("boxes", swaps_ramp=32)
    counts = [[len(simulate(row)) - 1 for row in opened.batch(step, 4, 0).inputs] for step in (0, 16, 31, 500)]
    assert counts == [[1] * 4, [9] * 4, [16] * 4, [16] * 4]
    assert (opened.evaluation(8).inputs == source("boxes").evaluation(8).inputs).all()


@pytest.mark.parametrize("name", [*PROBES, "mqar", "first_token"])
def test_training_checks_and_splits_are_different_streams(name):
    opened = source(name)
    parts = [
        opened.batch(0, 40, 0), opened.batch(1, 40, 0), opened.fresh(0, 40, 0), opened.fresh(1, 40, 0),
        opened.fresh(0, 40, 1), opened.evaluation(40), opened.evaluation(40, "test"),
    ]  # fmt: skip
    padding = SIZES.get(name, 0)
    rows = [row.tobytes() for part in parts for row in part.inputs if (row != padding).sum() > 30]  # short ones repeat
    assert len(rows) > 100
    assert len(set(rows)) == len(rows)
    again = source(name).fresh(1, 40, 0)
    np.testing.assert_array_equal(again.inputs, parts[3].inputs)


def test_languages_have_no_answers_to_check():
    with pytest.raises(data.CorpusError, match="target_accuracy"):
        source("almanac").fresh(0, 4, 0)


def test_boxes_need_room():
    with pytest.raises(data.CorpusError, match="seq_len >= 66"):
        source("boxes", seq_len=65)
