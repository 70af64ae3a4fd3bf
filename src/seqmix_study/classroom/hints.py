"""What a check says: helpers for the check files, so that every wrong answer gets a sentence a student can use.

Checks judge by property (values, tolerance, agreement with a slow twin), never by the text of an answer.
"""

import functools
import hashlib
import math
import re
import runpy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from seqmix.paths import Paths


class Hint(AssertionError):
    """A wrong answer, and the sentence that helps to find the right one."""


def withheld(function: Callable[[], Any]) -> Callable[[], Any]:
    """Mark what a check compares with: hashes (``hidden``, ``digest``), or lists computed from a solution.

    What students get holds the values alone (``grader.seal``), not how they are computed.
    """
    return functools.cache(function)


def teachers(name: str) -> Callable[..., list]:
    """Return a function of ``checks/mistakes.py``, for what is withheld; one without a result outside a checkout."""
    path = Paths().notebooks / "lessons" / "checks" / "mistakes.py"
    return runpy.run_path(str(path))[name] if path.is_file() else lambda *_, **__: []


def expect(condition: Any, hint: str) -> None:
    """Raise Hint unless the condition holds."""
    if not bool(condition):
        raise Hint(hint)


def given(name: str, value: Any) -> Any:
    """Return the answer; Hint if it is missing or still the three dots of the exercise."""
    there = value is not None and value is not Ellipsis
    expect(there, f"`{name}` has no answer yet: replace the three dots, run that cell, then this one.")
    return value


def number(name: str, value: Any) -> float:
    """Return an answer as a float (Python, numpy or torch scalar); Hint for anything else."""
    given(name, value)
    expect(not isinstance(value, (str, bool)) and not callable(value), f"`{name}` should be a number, not {value!r}.")
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"`{name}` should be one number, not {kind_of(value)}.") from None


def numbers(name: str, value: Any, wanted: str) -> list[float]:
    """Return an answer as a list of as many floats as ``wanted`` ("E, A, alpha") names; Hint for anything else."""
    parts = wanted.split(", ")
    try:
        found = [float(part) for part in value]
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"`{name}` should return {len(parts)} numbers: {wanted}, all plain; not {kind_of(value)}.") from None
    expect(len(found) == len(parts), f"`{name}` should return {len(parts)} numbers, {wanted}, not {len(found)}.")
    return found


def kind_of(value: Any) -> str:
    """Return what a value is, in words."""
    return {dict: "a dictionary", str: "a text"}.get(type(value), f"something of type {type(value).__name__}")


def close(got: float, want: float, rtol: float = 1e-3, atol: float = 1e-12) -> bool:
    """Whether two numbers agree; two equal infinities do."""
    return got == want or math.isclose(got, want, rel_tol=rtol, abs_tol=atol)


def digest(answer: Any) -> str:
    """Return a salted hash of an answer's text: it tells an answer that somebody has, and holds none."""
    return hashlib.pbkdf2_hmac("sha256", str(answer).encode(), b"seqmix", 1000).hex()[:16]


def _cell(value: float, rtol: float, steps: int = 0) -> str:
    """Return the hash of the cell ``steps`` beside the one of a number, on a grid of ``rtol`` times the number."""
    if abs(value) < 1e-9 or not math.isfinite(value):
        return digest(abs(round(float(value), 6)))
    return digest((bool(value > 0), rtol, math.floor(math.log(abs(value)) / rtol) + steps))


def hidden(want: float, known: Iterable[tuple[float, str]] = (), rtol: float = 1e-2) -> list:
    """Return what ``value_is`` may know of the right number and of ``known`` wrong ones with their hints: hashes.

    The right one may be rounded, to two figures or more.
    """
    near = [[_cell(x, rtol, side) for side in (-1, 0, 1)] for x in (want, *(wrong for wrong, _ in known))]
    right = sorted({*near[0], *(_cell(round(want, n), rtol) for n in range(7) if abs(round(want, n)) * 10**n >= 9.5)})
    return [right, [[cells, why] for cells, (_, why) in zip(near[1:], known, strict=True)]]


def value_is(name: str, value: Any, right: list[str], known: list, hint: str = "", rtol: float = 1e-2) -> None:
    """Accept a number of which the hash is among the ``right`` ones; else give a known mistake's hint, or ``hint``."""
    values_are({name: value}, [[right, known]], lambda _: hint, rtol)


