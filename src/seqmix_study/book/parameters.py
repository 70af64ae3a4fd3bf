"""The parameters cell of a chapter: which of ``chapters/parameters.py`` it takes, with which defaults.

papermill reads the cell; a name that the model does not know, a default that it refuses or a line without a meaning is
an error of the chapter.
"""

import ast
from dataclasses import dataclass
from typing import Any

from seqmix_study.chapters.parameters import ParameterError, check, describe, legal

__all__ = ["Parameter", "ParameterCellError", "ParameterError", "check_all", "parse_cell"]


class ParameterCellError(ValueError):
    """The chapter's own parameters cell is malformed."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a chapter, as its cell declares it."""

    name: str
    default: Any
    meaning: str
    legal: str


def parse_cell(source: str) -> dict[str, Parameter]:
    """Read the declarations of a parameters cell; raises ParameterCellError naming the parameter."""
    from papermill.translators import PythonTranslator

    ast.parse(source)
    found: dict[str, Parameter] = {}
    for each in PythonTranslator.inspect({"source": source}):
        if not each.help:
            raise ParameterCellError(f"{each.name} has no comment that says what it means")
        try:
            default = ast.literal_eval(each.default)
            check({each.name: default}, {each.name: default})
        except (ValueError, SyntaxError) as error:
            raise ParameterCellError(f"the default of {each.name}: {error}") from error
        meaning = each.help.rpartition("[")[0].strip() if each.help.endswith("]") else each.help
        found[each.name] = Parameter(each.name, default, meaning, legal(each.name))
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    if len(assigned) != len(ast.parse(source).body) or len(found) != len(assigned):
        raise ParameterCellError("expected lines 'name: type = default  # meaning', each name once")
    return found


def check_all(chapter: str, known: dict[str, Parameter], passed: dict[str, Any]) -> dict[str, Any]:
    """Return the passed values in their types; the error of a wrong one lists the parameters of the chapter."""
    try:
        return check(known, passed)
    except ParameterError as error:
        listed = describe({name: parameter.default for name, parameter in known.items()})
        raise ParameterError(f"{chapter}: {error}\nknown parameters:\n{listed}") from error
