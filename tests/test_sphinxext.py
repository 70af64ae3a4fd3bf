"""The own roles and directives, where they can be tested without building a book."""

import ast

import pytest

from seqmix.paths import Paths
from seqmix_study.book.sphinxext.api import public
from seqmix_study.book.sphinxext.code import address, modules
from seqmix_study.book.sphinxext.roles import lookup
from seqmix_study.chapters import archive
from seqmix_study.results import published


@pytest.fixture
def paths(tmp_path):
    rows = ["study,arm,seed,loss,note", "scaling,lstm,0,2.0,x", "scaling,lstm,1,3.0,y", "scaling,transformer,0,1.5,z"]
    published.write(tmp_path / "results/laptop", {"runs.csv": "\n".join(rows) + "\n"})
    return Paths(tmp_path)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ('runs:arm == "transformer":loss.max:.2f', "1.50"),
        ('runs:arm == "lstm" and seed == 1:loss.max', "3.0"),
        ('runs:arm == "lstm":loss.mean:.3f', "2.500"),
        ("runs:seed < 2:arm.count", "3"),
        ('runs:study == "scaling":loss.sum:.1f', "6.5"),
    ],
)
def test_val_finds_one_number(paths, key, text):
    assert lookup(key, paths) == text


@pytest.mark.parametrize(
    "key",
    ['runs:arm == "gru":loss.mean', 'runs:arm == "lstm":perplexity.mean', 'runs:kind == "lstm":loss.mean', "runs",
     "speed:seed == 0:loss.mean", 'runs:arm == "lstm":loss.middle', 'runs:arm == "lstm":loss', "runs:arm =:loss.max"],
)  # fmt: skip
def test_val_refuses_what_is_not_one_number(paths, key):
    with pytest.raises((LookupError, ValueError)):
        lookup(key, paths)


def test_what_modules_offer_is_found_without_importing():
    offered = {file.stem: [node.name for node in public(ast.parse(file.read_text()))] for file in modules().values()}
    assert "RunConfig" in offered["config"]
    assert not [name for names in offered.values() for name in names if name.startswith("_")]
    assert sum(map(len, offered.values())) > 100


def test_every_module_that_a_run_consists_of_has_a_page_of_code():
    known = modules()
    run = {"model": {"pattern": "ADGL"}, "data": {"source": "almanac-12"}}
    classic = {"model": {"pattern": "L", "skeleton": "classic"}}
    recall = {"model": {"pattern": "A"}, "data": {"source": "mqar"}}
    for fields in (run, classic, recall, {"kind": "speed"}, {"kind": "speed", "mode": "document_3"}):
        named = {*archive.code(fields), *archive.COMMON.values()}
        assert {f"seqmix.{module}" for module in named} <= set(known)
        for module in named:
            assert archive.page(module) == "../../" + address(f"seqmix.{module}")
