"""Checks of what people write: no measured number is typed into prose."""

import re
from pathlib import Path

from seqmix.paths import Paths
from seqmix_study.book.finding import Finding

__all__ = ["check_sources", "typed_numbers"]

MASKED = [
    re.compile(r"\A---\n.*?\n---\n", re.DOTALL),  # front matter
    re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$", re.DOTALL | re.MULTILINE),  # code
    re.compile(r"^%.*$", re.MULTILINE),  # comments
    re.compile(r"(?P<tick>`+)[^`]+?(?P=tick)", re.DOTALL),  # inline code and the contents of roles
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"(?<!\\)\$[^$\n]+\$"),
    re.compile(r"\]\([^)\s]*\)"),  # link targets
    re.compile(r"https?://\S+"),
    re.compile(r"<[^>\n]+>"),
    re.compile(r"\b\d{4}-\d\d-\d\d\b"),
    re.compile(r"\bPython \d+\.\d+"),
    re.compile(r"arXiv:\s?\d{4}\.\d{4,5}"),
]
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w)")
EXEMPT = ("changelog.md",)
"""Pages whose numbers are version numbers."""


def _blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def prose(text: str) -> str:
    """Return the text with everything that is not prose blanked out; lines stay where they are."""
    for pattern in MASKED:
        text = pattern.sub(_blank, text)
    return text


def typed_numbers(text: str) -> list[tuple[int, str]]:
    """Return (line, number) of numerals with three or more significant digits; years and powers of two are free."""
    found = []
    for line, row in enumerate(prose(text).splitlines(), start=1):
        for match in NUMBER.finditer(row):
            plain = match[0].replace(",", "").lstrip("+-−")
            mantissa = re.split("[eE]", plain)[0]
            digits = mantissa.replace(".", "").lstrip("0")
            whole = "." not in mantissa and "e" not in plain.lower()
            if whole:
                digits = digits.rstrip("0")
                value = int(plain)
                if 1900 <= value <= 2100 or (value and value & (value - 1) == 0):
                    continue
            if len(digits) >= 3:
                found.append((line, match[0]))
    return found


def check_sources(paths: Paths) -> list[Finding]:
    """Check the pages and the chapters; exercise pages are left out, their tasks quote the documents."""
    pages = [*paths.book.glob("*.md"), *paths.book.glob("lessons/*.md"), *paths.notebooks.glob("*.md")]
    findings = []
    for page in sorted(pages):
        text = page.read_text(encoding="utf-8")
        where = page.relative_to(paths.root)
        if page.name not in EXEMPT:
            advice = "take it from a table ({val}) or mark it as quoted ({said})"
            findings += [Finding(where, line, f"typed number {n}: {advice}") for line, n in typed_numbers(text)]
    return findings if pages else [Finding(Path("book"), 1, "no pages found")]
