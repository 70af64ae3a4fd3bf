"""Tables as they come: never a traceback, never a shifted column, and what was converted is said."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from seqmix_study.__main__ import main
from seqmix_study.chapters.fit_page import figure, plot
from seqmix_study.findings.fits import TableError, fit_frame, read_table
from seqmix_study.findings.fits.table import numbers


def run(path, *arguments):
    return CliRunner().invoke(main, ["fit", str(path), *arguments])


def rows(count=7, seeds=3):
    rng = np.random.default_rng(0)
    n = np.repeat(np.geomspace(1e4, 1e6, count), seeds).round()
    return n, 1.7 + (n / 1e4) ** -0.3 + 0.003 * rng.standard_normal(len(n))


def text_of(separator=",", end="", header="N{0}loss", number=str):
    n, loss = rows()
    lines = [header.format(separator) + end]
    return "\n".join(
        lines + [f"{int(a)}{separator}{number(round(float(b), 6))}{end}" for a, b in zip(n, loss, strict=True)]
    )


READABLE = {
    "comma": text_of(),
    "trailing comma": text_of(end=","),
    "trailing comma in rows only": text_of(end=",").replace("N,loss,", "N,loss", 1),
    "semicolon": text_of(";"),
    "decimal comma": text_of(";", number=lambda v: str(v).replace(".", ",")),
    "tab": text_of("\t"),
    "bar": text_of("|"),
    "blanks": text_of("   "),
    "byte order mark": "\ufeff" + text_of(),
    "two byte order marks": "\ufeff\ufeff" + text_of(),
    "windows lines": text_of().replace("\n", "\r\n"),
    "comments": "# a table\n\n" + text_of(),
    "empty lines": text_of().replace("\n", "\n\n"),
    "rows of separators": text_of() + "\n,,\n,\n",
    "quoted": text_of(header='"N"{0}"loss"'),
    "blanks around": text_of(" , "),
    "third column": "\n".join(f"{line},{'note' if i == 0 else 'x'}" for i, line in enumerate(text_of().split("\n"))),
}


@pytest.mark.parametrize("name", READABLE)
def test_readable_tables_give_one_answer(tmp_path, name):
    path = tmp_path / "table.csv"
    path.write_text(READABLE[name], encoding="utf-8", newline="")
    result = run(path, "--n", "N", "--loss", "loss", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["groups"]["all"]["estimates"]["alpha"] == pytest.approx(0.3, abs=0.03)


GOOD = text_of()
HEAD, *BODY = GOOD.split("\n")
PERPLEXITIES = "N,loss\n" + "\n".join(f"{n:g},{np.exp(4 + 3 * n**-0.1):g}" for n in rows()[0])
REFUSED = {
    "a cell too many": (GOOD.replace("10000,", "10000,7,", 1), ["line 2", "3 cells"]),
    "a cell too few": (GOOD + "\n5e6", ["1 cells"]),
    "index without a name": ("\n".join([HEAD, *(f"{i},{row}" for i, row in enumerate(BODY))]), ["3 cells"]),
    "thousands in the cells": (GOOD.replace("10000,", "10,000,", 1), ["line 2"]),
    "quoted thousands": (GOOD.replace("10000,", '"10,000",', 1), ["ambiguous"]),
    "open quote": (GOOD.replace("10000,", '"10000,', 1), ["quotation"]),
    "words": (GOOD.replace("10000,", "ten,", 1), ["'ten'", "line 2", "not numeric"]),
    "empty cell": (GOOD.replace("10000,", ",", 1), ["an empty cell", "line 2", "leave their rows out"]),
    "nan": (GOOD + "\n5000000,nan", ["'nan'", "not numeric", "leave their rows out"]),
    "infinite": (GOOD + "\n5000000,inf", ["'inf'"]),
    "zero": (GOOD + "\n0,2", ["not positive"]),
    "negative": (GOOD + "\n-5,2", ["not positive"]),
    "header again": (GOOD + "\nN,loss", ["'N'", "not numeric"]),
    "index under the last comma of the header": (
        "\n".join([f"{HEAD},", *(f"{i},{row}" for i, row in enumerate(BODY, start=1))]),
        ["last column has cells and no name"],
    ),
    "four hundred digits": (GOOD.replace("10000,", f"{'1' * 400},", 1), [f"'{'1' * 60}' in line 2"]),
    "printed with an index, a name of two words": (
        "      N  val loss\n" + "\n".join(f"{i}  {row.replace(',', '  ')}" for i, row in enumerate(BODY, start=1)),
        ["without a name"],
    ),
    "a mark in one row and its twin rows below": (
        "\n".join(["N,loss,note", *(f"{row},{chr(34) if i in (2, 6) else 'x'}" for i, row in enumerate(BODY))]),
        ["lines 4 to 8", "a quoted cell"],
    ),
    "a number too many before an empty note": (
        "\n".join(["N,loss,note", *(f"{row}," for row in BODY), "20000,1e6,2.7"]),
        ["losses up to 1e+06 are no nats"],
    ),
    "no header": ("\n".join(GOOD.split("\n")[1:]), ["header"]),
    "two columns of one name": (GOOD.replace("N,loss", "N,N", 1), ["columns named 'N'"], "--loss", "N"),
    "mixed units": (GOOD.replace("10000,", "0.01,", 1), ["mixed units"]),
    "perplexities without a name": (PERPLEXITIES, ["perplexities"]),
    "empty": ("", ["empty"]),
    "header only": ("N,loss\n", ["empty"]),
    "only comments": ("# nothing\n", ["empty"]),
    "one column": ("N\n1\n2\n", ["no column 'loss'"]),
    "wrong names": ("a,b\n1,2\n", ["known columns: a, b"]),
    "binary": ("N,loss\n1,\x00\n", ["zero bytes"]),
    "zip": ("PK\x03\x04", ["Excel"]),
    "json": ('{"N": [1, 2], "loss": [3, 2]}', ["this is JSON"]),
    "json of records": ('\n [\n  {"N": 1, "loss": 3},\n  {"N": 2, "loss": 2}\n]\n', ["this is JSON"]),
    "json lines": ('\ufeff{"N": 1, "loss": 3}\n{"N": 2, "loss": 2}\n', ["this is JSON"]),
    "html": ("<html><body>not a table</body></html>", ["this is HTML or XML"]),
    "html of several lines": ("\n\n<!DOCTYPE html>\n<table>\n<tr><td>N</td></tr>\n</table>", ["this is HTML or XML"]),
    "latex": ("\\begin{tabular}{rr}\nN & loss \\\\\n1 & 2 \\\\\n\\end{tabular}", ["this is LaTeX"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_tables_exit_2_and_say_why(tmp_path, name):
    text, words, *more = REFUSED[name]
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    arguments = more or ["--loss", "loss"]
    result = run(path, "--n", "N", *arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert all(word in result.output for word in words), result.output


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"N,loss\n1,\xff\xfe\xfa\n")
    assert run(path, "--n", "N", "--loss", "loss").exit_code == 2
    path.write_bytes(GOOD.encode("utf-16"))
    assert run(path, "--n", "N", "--loss", "loss").exit_code == 0
    assert run(tmp_path, "--n", "N", "--loss", "loss").exit_code == 2


def test_lines_that_were_left_out_are_named(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("# runs\n" + "\n".join([HEAD, *(f"#{row}" if i == 3 else row for i, row in enumerate(BODY))]))
    result = run(path, "--n", "N", "--loss", "loss")
    assert "lines that start with # were left out: 6" in result.output
    path.write_text(GOOD)
    assert "left out" not in run(path, "--n", "N", "--loss", "loss").output


def test_what_has_no_size_is_not_read_for_ever(tmp_path):
    """A device gives zeros without end; a quoted cell of two lines that holds no separator is a cell."""
    assert "this is more" in run("/dev/zero", "--n", "N", "--loss", "loss").output
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["N,loss,note", *(f'{row},"two\nlines"' for row in BODY)]))
    assert len(read_table(path)) == len(BODY)


def test_swapped_columns_of_optima_are_asked_for():
    c = np.geomspace(1e18, 1e21, 7)
    n = 0.1 * c**0.5 * np.exp(0.02 * np.cos(np.arange(7) ** 2))
    table = frame(C=c, N=n, falls=1e18 / n)
    assert fit_frame(table, n="N", flops="C")["all"].verdict == "ok"
    for names in (("C", "N"), ("falls", "C")):
        fit = fit_frame(table, n=names[0], flops=names[1])["all"]
        assert fit.verdict == "refused"
        assert any("swapped" in reason for reason in fit.reasons)


def frame(**columns):
    return pd.DataFrame({name: [str(v) for v in values] for name, values in columns.items()})


def test_perplexity_and_bits_are_converted_by_name():
    n, loss = rows()
    nats = fit_frame(frame(N=n, loss=loss), n="N", loss="loss")["all"]
    ppl = fit_frame(frame(N=n, val_ppl=np.exp(loss)), n="N", loss="val_ppl")["all"]
    bits = fit_frame(frame(N=n, bpb=loss / np.log(2)), n="N", loss="bpb")["all"]
    for fit in (ppl, bits):
        assert fit.estimates["alpha"] == pytest.approx(nats.estimates["alpha"], abs=1e-6)
        assert any("perplexity" in note or "bits" in note for note in fit.notes)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("loss_8bit", 1), ("8_bit_loss", 1), ("log_loss", 1), ("bits_per_byte", np.log(2)), ("log2_ppl", np.log(2)),
     ("log_ppl", 1), ("ln perplexity", 1), ("logppl", 1), ("log10(ppl)", np.log(10))],
)  # fmt: skip
def test_a_name_converts_what_it_says_and_nothing_else(name, factor):
    values, notes = numbers(frame(**{name: [3.0, 2.5]}), name, "loss")
    assert values == pytest.approx(factor * np.array([3.0, 2.5]))
    assert bool(notes) == ("ppl" in name or "perplexity" in name or "bits" in name)


def test_absurd_units_are_refused():
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 9, 60), 10 ** rng.uniform(9, 11, 60)
    loss, c = 1.7 + 400 * n**-0.34 + 400 * d**-0.28, 6 * n * d
    whole = {"N": n, "D": d, "C": c, "loss": loss}
    options = {"n": "N", "loss": "loss", "n_boot": 0}
    for wrong, words, flops in (
        ({"C": c / 8.64e19}, "are no numbers of tokens", {"flops": "C"}),
        ({"N": n / 1e9}, "are no numbers of parameters", {"flops": "C"}),
        ({"D": d / 1e12}, "are no numbers of tokens", {"d": "D"}),
        ({"C": c / 1e9}, "times 6 N D", {"d": "D", "flops": "C"}),
    ):
        with pytest.raises(TableError, match=words):
            fit_frame(frame(**whole | wrong), **options, **flops)
    logs = frame(log10_N=np.log10(n), D=d, loss=loss)
    with pytest.raises(TableError, match="is a logarithm by its name"):
        fit_frame(logs, n="log10_N", d="D", loss="loss")


def test_sizes_and_tokens_that_were_swapped_are_asked_for():
    n, d = (v.ravel() for v in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 5)))
    table = frame(N=n, D=d, loss=1.7 + 400 * n**-0.34 + 400 * d**-0.28)
    for names, asked in ((("N", "D"), False), (("D", "N"), True)):
        fit = fit_frame(table, n=names[0], d=names[1], loss="loss", n_boot=0)["all"]
        assert any("swapped" in note for note in fit.notes) is asked


def test_a_large_table_of_optima_is_drawn_thinned(tmp_path):
    c = np.geomspace(1e18, 1e22, 20_000)
    fits = fit_frame(frame(C=c, N=0.1 * c**0.5), n="N", flops="C")
    plot(fits, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size < 1_000_000
    assert "1000 of 20000 points drawn" in figure(fits).axes[0].get_title("left")


def test_suffixes_and_empty_cells():
    n, loss = rows()
    suffixed = [f"{v / 1e3}K" if v < 1e5 else f"{v / 1e6}M" for v in n]
    fit = fit_frame(frame(N=suffixed, loss=loss), n="N", loss="loss")["all"]
    assert fit.points["N"] == pytest.approx(np.unique(n))
    gaps = frame(N=[*n, ""], loss=[*loss, "3"])
    with pytest.raises(TableError, match="empty cell"):
        fit_frame(gaps, n="N", loss="loss")
    family = ["a"] * (len(n) - 1) + [" "]
    with pytest.raises(TableError, match="'family': an empty cell in line"):
        fit_frame(frame(N=n, loss=loss, family=family), n="N", loss="loss", group="family")


def test_flops_against_tokens():
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 9, 60), 10 ** rng.uniform(9, 11, 60)
    loss = 1.7 + 400 * n**-0.34 + 400 * d**-0.28 + 0.003 * rng.standard_normal(60)
    off = fit_frame(frame(N=n, D=d, C=8 * n * d, loss=loss), n="N", d="D", flops="C", loss="loss", n_boot=50)["all"]
    assert any("1.33 times 6 N D" in note for note in off.notes)
    mixed = np.where(np.arange(60) < 30, 6 * n * d, 6 * n * d * 1e9)
    with pytest.raises(TableError, match="mixed units"):
        fit_frame(frame(N=n, D=d, C=mixed, loss=loss), n="N", d="D", flops="C", loss="loss")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": None}, "--loss is needed"),
        ({"form": "c6"}, "those of a surface"),
        ({"method": "squares"}, "those of a surface"),
        ({"group": "loss"}, "at most 100"),
    ],
)
def test_requests_that_do_not_fit_together(options, words):
    n, loss = rows(60, 2)
    with pytest.raises(TableError, match=words):
        fit_frame(frame(N=n, loss=loss), **{"n": "N", "loss": "loss"} | options)


def test_lines_are_those_of_the_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("# comment\n\nN,loss\n1e4,3\n\n1e5,bad\n")
    with pytest.raises(TableError, match="line 6"):
        fit_frame(read_table(path), n="N", loss="loss")
