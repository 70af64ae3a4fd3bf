"""The parameters cell of a chapter: typed, commented defaults, and strict checks of the values that are passed.

A line of the cell reads ``name: type = default  # meaning``; the comment may carry the legal values::

    tier: str = "quick"  # how much is trained [one of: quick, laptop, gpu]
    seeds: int = 1  # seeds per point [1..20]
    lr: float = 1e-3  # learning rate [> 0]

papermill itself checks nothing: an unknown name or a wrong type goes through silently. Here both are errors, found
before anything starts.
"""

import ast
import difflib
import io
import math
import re
import tokenize
from dataclasses import dataclass

__all__ = ["Parameter", "ParameterCellError", "ParameterError", "check", "describe", "parse_cell"]

TYPES = {"str": str, "int": int, "float": float, "bool": bool}
BRACKET = re.compile(r"\s*\[([^\[\]]*)\]\s*$")
CHOICES_BEFORE = re.compile(r"^([\w.+-]+(?:\s*\|\s*[\w.+-]+)+)\s*:\s*(.*)$")
NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+|inf)"
RANGE = re.compile(rf"({NUMBER})\s*\.\.\s*({NUMBER})?$", re.IGNORECASE)
BOUND = re.compile(rf"(>=|<=|>|<)\s*({NUMBER})$", re.IGNORECASE)


class ParameterError(ValueError):
    """A request that cannot be met: unknown parameter, wrong type, value out of range."""


class ParameterCellError(ValueError):
    """The chapter's own parameters cell is malformed."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter, as its parameters cell declares it."""

    name: str
    kind: str
    default: str | int | float | bool
    meaning: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @property
    def legal(self) -> str:
        """The legal values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "bool":
            return "true or false"
        if math.isinf(self.low) and math.isinf(self.high):
            return {"str": "text", "int": "whole number", "float": "number"}[self.kind]
        if math.isinf(self.high):
            return f"{'>' if self.open_low else '>='} {plain(self.low)}"
        if math.isinf(self.low):
            return f"{'<' if self.open_high else '<='} {plain(self.high)}"
        return f"{plain(self.low)}..{plain(self.high)}"

    def accepts(self, number: float) -> bool:
        """Say whether a number lies inside the declared range."""
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below


def plain(number: float) -> str:
    """Return a limit as it would be typed: 1000000, not 1e+06."""
    return str(int(number)) if number == int(number) else f"{number:g}"


def parse_cell(source: str) -> dict[str, Parameter]:
    """Read the declarations of a parameters cell; raises ParameterCellError naming the line within the cell."""
    comments = {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found: dict[str, Parameter] = {}
    for node in ast.parse(source).body:
        where = f"line {node.lineno} of the parameters cell"
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise ParameterCellError(f"{where}: expected 'name: type = default  # meaning'")
        name, kind = node.target.id, ast.unparse(node.annotation)
        if kind not in TYPES:
            raise ParameterCellError(f"{where}: type of {name} is {kind}, not one of {', '.join(TYPES)}")
        try:
            default = ast.literal_eval(node.value)
        except ValueError as error:
            raise ParameterCellError(f"{where}: the default of {name} is not a literal") from error
        comment = comments.get(node.end_lineno, "")
        if not comment:
            raise ParameterCellError(f"{where}: {name} has no comment that says what it means")
        parameter = _declare(name, kind, default, comment)
        try:
            convert(parameter, default)
        except ParameterError as error:
            raise ParameterCellError(f"{where}: the default breaks its own rule: {error}") from error
        found[name] = parameter
    return found


def _declare(name: str, kind: str, default, comment: str) -> Parameter:
    """Split a comment into the meaning and the legal values."""
    limits: dict = {}
    if match := CHOICES_BEFORE.match(comment):
        limits["choices"] = tuple(part.strip() for part in match[1].split("|"))
        comment = match[2]
    rule = ""
    if match := BRACKET.search(comment):
        rule, comment = match[1].strip(), comment[: match.start()]
    elif match := re.search(rf"[,;]\s*({NUMBER}\s*\.\.\s*(?:{NUMBER})?|[<>]=?\s*{NUMBER})\s*$", comment):
        rule, comment = match[1], comment[: match.start()]
    if rule.startswith("one of:"):
        limits["choices"] = tuple(part.strip() for part in rule.removeprefix("one of:").split(","))
    elif match := RANGE.match(rule):
        limits["low"] = float(match[1])
        limits["high"] = float(match[2]) if match[2] else math.inf
    elif match := BOUND.match(rule):
        side = "low" if match[1].startswith(">") else "high"
        limits[side] = float(match[2])
        limits[f"open_{side}"] = "=" not in match[1]
    elif rule:
        raise ParameterCellError(f"{name}: cannot read the rule [{rule}]; write [one of: a, b], [1..20] or [> 0]")
    return Parameter(name, kind, default, comment.strip(), **limits)


def convert(parameter: Parameter, value):
    """Turn a passed value (text from the command line, or plain data) into the declared type, or raise."""
    wrong = ParameterError(
        f"{parameter.name} = {value!r} is not {'an' if parameter.kind == 'int' else 'a'} {parameter.kind}; "
        f"legal: {parameter.legal} ({parameter.meaning})"
    )
    if parameter.kind == "bool":
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise wrong
    if parameter.kind == "str":
        if not isinstance(value, str):
            raise wrong
        result = value
    else:
        if isinstance(value, bool) or (parameter.kind == "int" and isinstance(value, float)):
            raise wrong
        try:
            result = TYPES[parameter.kind](value)
        except (TypeError, ValueError) as error:
            raise wrong from error
        if not math.isfinite(result):
            raise wrong
        if not parameter.accepts(result):
            raise ParameterError(
                f"{parameter.name} = {value} is out of range; legal: {parameter.legal} ({parameter.meaning})"
            )
    if parameter.choices and str(result) not in parameter.choices:
        raise ParameterError(f"{parameter.name} = {value!r} is not {parameter.legal} ({parameter.meaning})")
    return result


def check(known: dict[str, Parameter], passed: dict) -> dict:
    """Return the passed values in their declared types; raises ParameterError for the first one that is wrong."""
    checked = {}
    for name, value in passed.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ParameterError(f"unknown parameter {name!r}{hint}")
        checked[name] = convert(known[name], value)
    return checked


def describe(known: dict[str, Parameter]) -> str:
    """List the parameters, one a line: name, type, default, legal values, meaning."""
    if not known:
        return "  (this chapter has no parameters)"
    rows = [(p.name, p.kind, f"default {p.default!r}", p.legal, p.meaning) for p in known.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  " + "  ".join([*(row[i].ljust(widths[i]) for i in range(4)), row[4]]) for row in rows)
