"""Models in the page: the JavaScript that ships equals torch, files are sealed, and demonstrations can be used."""

import csv
import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from torch.nn import functional as F

from seqmix.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from seqmix.data.boxes import Boxes
from seqmix.mixers import MIXERS, mixer
from seqmix.models import build
from seqmix.record import RunFolder
from seqmix.train import train
from seqmix_study.book.formats import find_chromium
from seqmix_study.book.sphinxext import live, page_script
from seqmix_study.commands.export import command
from seqmix_study.findings import study
from seqmix_study.findings.fits.power import fit_power
from seqmix_study.results import published
from seqmix_study.results.columns import TABLES
from seqmix_study.runs import page_export, page_file

HERE = Path(__file__).parent
ROOT = HERE.parent
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    not NODE, reason="needs node (apt-get install nodejs): the pages' JavaScript runs in it"
)

MODELS = {
    "attention": {"pattern": "AA"},
    "attention-conv": {"pattern": "AA", "conv": "A", "rope": ""},
    "lstm-block": {"pattern": "LL", "conv": "L"},
    "lstm-classic": {"pattern": "LL", "skeleton": "classic"},
    "deltanet": {"pattern": "DD", "conv": "D", "beta_scale": 2.0},
    "gated-deltanet": {"pattern": "GG", "conv": "G"},
    "sliding-window": {"pattern": "SS", "conv": "S", "window": 7},
    "sliding-window-own-rope": {"pattern": "SA", "rope": "S", "window": 300},
    "mlstm": {"pattern": "MM", "conv": "M", "rope": "M"},
    "kda": {"pattern": "KK", "conv": "K", "beta_scale": 2.0},
    "linear-attention": {"pattern": "NN", "rope": "N"},
    "linear-attention-gated": {"pattern": "NN", "key_width": "half", "output_gate": "on"},
    "scalar-decay": {"pattern": "RR", "conv": "R"},
    "gla": {"pattern": "VV", "output_gate": "off", "rope": "V"},
    "everything": {"pattern": "DLAGSMKNRV", "conv": "DLAGK", "rope": "ADG", "norm": "post", "tie_embeddings": False,
                   "learned_positions": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("script") / "live.js"
    path.write_text(page_script.script(), encoding="utf-8")
    return path


def node(*arguments, given: object = None) -> list[str]:
    done = subprocess.run([NODE, *map(str, arguments)], input=json.dumps(given), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def call(script: Path, *calls) -> list:
    return json.loads(node(HERE / "page_functions.js", script, given=calls)[0])


def trained(seed: int = 1, **settings) -> torch.nn.Module:
    """A model whose weights are far from their start: a few large steps on one batch."""
    model = build(ModelConfig(d_model=32, n_heads=2, vocab_size=256, **settings), seed=seed)
    tokens = torch.randint(256, (4, 33), generator=torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-2)
    for _ in range(6):
        optimiser.zero_grad()
        F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimiser.step()
    return model


def test_page_equals_torch_for_every_mixer_and_format(script, tmp_path):
    """Logits within 1e-4 and losses, read at once or token by token with a copied state; torch's are in the file."""
    files = []
    for name, settings in MODELS.items():
        for form in page_export.FORMATS if name in ("everything", "lstm-classic") else ("",):
            files.append(tmp_path / f"{name}-{form}.json")
            page_file.write(files[-1], page_export.page_model(trained(**settings), form))
    for file, line in zip(files, node(HERE / "page_vectors.js", script, *files), strict=True):
        said, check = json.loads(line), page_file.read(file)["check"]
        assert np.abs(np.subtract(said["logits"], check["logits"])).max() < 1e-4, file.stem
        assert np.abs(np.subtract(said["losses"], check["losses"])).max() < 1e-4, file.stem
        assert said["tokensPerSecond"] > 30


def test_a_mixer_without_javascript_is_refused_with_what_to_write(monkeypatch):
    """The other way round, every mixer of the package has its module in the page."""
    for letter in MIXERS:
        assert page_export.mixers(ModelConfig(pattern=letter, n_heads=2))[letter]["module"] in page_script.RUNTIME
    monkeypatch.setitem(MIXERS, "D", replace(mixer("D"), module="elsewhere.gru:GRU"))
    with pytest.raises(ValueError, match=r"no step in JavaScript: write .*gru\.js"):
        page_export.mixers(ModelConfig(pattern="D"))


@pytest.mark.parametrize("file", sorted((ROOT / "results").glob("*/models/*.json")), ids=lambda file: file.stem)
def test_every_published_model_answers_as_torch_does(script, file):
    model = page_file.read(file)
    with (file.parents[1] / "runs.csv").open(encoding="utf-8", newline="") as handle:
        runs = {row["run_id"]: float(row["loss"] or "nan") for row in csv.DictReader(handle)}
    assert runs[model["about"]["run_id"]] == pytest.approx(model["about"]["loss"], rel=1e-4)
    said = json.loads(node(HERE / "page_vectors.js", script, file)[0])
    assert np.abs(np.subtract(said["logits"], model["check"]["logits"])).max() < 1e-4
    assert np.abs(np.subtract(said["losses"], model["check"]["losses"])).max() < 1e-4
    assert model["check"]["rounding"] <= page_export.TOLERANCE or model["format"] == "int8"


def test_a_readers_text_costs_what_torch_says(script):
    """300 bytes, letters of two bytes among them, against the run's own weights: within 1e-3 for each token."""
    text = ("Der Schlüssel liegt unter der Matte – sagt sie. " * 8).encode()[:300].decode(errors="ignore")
    for settings in (MODELS["attention-conv"], MODELS["lstm-classic"], {"pattern": "DAL", "conv": "D"}):
        model = trained(**settings)
        exported = page_export.page_model(model)
        assert exported["check"]["rounding"] <= page_export.TOLERANCE
        pieces = call(script, ["encode", text, None])[0]
        assert bytes(pieces["tokens"]) == text.encode()
        losses = exact(model, pieces["tokens"])
        code = "const p = require(process.argv[1]), [e, t] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        code += "console.log(JSON.stringify([...p.losses(p.buildModel(e), t)].at(-1)))"
        said = json.loads(node("-e", code, script, given=[exported, pieces["tokens"]])[0])
        assert np.abs(np.subtract(said, losses)).max() < 1e-3


@torch.no_grad()
def exact(model: torch.nn.Module, tokens: list[int]) -> np.ndarray:
    row = torch.tensor(tokens)
    return F.cross_entropy(model(row[None])[0][:-1], row[1:], reduction="none").numpy()


def test_formats_round_as_they_say():
    weight = torch.randn(7, 33, generator=torch.Generator().manual_seed(0))
    for form, size in page_export.FORMATS.items():
        content, numbers = page_export.packed(weight, form)
        assert len(content) == weight.numel() * size + 4 * 7
        step = weight.abs().max(1, keepdim=True).values / (2 ** (8 * size - 1) - 1)
        assert ((numbers - weight).abs() <= 0.51 * step + 1e-6 * weight.abs()).all(), form
    assert not page_export.packed(torch.zeros(2, 3), "int8")[1].any()


def test_a_changed_file_is_refused(tmp_path):
    model = build(ModelConfig(pattern="A", d_model=16, n_heads=1, vocab_size=8))
    file = tmp_path / "small.json"
    page_file.write(file, page_export.page_model(model, words=[f"w{n}" for n in range(8)]))
    text = file.read_text()
    assert page_file.read(file)["words"][3] == "w3"
    for damaged in (text.replace('"w3"', '"w4"'), text[: len(text) // 2], "[]", text.replace("seal", "sale")):
        file.write_text(damaged)
        with pytest.raises(page_file.PageModelError, match="seqmix export --page"):
            page_file.read(file)
    with pytest.raises(ValueError, match="a page takes"):
        page_export.page_model(build(ModelConfig(pattern="AAA", d_model=192, n_heads=4)), "int24")


def test_a_finished_run_becomes_a_file_by_command(tmp_path):
    """The record's seal is checked to the weights' last bit; what travels says which run it was."""
    model = ModelConfig(pattern="L", skeleton="classic", d_model=16, vocab_size=56)
    data = DataConfig(source="almanac-12", seq_len=32)
    config = RunConfig(arm="lstm_1", model=model, data=data, train=TrainConfig(steps=2, batch_size=2, eval_sequences=2))
    run, file = RunFolder(tmp_path / config.run_id), tmp_path / "models" / "small.json"
    train(config, run, device="cpu")
    assert CliRunner().invoke(command, [str(run.path), str(file), "--page"]).exit_code == 0
    exported = page_file.read(file)
    assert exported["about"]["run_id"] == config.run_id
    assert exported["about"]["loss"] == run.metrics()["loss"]
    assert exported["words"][0] == "s0"
    content = bytearray(run.weights.read_bytes())
    content[len(content) // 2] ^= 1
    run.weights.write_bytes(bytes(content))
    for source, message, code in ((run.path, "checksum differs", 1), (tmp_path, "no run folder", 2)):
        said = CliRunner().invoke(command, [str(source), str(file), "--page"])
        assert said.exit_code == code
        assert message in said.output


def test_words_of_a_synthetic_language_are_its_tokens():
    words = page_export.words_of(DataConfig(source="almanac-12"), 56)
    assert words[:2] == ["s0", "s1"]
    assert words[-1] == "v7"
    assert len(words) == 16 + 8 + 8 + 16 + 8
    assert len(page_export.words_of(DataConfig(source="boxes"), 81)) == 81
    assert page_export.words_of(DataConfig(source="first_token"), 3) == ["t0", "t1", "t2"]
    assert page_export.words_of(DataConfig(source="stdlib"), 256) is None


def test_losses_fall_to_the_right_letters(script):
    """The loss of a letter of two bytes is the sum of both; the first letter's first byte has none."""
    pieces = call(script, ["encode", "aüb", None])[0]["pieces"]
    assert call(script, ["perPiece", pieces, [1, 2, 4]])[0] == [None, 3, 4]
    assert call(script, ["perToken", pieces, [None, 3, 4]])[0] == pytest.approx(7 / 3)  # nats a byte: ü has two
    smile = call(script, ["encode", "🙂a", None])[0]["pieces"]
    assert call(script, ["perPiece", smile, [1, 2, 3, 4]])[0] == [None, 4]
    letters = call(script, ["encode", "ab_1 (c)", None])[0]["pieces"]
    assert call(script, ["wordsOf", letters])[0] == [[0, 1, 2, 3], [4], [5], [6], [7]]
    named = call(script, ["encode", "k1 v0. k0", ["k0", "k1", "v0"]])[0]
    assert named["tokens"] == [1, 2, 0]
    text = "One. Two words? \n\ndef f(x):\n    return x.y\n"
    parts = call(script, ["sentences", text])[0]
    assert "".join(parts) == text
    assert len(parts) == 4


def test_scenes_of_boxes_are_those_of_training(script):
    words = page_export.words_of(DataConfig(source="boxes"), 81)
    wanted = {"keys": 6, "swaps": 9, "seed": 3}
    more = ({}, {}, {"swaps": 12}, {"backwards": True})
    scene, same, longer, back = call(script, *(["makeScene", words, wanted | one] for one in more))
    assert scene == same
    assert longer["swaps"][:9] == scene["swaps"] == back["swaps"][::-1]
    assert len(set(scene["keys"])) == 6
    # A scene of the generator, told by the page: the same tokens but for the keys that are asked, the same answer.
    drawn = Boxes.open(66).cell(keys=6, swaps=9, n=8)
    for inputs, targets in zip(drawn.inputs, drawn.targets, strict=True):
        names = [words[token] for token in inputs]
        keys, homes = ([int(name[1:]) for name in names[start:12:2]] for start in (0, 1))
        swaps = [[int(digit) for digit in name[1:]] for name in names[14::2]]
        told, now = (call(script, [f, *given])[0] for f, given in (
            ("sceneTokens", [words, {"keys": keys, "homes": homes, "swaps": swaps}]),
            ("whereNow", [{"homes": homes, "swaps": swaps}]),
        ))  # fmt: skip
        asked = list(range(13, len(inputs), 2))
        assert [*np.delete(told, asked[:-1])] == [*np.delete(inputs, asked)]
        assert now[keys.index(int(names[-1][1:]))] == int(words[targets[-1]][1:])


def test_another_scene_is_another_scene(script):
    """Neighbouring seeds share no dice: first keys and first swaps are as different as draws are."""
    words = page_export.words_of(DataConfig(source="boxes"), 81)
    scenes = call(script, *(["makeScene", words, {"keys": 3, "swaps": 2, "seed": seed}] for seed in range(200)))
    for drawn, kinds in (
        ([scene["keys"][0] for scene in scenes], 64),
        ([tuple(scene["swaps"][0]) for scene in scenes], 10),
    ):
        assert len(set(drawn)) > 0.8 * kinds
        repeated = np.mean([one == following for one, following in itertools.pairwise(drawn)])
        assert repeated < 3 / kinds + 0.05


def test_a_model_that_cannot_answer_is_named_and_the_others_answer(script):
    """Whoever comes first: answers are told in the order of the models, faults beside them."""
    code = """
    const { askAll } = require(process.argv[1]), told = [];
    const one = (name) => new Promise((go, stop) =>
      setTimeout(() => (name === "b" ? stop(new Error("b is gone")) : go(name + "!")), { a: 30, b: 5, c: 10 }[name]));
    const tell = (answers, faults, more) => told.push([answers.map(({ answer }) => answer), faults, more]);
    askAll(["a", "b", "c"], one, tell).then(() => console.log(JSON.stringify(told)));
    """
    done = subprocess.run(["node", "-e", code, str(script)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[["a!", "c!"], ["b is gone"], False]]


def test_stacks_change_to_published_ones_only(script):
    stacks = ["DDD", "DDA", "DAA", "AAA"]
    assert call(script, ["nearest", stacks, "DDD", 2, "A"], ["nearest", stacks, "DDD", 0, "A"]) == ["DDA", "AAA"]
    assert call(script, ["nearest", stacks, "DDD", 1, "L"]) == [None]
    labels = {"D": "DeltaNet", "A": "Attention"}
    assert call(script, ["described", "DDDDAD", labels])[0] == "4 DeltaNet, 1 Attention, 1 DeltaNet"
    assert call(script, ["described", "AA", labels, "A"])[0] == "2 Attention with convolution"


def test_a_shared_address_is_read_and_a_broken_one_does_no_harm(script):
    """Whatever stands in a link: numbers stay within their bounds, points are a ladder, the rest is as if not there."""
    assert call(script, ["stateOf", "#a~guess=1&points=6~2_9~1", "a"])[0] == {"guess": "1", "points": "6~2_9~1"}
    assert call(script, ["stateOf", "#a~", "a"], ["stateOf", "#ab~x=1", "a"], ["stateOf", "#a", "a"]) == [
        {},
        None,
        None,
    ]
    texts = ["12", "1000000000", "0", "-3", "1e9", "x", "", None]
    assert call(script, *(["whole", text, 8, 1, 48] for text in texts)) == [12, 48, 1, 8, 8, 8, 8, 8]
    assert call(script, ["pointsOf", "6000~2.1_15000~1.9"])[0] == [[6000, 2.1], [15000, 1.9]]
    broken = [
        "",
        None,
        "x",
        "6000~2",
        "6000~2_5000~1",
        "6000~2_6000~1",
        "6000~0_9000~1",
        "6000~2_9000~",
        "0~2_1~Infinity",
    ]
    assert call(script, *(["pointsOf", text] for text in broken)) == [None] * len(broken)
    assert call(script, ["pointsOf", "_".join(f"{n}~1" for n in range(1, 40))]) == [None]


def test_every_row_of_the_losses_has_a_name(script):
    """What leaves no ink has a sign, or its number."""
    pieces = ["a", "é", "🎉", "(", " ", "\n", "\t", "\u200b", "\x00"]
    said = call(script, *(["seen", piece] for piece in pieces))
    assert said == ["a", "é", "🎉", "(", "␣", "↵", "U+0009", "U+200B", "U+0000"]


def test_the_pages_fit_doctor_agrees_with_the_real_one(script):
    """Planted laws, straight lines and bends with noise: the same verdict, exponent and interval on every table."""
    rng = np.random.default_rng(0)
    tables = []
    for kind in range(48):
        k = int(rng.integers(4, 10))
        sizes = np.round(np.geomspace(5e3, 5e3 * 10 ** rng.uniform(1.2, 3), k))
        floor, alpha, spread = rng.uniform(0.5, 2) * (kind % 8 > 0), rng.uniform(0.05, 0.6), rng.choice([0.002, 0.01])
        law = floor + rng.uniform(0.5, 2) * (sizes / 5e3) ** -alpha
        line = 3 - rng.uniform(-0.02, 0.2) * np.log(sizes / 5e3)
        losses = (law if kind % 3 else line) + rng.normal(0, 0.6 * spread, k)
        tables.append((sizes, losses, float(spread)))
    said = call(script, *(["fitLadder", list(n), list(y), 3, spread] for n, y, spread in tables))
    sizes, losses, _ = tables[0]
    assert call(script, ["fitLadder", list(sizes), list(losses), 3, 0])[0]["status"] == "refused"  # copies of one run
    seen = set()
    for (sizes, losses, spread), page in zip(tables, said, strict=True):
        rows = (losses[:, None] + np.array([-spread, 0, spread])).ravel()
        fit = fit_power(np.repeat(sizes, 3), rows, n_boot=300)
        assert page["status"] == fit.verdict, (page, fit.reasons)
        assert bool(page["reasons"]) == bool(fit.reasons)
        if fit.verdict == "ok":
            assert page["values"]["alpha"] == pytest.approx(fit.estimates["alpha"], rel=1e-5)
            assert page["alpha"] == pytest.approx(fit.intervals["alpha"], rel=1e-3)
        seen.add(fit.verdict)
    assert seen == {"ok", "slope_only", "refused"}


def test_speeds_are_the_published_rows_turned_over():
    """Tokens a second with the row's own interval; other questions' rows are left out."""
    rows = study.rows("laptop")
    said, row = live.speeds(rows), rows.loc["time_a_token/decode/2048/1/1/cpu/float32/lstm_2"]
    assert len(said) == (rows["id"] == "time_a_token").sum()
    where = "writing, one token after another: cpu, 1 thread, float32, batch 1"
    (one,) = (x for x in said if (x["regime"], x["length"], x["label"]) == (where, 2048, "LSTM, 2 layers"))
    assert one["low"] <= one["speed"] <= one["high"]
    assert [1e6 / one[end] for end in ("speed", "high", "low")] == pytest.approx(
        [row.estimate, row.lo, row.hi], rel=1e-3
    )


def test_a_model_that_is_not_published_leaves_the_finding(tmp_path):
    pytest.importorskip("myst_parser")
    from sphinx.cmd.build import main

    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'seqmix_study.book.sphinxext']\n")
    options = ":id: x\n:models: later\n:question: q\n:guesses: a"
    (tmp_path / "index.md").write_text(f"# T\n\n```{{live}} context\n{options}\n\nFound.\n```\n")
    assert main(["-q", "-W", str(tmp_path), str(tmp_path / "html")]) == 0
    text = (tmp_path / "html" / "index.html").read_text()
    assert "<p>Found.</p>" in text
    assert "data-kind" not in text


def test_announced_models_are_chosen_by_columns_that_there_are():
    names = set(TABLES["runs"])
    announced = yaml.safe_load((ROOT / "book" / "models.yaml").read_text())
    assert all(set(wanted) <= names for wanted in announced.values())
    used = re.findall(r"^:models: (.+)$", "\n".join(f.read_text() for f in (ROOT / "notebooks").glob("*.md")), re.M)
    assert {name for line in used for name in line.split()} <= set(announced)
    assert used
    for line in used:
        files = [ROOT / f"results/laptop/models/{name}.json" for name in line.split()]
        assert sum(file.stat().st_size for file in files) <= page_file.LARGEST_PAGE, line


def test_a_published_model_is_the_one_run_that_fits():
    place = importlib.util.spec_from_file_location("page_models", ROOT / "tools" / "page_models.py")
    place.loader.exec_module(tool := importlib.util.module_from_spec(place))
    row = {"run_id": "a", "status": "finished", "role": "evidence", "arm": "lstm_1", "seed": "0"}
    rows = [row, row | {"run_id": "b", "role": "sweep"}, row | {"run_id": "c", "status": "failed"}]
    assert tool.the_run(rows, {"arm": "lstm_1", "seed": 0}) == "a"
    for more, wanted in ([], {"arm": "gru"}), ([row | {"run_id": "d"}], {"arm": "lstm_1"}):
        with pytest.raises(ValueError, match="one is needed"):
            tool.the_run(rows + more, wanted)


BOOK = """# A book

```{live} context
:id: ask-context
:models: lstm transformer
:question: Who <notices>?
:guesses: LSTM | Transformer
:text: One fact. Two facts. One fact.

The study **found** it.
```

```{live} hybrids
:id: ask-hybrids
:models: lstm transformer
:question: Which stack?
:guesses: LSTM | Transformer
:text: One fact.

Another finding.
```

```{live} boxes
:id: ask-boxes
:models: boxes
:question: Who knows?
:guesses: LSTM | Transformer

The map of Boxes.
```

```{live} scaling
:id: ask-scaling
:question: Is there a law?
:guesses: yes | no

The ladder.
```

```{live} speed
:id: ask-speed
:question: Who is fastest?
:guesses: LSTM | Transformer

The timings.
```
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A page with every demonstration, built by Sphinx."""
    pytest.importorskip("myst_parser")
    from sphinx.cmd.build import main

    source = tmp_path_factory.mktemp("book")
    models = page_file.folder(source / "results")
    for name, pattern in (("lstm", "LL"), ("transformer", "AA")):
        exported = page_export.page_model(trained(pattern=pattern), arm=name, loss=1.0)
        page_file.write(models / f"{name}.json", exported)
    words = page_export.words_of(DataConfig(source="boxes"), 81)
    small = build(ModelConfig(pattern="D", d_model=16, n_heads=1, vocab_size=len(words)))
    page_file.write(models / "boxes.json", page_export.page_model(small, words=words, arm="deltanet", loss=1.0))
    published.write(models.parent, {"findings.csv": (ROOT / "results/laptop/findings.csv").read_text(encoding="utf-8")})
    shutil.copytree(ROOT / "book/static", source / "_static")
    settings = "html_css_files = ['live.css']\nhtml_static_path = ['_static']\nexclude_patterns = ['results']\n"
    (source / "conf.py").write_text(
        f"extensions = ['myst_parser', 'seqmix_study.book.sphinxext']\nhtml_theme = 'alabaster'\n{settings}"
    )
    (source / "index.md").write_text(BOOK)
    assert main(["-q", "-W", "-n", str(source), str(source / "html")]) == 0
    return source / "html" / "index.html"


def test_a_model_lies_in_a_page_once_and_markup_stays_text(page):
    text = page.read_text(encoding="utf-8")
    assert text.count('src="_static/live.js') == 1
    assert 'data-models="lstm transformer lstm boxes  "' in text  # what the first answers need; each is loaded once
    assert "_static/models" not in text
    assert "live.js" not in (page.parent / "search.html").read_text(encoding="utf-8")
    assert "<notices>" not in text
    assert len(text) < page_file.LARGEST_PAGE
    assert text.count('class="live-finding docutils container"') == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (":question: q\n:guesses: a", "models must be given"),
        (":models: lstm\n:guesses: a", "question must be given"),
    ],
)
def test_a_demonstration_without_its_parts_fails_the_build(tmp_path, capfd, options, message):
    pytest.importorskip("myst_parser")
    from sphinx.cmd.build import main

    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'seqmix_study.book.sphinxext']\n")
    (tmp_path / "index.md").write_text(f"# T\n\n```{{live}} context\n:id: x\n{options}\n\nFound.\n```\n")
    assert main(["-q", "-W", str(tmp_path), str(tmp_path / "html")]) != 0
    assert message in capfd.readouterr().err


@pytest.mark.slow
def test_every_demonstration_works_by_keyboard_without_network(page):
    """Guess, answer, finding, address and axe, from file:// in Chromium; the phone has no workers."""
    tools = Path(os.environ.get("SEQMIX_CRAWL_TOOLS", ROOT / ".cache" / "crawl")) / "node_modules"
    chromium = find_chromium()
    if not chromium or not (tools / "axe-core").is_dir():
        pytest.skip("needs Chromium and the tools that `make crawl` installs (playwright-core, axe-core)")
    environment = os.environ | {"NODE_PATH": str(tools)}
    command = [NODE, HERE / "page_demonstrations.js", chromium, page]
    done = subprocess.run(list(map(str, command)), env=environment, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    plain, *seen = map(json.loads, done.stdout.splitlines())
    assert plain == {"static": 5, "seen": 5}  # without JavaScript every finding is there to read
    kinds = ("context", "hybrids", "boxes", "scaling", "speed")
    assert [one["id"] for one in seen] == 2 * [f"ask-{kind}" for kind in kinds]
    for one in seen:
        assert one["hidden"], one
        assert one["shown"], one
        assert one["same"], one
        assert one["focused"], one
        assert not one["outside"] + one["errors"] + one["violations"], one
        assert not one["wide"], one
        assert one["shared"].startswith(f"#{one['id']}~guess=1"), one
    assert [one["workers"] for one in seen] == [1] * 5 + [0] * 5  # one for all; it starts before anybody asks
