"""The founding documents under the microscope: their own numbers recomputed, no training needed.

Each check returns a ``Flaw``: whether the slip is really there (``holds``, computed), the numbers, and the arithmetic
in words. A check that finds nothing wrong says so (``holds=False``): a fair microscope also clears. The printed numbers
are in ``documents_numbers``, each with where it was read.

    from seqmix_study.findings import documents as flaws
    flaws.check("halving_paradox").lines
"""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["CHECKS", "Flaw", "check", "flaw", "names"]


@dataclass(frozen=True)
class Flaw:
    """The outcome of one check. ``numbers`` are plain floats by name; ``lines`` is the arithmetic, a step a line."""

    name: str
    document: int
    title: str
    holds: bool
    numbers: dict[str, float]
    lines: tuple[str, ...]
    lesson: str

    @property
    def arithmetic(self) -> str:
        """The steps in one sentence."""
        return "; ".join(self.lines)


Found = tuple[bool, dict[str, float], list[str]]

CHECKS: dict[str, Callable[[], Flaw]] = {}
"""All checks by name, filled by the modules ``documents_scaling``, ``documents_hybrids`` and ``documents_speed``."""


def flaw(document: int, title: str, lesson: str) -> Callable[[Callable[[], Found]], Callable[[], Found]]:
    """Register a check: a function without arguments that returns (holds, numbers, lines)."""

    def register(function: Callable[[], Found]) -> Callable[[], Found]:
        def run() -> Flaw:
            holds, numbers, lines = function()
            plain = {key: float(value) for key, value in numbers.items()}
            return Flaw(function.__name__, document, title, bool(holds), plain, tuple(lines), lesson)

        run.document = document
        CHECKS[function.__name__] = run
        return function

    return register


def names() -> list[str]:
    """Return the names of all checks, in the order of the documents."""
    from seqmix_study.findings import documents_hybrids, documents_scaling, documents_speed  # noqa: F401  (they register)

    return sorted(CHECKS, key=lambda name: CHECKS[name].document)


def check(name: str) -> Flaw:
    """Run one check; raises KeyError naming the known ones."""
    if name not in names():
        raise KeyError(f"no check named {name!r}; known: {', '.join(CHECKS)}")
    return CHECKS[name]()
