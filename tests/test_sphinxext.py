"""The own roles and directives, where they can be tested without building a book."""

import ast

import pytest

from seqmix_study.book.sphinxext.api import public
from seqmix_study.book.sphinxext.code import address, modules
from seqmix_study.book.sphinxext.val import lookup
from seqmix_study.chapters import archive
from seqmix_study.results import published


@pytest.fixture
def results(tmp_path):
    rows = ["study,arm,seed,loss,note", "scaling,lstm,0,2.0,x", "scaling,lstm,1,3.0,y", "scaling,transformer,0,1.5,z"]
    published.write(tmp_path / "laptop", {"runs.csv": "\n".join(rows) + "\n"})
    return tmp_path


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("laptop/runs:arm=transformer:loss:.2f", "1.50"),
        ("laptop/runs:arm=lstm,seed=1:loss", "3.0"),
        ("laptop/runs:arm=lstm,seed=1:note", "y"),
        ("laptop/runs:arm=lstm:mean(loss):.3f", "2.500"),
        ("laptop/runs:arm=lstm:max(loss):.1f", "3.0"),
        ("laptop/runs::count()", "3"),
        ("laptop/runs:study=scaling:sum(loss):.1f", "6.5"),
    ],
)
def test_val_finds_one_number(results, key, text):
    assert lookup(results, key)[0] == text


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("laptop/runs:arm=lstm:loss", ValueError),  # two different values
        ("laptop/runs:arm=gru:loss", ValueError),  # none
        ("laptop/runs:arm=gru:mean(loss)", ValueError),
        ("laptop/runs:arm=lstm:perplexity", KeyError),
        ("laptop/runs:kind=lstm:loss", KeyError),
        ("gpu/runs:arm=lstm:loss", OSError),
        ("laptop/runs", ValueError),
        ("laptop/runs:arm=lstm:median(loss)", ValueError),
    ],
)
def test_val_refuses_what_is_not_one_number(results, key, error):
    with pytest.raises(error):
        lookup(results, key)


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
        named = {*archive.code(fields).values(), *archive.COMMON.values()}
        assert {f"seqmix.{module}" for module in named} <= set(known)
        for module in named:
            assert archive.page(module) == "../../" + address(f"seqmix.{module}")
