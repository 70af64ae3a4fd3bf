"""Architectures and sizes that a request names: known to the chapter's study at its tier, or refused at once."""

from collections.abc import Sequence

from seqmix.paths import Paths
from seqmix_study.book.parameters import ParameterError
from seqmix_study.book.sources import Chapter

__all__ = ["PARTS", "narrow"]

PARTS = ("arms", "sizes")
"""Parameters that hold comma-separated names of a study."""


def narrow(chapters: Sequence[Chapter], passed: Sequence[dict], paths: Paths) -> list[dict]:
    """Return the values of every chapter, its ``arms`` and ``sizes`` reduced to the names that its own study has.

    As with parameters: a name must be known to at least one chapter and goes to those that know it. A chapter that
    knows none of them keeps them all, and refuses them itself. Raises ParameterError for a name that none knows.
    """
    if not any(_names(values, part) for values in passed for part in PARTS):
        return list(passed)
    from seqmix import study

    narrowed = [dict(values) for values in passed]
    for part in PARTS:
        asked, everywhere = [], []
        for chapter, values in zip(chapters, narrowed, strict=True):
            names = _names(values, part)
            if not names or chapter.study not in study.names(paths):
                continue
            default = chapter.parameters["tier"].default if "tier" in chapter.parameters else "quick"
            known = study.known_names(chapter.study, values.get("tier", default), paths)[part]
            if not known:  # the study lacks the tier: the chapter itself says so
                return narrowed
            asked += names
            everywhere += known
            if kept := [name for name in names if name in known]:
                values[part] = ",".join(kept)
        if unknown := sorted(set(asked) - set(everywhere)):
            raise ParameterError(
                f"{part}: {', '.join(map(repr, unknown))} is in no study of the request at its tier; "
                f"known: {', '.join(dict.fromkeys(everywhere))}"
            )
    return narrowed


def _names(values: dict, part: str) -> list[str]:
    """Return the names of a value; a chapter may use the same word for something else, a number."""
    text = values.get(part, "")
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(text, str) else []
