"""The fit doctor: scaling laws of anyone's table, or why there is none.

``read_table`` and ``fit_frame`` are ``seqmix fit``; ``fit_power``, ``fit_surface``, ``fit_isoflop`` and ``fit_optima``
take arrays. ``--plot`` and ``--report`` are ``plot`` and ``write_page`` of ``seqmix_study.chapters.fit_page``.
"""

import importlib
from typing import Any

#: Public name: module. Loaded when asked for: pandas is not needed to fit arrays.
PUBLIC = {
    "read_table": "table",
    "TableError": "table",
    "fit_frame": "doctor",
    "report": "doctor",
    "render": "doctor",
    "fit_power": "power",
    "fit_surface": "surface",
    "fit_isoflop": "isoflop",
    "fit_optima": "optima",
    "compare_exponents": "exponents",
}
__all__ = [
    "TableError",
    "compare_exponents",
    "fit_frame",
    "fit_isoflop",
    "fit_optima",
    "fit_power",
    "fit_surface",
    "read_table",
    "render",
    "report",
]


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{PUBLIC[name]}"), name)
