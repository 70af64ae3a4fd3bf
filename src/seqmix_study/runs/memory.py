"""Memory of this machine, from the system itself: training needs no package for it."""

import os
from pathlib import Path

__all__ = ["available", "total"]

MEMINFO = Path("/proc/meminfo")


def _read(field: str) -> int:
    """Return one line of /proc/meminfo in bytes; 0 where there is none."""
    try:
        for line in MEMINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def total() -> int:
    """Return the machine's memory, bytes; 2**62 (no limit known) where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**62


def available() -> int:
    """Return the memory that new processes can use without swapping, bytes; half of all where only that is known."""
    return _read("MemAvailable") or total() // 2