def values_are(values: dict[str, Any], hashes: list, hint: Callable[[int], str], rtol: float = 1e-2) -> None:
    """Accept numbers, by what was asked for, of which each hash is among its right ones; else give one Hint.

    ``hashes``: of each number the right ones, known mistakes, and (optional) slips, which count only where they explain
    several numbers. A mistake that explains *every* wrong number is named before one that explains the first alone.
    """
    cells = [_cell(number(name, value), rtol) for name, value in values.items()]
    off = [n for n, (cell, (right, *_)) in enumerate(zip(cells, hashes, strict=True)) if cell not in right]
    if off:
        known = [[why for part in hashes[n][1:] for near, why in part if cells[n] in near] for n in off]
        alone = [why for near, why in hashes[off[0]][1] if cells[off[0]] in near]
        every = [why for why in known[0] if len(off) > 1 and all(why in each for each in known)]
        name, value = list(values.items())[off[0]]
        raise Hint(f"`{name}` is {number(name, value):.4g}, which is not it. {(every + alone or [hint(off[0])])[0]}")


def call(name: str, function: Callable | None, *args: Any, otherwise: str = "", mapping: bool = False) -> Any:
    """Call a student's function; Hint if it is missing, raises, returns nothing, or a dictionary (unless ``mapping``).

    An iterator is returned as a list. ``otherwise``: what else returning nothing may mean here, for cases in which
    there is nothing to be found. Where all arguments are numbers and texts, the Hint names them.
    """
    given(name, function)
    expect(callable(function), f"`{name}` should be a function, not {type(function).__name__}.")
    case = f"{name}{args!r}".replace(",)", ")") if all(isinstance(part, (str, int, float)) for part in args) else name
    try:
        result = function(*args)
    except Exception as error:
        raise Hint(f"`{case}` stopped with {type(error).__name__}: {str(error).rstrip('.')}.") from error
    yet = f"returns nothing yet: replace the three dots (and is there a `return`?). {otherwise}"
    expect(result is not None and result is not Ellipsis, f"`{case}` {yet.strip()}")
    expect(mapping or not isinstance(result, dict), f"`{name}` returns a dictionary: return the values themselves.")
    return list(result) if isinstance(result, Iterator) else result


def guessed(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return the one of the ``choices`` that an answer of at most two words names; Hint for anything else."""
    words = re.findall(r"[a-z]+", "" if isinstance(given(name, value), dict) else str(value).lower())
    found = [choice for choice in choices for word in words if word in (choice, f"{choice}s")]
    rest = ", ".join(f'"{choice}"' for choice in choices[:-1])
    expect(len(found) == 1 and len(words) < 3 and "not" not in words, f'`{name}` should be {rest} or "{choices[-1]}".')
    return found[0]


def halves(right: str, letters: str) -> list[str]:
    """Return a hash of the ``right`` letters in each half of all ``letters``."""
    parts = letters[: len(letters) // 2], letters[len(letters) // 2 :]
    return [digest(f"{[letter for letter in part if letter in right]} of {letters}") for part in parts]


def chosen(name: str, value: Any, right: list[str], reasons: dict[str, str]) -> None:
    """Check a choice of statements by letter ("BD", {"B", "D"} and ["d", "b"] are all fine) against ``halves``.

    ``reasons``: letter -> what to ask oneself again. A wrong choice names the half of the statements that holds a
    mistake, with the questions of that half: never a single letter, so that no answer is found letter by letter.
    """
    letters, known = _letters(name, given(name, value)), sorted(reasons)
    expect(letters, f"`{name}` is empty: at least one statement belongs in it.")
    unknown = sorted(letters - set(known))
    expect(not unknown, f"`{name}` names {', '.join(unknown)}: no letters; the statements are {', '.join(known)}.")
    expect(letters != set(known), f"`{name}` names every statement, but some are plain readings. Weigh each of them.")
    parts = known[: len(known) // 2], known[len(known) // 2 :]
    for half, want, got in zip(parts, right, halves("".join(letters), "".join(known)), strict=True):
        among = f"Among {', '.join(half[:-1])} and {half[-1]} at least one is judged wrongly, too much or missing."
        expect(got == want, among + "".join(f"\n{letter}: {reasons[letter]}" for letter in half))


def _letters(name: str, value: Any) -> set[str]:
    if isinstance(value, dict) or not isinstance(value, Iterable):
        raise Hint(f'`{name}` should name letters, for example "AC" or {{"A", "C"}}, not {kind_of(value)}.')
    text = re.sub(r"\b(and|or)\b", " ", value if isinstance(value, str) else " ".join(map(str, value)), flags=re.I)
    return {part.upper() for part in re.findall(r"[A-Za-z]|\d+", text)}
