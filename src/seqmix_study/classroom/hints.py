"""What a check says: helpers for the check files, so that every wrong answer gets a sentence a student can use.

Checks judge by property (values, tolerance, agreement with a slow twin), never by the text of an answer.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Hint", "call", "chosen", "close", "expect", "given", "number", "value_is"]


class Hint(AssertionError):
    """A wrong answer, and the sentence that helps to find the right one."""


def expect(condition: Any, hint: str) -> None:
    """Raise Hint unless the condition holds."""
    if not bool(condition):
        raise Hint(hint)


def given(name: str, value: Any) -> Any:
    """Return the answer; Hint if it is missing or still the three dots of the exercise."""
    if value is None or value is Ellipsis:
        raise Hint(f"`{name}` has no answer yet: replace the three dots, run that cell, then this one.")
    return value


def number(name: str, value: Any) -> float:
    """Return an answer as a float (Python, numpy or torch scalar); Hint for anything else."""
    given(name, value)
    if isinstance(value, (str, bool)) or callable(value):
        raise Hint(f"`{name}` should be a number, not {value!r}.")
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"`{name}` should be one number, not {type(value).__name__}.") from None


def close(got: float, want: float, rtol: float = 1e-3, atol: float = 1e-12) -> bool:
    """Whether two numbers agree; two equal infinities do."""
    return got == want or math.isclose(got, want, rel_tol=rtol, abs_tol=atol)


def value_is(
    name: str, value: Any, want: float, known: Iterable[tuple[float, str]] = (), hint: str = "", rtol: float = 1e-2
) -> None:
    """Accept a number near ``want``; for a known wrong value give its own hint, else ``hint``."""
    got = number(name, value)
    if close(got, want, rtol):
        return
    near = [(abs(got - wrong), why) for wrong, why in known if close(got, wrong, rtol)]
    if near:
        raise Hint(f"`{name}` is {got:.4g}. {min(near)[1]}")
    raise Hint(f"`{name}` is {got:.4g}, which is not it. {hint}")


def call(name: str, function: Callable | None, *args: Any, otherwise: str = "") -> Any:
    """Call a student's function; Hint if it is missing, raises, or returns nothing.

    ``otherwise``: what else returning nothing may mean here, for cases in which there is nothing to be found.
    """
    given(name, function)
    expect(callable(function), f"`{name}` should be a function, not {type(function).__name__}.")
    try:
        result = function(*args)
    except Hint:
        raise
    except Exception as error:
        raise Hint(f"`{name}` stopped with {type(error).__name__}: {error}") from error
    if result is None or result is Ellipsis:
        more = f" {otherwise}" if otherwise else ""
        raise Hint(f"`{name}` returns nothing yet: replace the three dots (and is there a `return`?).{more}")
    return result


def chosen(name: str, value: Any, right: str, reasons: dict[str, str]) -> None:
    """Check a choice of statements by letter ("ACD", {"A", "C"} and ["c", "a", "D"] are all fine).

    ``reasons``: letter -> what to look at again; given for the first letter that is missing or too much.
    """
    given(name, value)
    try:
        letters = {str(part).strip().upper() for part in value if str(part).strip(" ,;")}
    except TypeError:
        raise Hint(f'`{name}` should name letters, for example "AC" or {{"A", "C"}}.') from None
    expect(letters, f"`{name}` is empty: at least one statement belongs in it.")
    unknown = sorted(letters - set(reasons))
    expect(not unknown, f"`{name}` names {', '.join(unknown)}; the statements are {', '.join(sorted(reasons))}.")
    for letter in sorted(reasons):
        if letter in letters and letter not in right:
            raise Hint(f"{letter} does not belong in `{name}`. {reasons[letter]}")
        if letter in right and letter not in letters:
            raise Hint(f"One more belongs in `{name}`: look again at {letter}. {reasons[letter]}")
