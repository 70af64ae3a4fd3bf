"""Read anyone's table: find its separator, keep every cell in its column, and turn text to numbers or say where not.

Nothing is guessed in silence. A row with more or fewer cells than the header is an error with its line, never shifted;
a loss that is a perplexity or counted in bits is converted only where its name says so.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

MOST_BYTES, MOST_ROWS = 200_000_000, 1_000_000
SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
SUFFIX = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
MISSING = {"", "nan", "na", "n/a", "null", "none", "-"}
SIGNATURES = {b"PK": "a zip or Excel file", b"\x1f\x8b": "gzip", b"PAR1": "Parquet", b"\xfd7zXZ": "xz", b"%PDF": "PDF"}
#: What a text is whose first character no name of a column has.
FIRST = {"{": "JSON", "[": "JSON", "<": "HTML or XML", "\\": "LaTeX"}
#: No loss in nats per token of a language model is larger than that of guessing among ten million tokens.
MOST_NATS = 16.0
#: Names of losses: of perplexities, of logarithms (of base 2 or 10), and of bits (an 8-bit model counts none).
PERPLEXITY = r"(?:\b|(?<=log)|(?<=ln)|(?<=log2)|(?<=log10))(ppl|perplexity|perplexities)\b"
LOGARITHM = r"\b(?:log|ln)(2|10)?(?=e?\b|ppl|perpl)"
BITS = r"\b(bpb|bpc|bpt|bpw)\b|(?<!\d )\bbits?\b"
#: Least and most that is believed of a column, where FLOPs are computed from it.
COUNTS = {"size": (1e2, 1e16), "tokens": (1e3, 1e18)}
#: Neighbouring values of one column this many times apart were not written in one unit.
JUMP = 1e3


class TableError(ValueError):
    """The table cannot be fitted as asked; the message names the column and, where there is one, the line."""


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a table with a header line; every cell as text, the index is the line number in the file.

    Separators: comma, tab, semicolon, bar, or blanks. Empty lines and lines that start with # are skipped (those below
    the header are named in ``attrs``), an empty last column (a comma at the end of lines) too. Raises TableError where
    a row does not have the header's cells.
    """
    lines = _lines(path)
    separator = _separator(lines)
    filled = [(number, cells) for number, cells in _rows(lines, separator) if any(cells)]
    rows = [(number, cells) for number, cells in filled if not cells[0].startswith("#")]
    if len(rows) < 2:
        raise TableError(f"{path}: the file is empty{': a header and no rows' if rows else ''}")
    (first, header), rows = rows[0], rows[1:]
    while header and not header[-1] and all(len(c) < len(header) or not c[len(header) - 1] for _, c in rows):
        header = header[:-1]  # an empty last column
    if header and not header[-1]:
        raise TableError(f"{path}: the last column has cells and no name: does the header lack one before it?")
    width = len(header)
    for i, (number, cells) in enumerate(rows):
        if len(cells) > width and not any(cells[width:]):
            rows[i] = (number, cells[:width])
        elif len(cells) != width:
            named = SEPARATORS.get(separator, "blank")
            said = f"line {number} has {len(cells)} cells, the header has {width} (separator: {named}); "
            raise TableError(f"{said}quote cells that contain it, or fill the missing ones")
    names = lines[first - 1]  # of a printed table the index has none, and a name of two words takes its place
    words = len(re.split(r"\s{2,}", names.strip())) if separator is None and names[0].isspace() else width
    if 1 < words < width and not all(lines[number - 1][0].isspace() for number, _ in rows):
        raise TableError(f"{path}: a column without a name, or a name of several words: separate columns by commas")
    if all(_number(name) is not None for name in header):
        raise TableError(f"{path}: the first line is {', '.join(header)}: the table needs a header with column names")
    numbers, cells = zip(*rows, strict=True)
    frame = pd.DataFrame(cells, columns=header, index=numbers, dtype=object)
    left = [str(number) for number, cells in filled if number > first and cells[0].startswith("#")]
    frame.attrs["notes"] = [f"lines that start with # were left out: {', '.join(left[:5])}"] if left else []
    return frame


def _lines(path: Path | str) -> list[str]:
    """The lines of a file; TableError for what is no text file of bearable size."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)  # a pipe or a device has no size to ask for
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > MOST_BYTES:
        raise TableError(f"{path}: at most {MOST_BYTES / 1e6:.0f} MB are read, and this is more")
    for start, name in SIGNATURES.items():
        if raw.startswith(start):
            raise TableError(f"{path}: this is {name}; save the table as CSV")
    coding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(coding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a text table in UTF-8 ({error.reason} at byte {error.start})") from None
    if (start := text.lstrip()[:1]) in FIRST:
        raise TableError(f"{path}: this is {FIRST[start]}; save the table as CSV")
    if "\x00" in text:
        raise TableError(f"{path}: not a text table (it contains zero bytes)")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MOST_ROWS:
        raise TableError(f"{path}: {text.count(chr(10))} lines; at most {MOST_ROWS} are read: average repeats first")
    if text.count('"') % 2:
        raise TableError(f"{path}: a quotation mark is opened and never closed")
    return text.split("\n")


def _separator(lines: list[str]) -> str | None:
    """The separator that cuts the header into the most cells; None: blanks."""
    header = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    cells = {separator: max(len(row) for _, row in _rows([header], separator)) for separator in SEPARATORS}
    best = max(cells, key=cells.__getitem__)
    return best if cells[best] > 1 else None


def _rows(lines: list[str], separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of a row's (last) line and its cells; quoted cells may hold the separator."""
    if separator is None:
        yield from ((number, line.split()) for number, line in enumerate(lines, start=1))
        return
    reader, last = csv.reader(lines, delimiter=separator, skipinitialspace=True), 0
    try:
        for cells in reader:
            if reader.line_num > last + 1 and any(separator in cell for cell in cells):
                said = "a quoted cell that holds the separator runs over them: is a mark missing?"
                raise TableError(f"lines {last + 1} to {reader.line_num}: {said}")
            last = reader.line_num
            yield last, [" ".join(cell.split()) for cell in cells]
    except csv.Error as error:
        raise TableError(f"line {reader.line_num}: {error}") from None


