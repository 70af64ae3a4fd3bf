"""What a fit returns: estimates, intervals, the gates it passed or failed, and a verdict in one word.

``ok``          the table is consistent with the law: the exponent may be quoted, with its interval
``interval``    the interval of the exponent may be quoted, but no number in it
``slope_only``  the loss falls with size, but the curvature that an exponent needs is not in the data
``refused``     not even that: the design, the noise or the direction of the loss forbids a law
"""

import hashlib
import math
import platform
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import scipy

from seqmix_study.findings.fits.forms import predict

WORDS = {
    "ok": "ok: consistent with the law; the exponents may be quoted with their intervals",
    "interval": "interval only: the interval of the exponent may be quoted, but no number in it",
    "slope_only": "slope only: the loss falls, but the table does not determine an exponent or a floor",
    "refused": "refused: no law may be quoted from this table",
}
ADVICE = {
    "G0 sizes": "train more sizes: five at least, seven recommended",
    "G0 range": "spread the sizes over at least 1.5 decades",
    "G0 seeds": "repeat every size with at least three seeds",
    "G1 direction": "tune the learning rate and the number of steps of the larger sizes, and look for overfitting",
    "G3 noise": "add seeds, and tune each size: the misfit of single sizes is not averaged out by seeds",
    "G5 curvature": "widen the range of sizes: one more decade says more than five more seeds",
    "S8 few tokens": "leave out the runs with the fewest tokens and compare",
    "S8 structure": "leave out the runs with the fewest tokens, or those far from the optimum, and compare",
    "S0 tokens": "vary the tokens, or leave --d out and fit the ladder at fixed tokens",
}


@dataclass(frozen=True)
class Gate:
    """One condition that a fit must meet.

    ``severity`` says what its failure does to the verdict, from the mildest: "flag", "interval",
    "slope_only" (of laws), "refused".
    """

    name: str
    passed: bool
    value: float | None
    limit: float | None
    reason: str
    severity: str = "refused"


def at_most(name: str, value: float, limit: float, reason: str, severity: str = "refused") -> Gate:
    """Return the gate that values up to the limit pass."""
    return Gate(name, bool(value <= limit), value, limit, reason, severity)


def at_least(name: str, value: float, limit: float, reason: str, severity: str = "refused") -> Gate:
    """Return the gate that values from the limit on pass, to rounding."""
    return Gate(name, bool(value >= limit - 1e-9), value, limit, reason, severity)


@dataclass
class Fit:
    """A fitted law. Losses in nats per token; N in parameters and D in tokens as given in the table.

    ``intervals`` maps a parameter to (low, high); an open end is infinite. ``points`` holds what was fitted:
    for a ladder the size means (N, loss, se, count, fitted), for a surface the cells (N, D, loss, count, fitted).
    """

    form: str
    method: str
    estimates: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    objective: float = math.nan
    verdict: str = "refused"
    gates: list[Gate] = field(default_factory=list)
    points: dict[str, list[float]] = field(default_factory=dict)
    level: float = 0.95
    df: int = 0
    sigma: float = math.nan  # residual standard deviation of a point, nats
    slope: dict[str, Any] = field(default_factory=dict)  # dL/d ln N (and d ln D) with intervals
    bootstrap: dict[str, Any] = field(default_factory=dict)  # draws, what residuals share, share off the bounds
    cross_check: dict[str, Any] = field(default_factory=dict)  # the other engine on the same points
    refits: dict[str, Any] = field(default_factory=dict)  # a surface without some of its rows
    leverage: list[dict[str, float]] = field(default_factory=list)  # the single rows that move a surface most
    outlier: dict[str, float] = field(default_factory=dict)  # the row farthest from a surface
    derived: dict[str, Any] = field(default_factory=dict)  # compute-optimal exponent and sizes
    isoflop: dict[str, Any] = field(default_factory=dict)  # the same from budgets, without a law
    agreement: dict[str, Any] = field(default_factory=dict)  # which of the answers to believe
    notes: list[str] = field(default_factory=list)
    hash: str = ""

    @property
    def reasons(self) -> list[str]:
        """The failed gates that decided the verdict, in words; empty for ``ok``.

        Where the design, the direction or the signal was refused, what failed after it is a consequence and not listed.
        """
        failed = [gate for gate in self.gates if not gate.passed and gate.severity != "flag"]
        hard = [gate for gate in failed if gate.severity == "refused"]
        return [gate.reason for gate in hard or failed]

    @property
    def flags(self) -> list[str]:
        """The failed gates that are only noticed, in words."""
        return [gate.reason for gate in self.gates if not gate.passed and gate.severity == "flag"]

    def predict(self, n: Any, d: Any = None) -> np.ndarray:
        """Return the loss that the fitted form gives at sizes ``n`` (and tokens ``d``), nats per token."""
        return predict(self.form, self.estimates, n, d)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready data; infinities and NaN become ``None`` (an open interval end)."""
        out = {item.name: getattr(self, item.name) for item in fields(self)}
        out |= {"reasons": self.reasons, "flags": self.flags, "data_sha256": out.pop("hash")}
        out["gates"] = [asdict(gate) for gate in self.gates]
        out["bootstrap"] = {key: value for key, value in self.bootstrap.items() if key != "draws"}
        return jsonable(out)


def verdict_of(gates: list[Gate], falls: bool = True) -> str:
    """The word for a list of gates; ``falls``: whether the slope of the loss is below zero, interval and all."""
    failed = {gate.severity for gate in gates if not gate.passed}
    word = next((word for word in ("refused", "slope_only", "interval") if word in failed), "ok")
    return word if falls or word != "slope_only" else "refused"


def mark(verdict: str) -> str:
    """What is printed behind a number of this verdict: nothing where it may be quoted."""
    return {"ok": "", "interval": "   (quote the interval only)"}.get(verdict, "   (not to be quoted)")


def explain(fit: Fit) -> str:
    """Return the doctor's report: the verdict, what decided it, what was noticed, and what would help."""
    lines = [f"verdict  {WORDS[fit.verdict]}"]
    said = {"failed": fit.reasons, "noticed": fit.flags, "note": fit.notes}
    lines += [f"  {word:<8} {text}" for word, texts in said.items() for text in texts]
    failed = dict.fromkeys(gate.name for gate in fit.gates if not gate.passed)
    return "\n".join(lines + [f"  try      {ADVICE[name]}" for name in failed if name in ADVICE])


def jsonable(value: Any) -> Any:
    """Convert numpy scalars, arrays and tuples to plain data; non-finite numbers to ``None``."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def data_hash(*arrays: Any) -> str:
    """Return a sha256 over the numbers fitted, so that a result can be matched to its table."""
    return hashlib.sha256(np.array(arrays, float).tobytes()).hexdigest()


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
