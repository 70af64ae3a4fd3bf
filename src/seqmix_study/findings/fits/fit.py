"""What a fit returns: estimates, intervals, the gates it passed or failed, and a verdict in three words.

``ok``          the table is consistent with the law: the exponent may be quoted, with its interval
``slope_only``  the loss falls with size, but the curvature that an exponent needs is not in the data
``refused``     not even that: the design, the noise or the direction of the loss forbids a law
"""

import hashlib
import math
import platform
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import scipy

__all__ = ["Fit", "Gate", "data_hash", "jsonable", "versions"]

#: What a failed gate does to the verdict, from the mildest to the hardest.
SEVERITIES = ("flag", "slope_only", "refused")


@dataclass(frozen=True)
class Gate:
    """One condition that a fit must meet; ``severity`` says what its failure does to the verdict."""

    name: str
    passed: bool
    value: float | None
    limit: float | None
    reason: str
    severity: str = "refused"


@dataclass
class Fit:
    """A fitted law. Losses in nats per token; N in parameters and D in tokens as given in the table.

    ``intervals`` maps a parameter to (low, high); an open end is infinite. ``points`` holds what was fitted:
    for a ladder the size means (N, loss, se, count, fitted), for a surface the cells (N, D, loss, count, fitted).
    """

    form: str
    method: str
    estimates: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    objective: float
    status: str
    gates: list[Gate]
    points: dict[str, list[float]]
    level: float = 0.95
    df: int = 0
    sigma: float = math.nan  # residual standard deviation of a point, nats
    slope: dict[str, Any] = field(default_factory=dict)  # dL/d ln N (and d ln D) with intervals
    candidates: list[dict[str, Any]] = field(default_factory=list)  # other forms on the same points
    bootstrap: dict[str, Any] = field(default_factory=dict)  # intervals and share off the bounds
    cross_check: dict[str, Any] = field(default_factory=dict)  # the other engine on the same points
    refits: dict[str, Any] = field(default_factory=dict)  # a surface without some of its rows
    leverage: list[dict[str, float]] = field(default_factory=list)  # the single rows that move a surface most
    outlier: dict[str, float] = field(default_factory=dict)  # the row farthest from a surface
    derived: dict[str, Any] = field(default_factory=dict)  # compute-optimal exponent and sizes
    isoflop: dict[str, Any] = field(default_factory=dict)  # the same from budgets, without a law
    agreement: dict[str, Any] = field(default_factory=dict)  # which of the answers to believe
    flags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hash: str = ""

    @property
    def verdict(self) -> str:
        return self.status

    @property
    def reasons(self) -> list[str]:
        """The failed gates that decided the verdict, in words; empty for ``ok``.

        Where the design, the direction or the signal was refused, what failed after it is a consequence and not listed.
        """
        failed = [gate for gate in self.gates if not gate.passed and gate.severity != "flag"]
        hard = [gate for gate in failed if gate.severity == "refused"]
        return [gate.reason for gate in hard or failed]

    def predict(self, n: Any, d: Any = None) -> np.ndarray:
        """Return the loss that the fitted form gives at sizes ``n`` (and tokens ``d``), nats per token."""
        from seqmix_study.findings.fits.forms import predict

        return predict(self.form, self.estimates, n, d)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready data; infinities and NaN become ``None`` (an open interval end)."""
        return jsonable(
            {
                "form": self.form,
                "method": self.method,
                "estimates": self.estimates,
                "intervals": self.intervals,
                "level": self.level,
                "objective": self.objective,
                "verdict": self.verdict,
                "reasons": self.reasons,
                "flags": self.flags,
                "notes": self.notes,
                "gates": [asdict(gate) for gate in self.gates],
                "sigma": self.sigma,
                "df": self.df,
                "slope": self.slope,
                "candidates": self.candidates,
                "bootstrap": {k: v for k, v in self.bootstrap.items() if k != "draws"},
                "cross_check": self.cross_check,
                "refits": self.refits,
                "leverage": self.leverage,
                "outlier": self.outlier,
                "derived": self.derived,
                "isoflop": {k: v for k, v in self.isoflop.items() if k != "draws"},
                "agreement": self.agreement,
                "points": self.points,
                "data_sha256": self.hash,
            }
        )


def jsonable(value: Any) -> Any:
    """Convert numpy scalars, arrays and tuples to plain data; non-finite numbers to ``None``."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return [jsonable(v) for v in value.tolist()]
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def data_hash(*arrays: Any) -> str:
    """Return a sha256 over the numbers fitted, so that a result can be matched to its table."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(np.asarray(array, float)).tobytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