def numbers(frame: pd.DataFrame, column: str, kind: str) -> tuple[np.ndarray, list[str]]:
    """The column as positive floats [rows] and what was converted; ``kind``: "size", "tokens", "flops" or "loss".

    Understands 125M, 1_000, and decimal commas where every cell of the column has at most one. Raises TableError with
    the first line that is no positive number, and for columns that mix units.
    """
    if list(frame.columns).count(column) > 1:
        raise TableError(f"the table has {list(frame.columns).count(column)} columns named {column!r}: rename them")
    cells = frame[column].astype(str).str.strip()
    cells, notes = _commas(cells, column)
    values = np.array([np.nan if (v := _number(cell)) is None else v for cell in cells])
    for bad, word in ((~np.isfinite(values), "not numeric"), (~(values > 0), "not positive")):
        if bad.any():
            row = int(np.argmax(bad))
            cell = frame[column].iloc[row]
            shown = repr(str(cell)[:60]) if str(cell).strip() else "an empty cell"
            known = ", ".join(map(str, frame.columns))
            hint = "; fill such cells or leave their rows out" if str(cell).strip().lower() in MISSING else ""
            said = f"column {column!r}: {shown} in line {frame.index[row]} is {word}"
            raise TableError(f"{said}; known columns: {known}{hint}")
    if kind == "loss":
        return _nats(values, column, notes)
    if re.search(LOGARITHM, _words(column)):
        raise TableError(f"column {column!r} is a logarithm by its name: write the numbers themselves")
    order = np.sort(values)
    jump = order[1:] / order[:-1]
    if len(jump) and jump.max() > JUMP:
        at = int(np.argmax(jump))
        said = f"column {column!r}: nothing lies between {order[at]:g} and {order[at + 1]:g}"
        raise TableError(f"{said}: mixed units? write all rows in one unit")
    return values, notes


def _number(cell: str) -> float | None:
    """A number, with a suffix K, M, B, G or T where there is one; None for anything else."""
    text, factor = cell.strip(), 1.0
    if text[-1:].lower() in SUFFIX and len(text) > 1:
        factor, text = SUFFIX[text[-1].lower()], text[:-1].strip()
    try:
        return float(text) * factor
    except ValueError:
        return None


def _commas(cells: pd.Series, column: str) -> tuple[pd.Series, list[str]]:
    """Cells with commas as decimal points or as thousands; TableError where they may be either."""
    with_comma = cells[cells.str.contains(",", regex=False)]
    if with_comma.empty:
        return cells, []
    if with_comma.map(lambda cell: re.fullmatch(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d+)?", cell) is not None).all():
        return cells.str.replace(",", "", regex=False), [f"commas in {column!r} were read as thousands"]
    thousands = with_comma.map(lambda cell: re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", cell) is not None)
    decimal = with_comma.map(lambda cell: re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", cell) is not None)
    if decimal.all() and not thousands.all() and not cells.str.contains(".", regex=False).any():
        return cells.str.replace(",", ".", regex=False), [f"commas in {column!r} were read as decimal points"]
    row = with_comma.index[0]
    said = f"column {column!r}: {with_comma.iloc[0]!r} in line {row}"
    raise TableError(f"{said} is ambiguous: write no commas in numbers")


def _nats(values: np.ndarray, column: str, notes: list[str]) -> tuple[np.ndarray, list[str]]:
    """Losses in nats: perplexities, their logarithms and bits are converted where the column's name says so."""
    name = _words(column)
    if re.search(PERPLEXITY, name):
        if log := re.search(LOGARITHM, name):
            base = {"2": 2.0, "10": 10.0}.get(log[1], np.e)
            said = f"{column!r} is a logarithm (base {'e' if base == np.e else int(base)}) of a perplexity"
            return values * np.log(base), [*notes, f"{said}: it was fitted in nats"]
        if (values <= 1).any():
            raise TableError(f"column {column!r}: a perplexity is larger than one")
        return np.log(values), [*notes, f"{column!r} is a perplexity: its logarithm was fitted"]
    if re.search(BITS, name):
        return values * np.log(2), [*notes, f"{column!r} counts bits: times ln 2 it was fitted in nats"]
    if values.max() > MOST_NATS:
        said = f"column {column!r}: losses up to {values.max():.3g} are no nats per token"
        raise TableError(f"{said}; if they are perplexities, name the column so (ppl)")
    return values, notes


def _words(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", column.lower())


def plausible(values: np.ndarray, what: str, kind: str) -> None:
    """TableError where ``values`` are no counts of this ``kind``, "size" or "tokens": they are in other units."""
    if values.min() < COUNTS[kind][0] or values.max() > COUNTS[kind][1]:
        said = f"{values.min():.3g} to {values.max():.3g} are no numbers of {'parameters' if kind == 'size' else kind}"
        hint = "write parameters, tokens and FLOPs in full or with a suffix (70M, 2B; one PFLOP-day is 8.64e19 FLOPs)"
        raise TableError(f"{what}: {said}; {hint}")
