"""How often do the intervals of a surface, or of a ladder, hold the truth? Simulated tables, counted.

    python tools/fit_coverage.py --tables 100 --first 1000 --out book/fit-coverage.csv

Half a second a table on one quiet core. Every table draws its own law (exponents, floor) and noise; bands of N have
their edges anywhere. A row says in how many tables the interval of each quantity holds the planted value, over all
tables with an interval and over those called "ok", and how often the verdict was which.
"""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from seqmix_study.findings.fits.power import fit_power
from seqmix_study.findings.fits.surface import fit_surface

__all__ = ["SCENARIOS", "cover", "simulate"]

NAMES = ("alpha", "beta", "optimal_exponent")
NOISE = 0.003  # of ln L, where a scenario says nothing else
Table = tuple[np.ndarray, np.ndarray, np.ndarray]


def law(truth: dict[str, float], n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """L(N, D) of a planted law; amplitudes are losses at 1e8 parameters and 1e10 tokens."""
    return truth["E"] + truth["A"] * (n / 1e8) ** -truth["alpha"] + truth["B"] * (d / 1e10) ** -truth["beta"]


def draw_law(rng: np.random.Generator) -> dict[str, float]:
    names = {"E": (1.4, 2.2), "A": (0.5, 1.0), "B": (0.4, 0.9), "alpha": (0.25, 0.45), "beta": (0.25, 0.45)}
    return {name: float(rng.uniform(*ends)) for name, ends in names.items()}


def optimum(truth: dict[str, float], c: float) -> float:
    """The size with the least loss for ``c`` FLOPs."""
    ratio = truth["alpha"] * truth["A"] * 1e8 ** truth["alpha"]
    ratio /= truth["beta"] * truth["B"] * 1e10 ** truth["beta"]
    return ratio ** (1 / (truth["alpha"] + truth["beta"])) * (c / 6) ** (
        truth["beta"] / (truth["alpha"] + truth["beta"])
    )


def grid(truth: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Every size with every number of tokens: 8 x 6."""
    n, d = np.meshgrid(np.geomspace(1e7, 3e9, 8), np.geomspace(3e8, 1e11, 6), indexing="ij")
    return n.ravel(), d.ravel()


def scattered(truth: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return 10 ** rng.uniform(7, 9.5, 80), 10 ** rng.uniform(8.5, 11, 80)


def budgets(truth: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Seven budgets of eight sizes around each optimum, off centre by up to a factor of two."""
    sizes = np.geomspace(1 / 6, 6, 8)
    n = np.concatenate([optimum(truth, c) * rng.uniform(0.5, 2) * sizes for c in np.geomspace(1e18, 1e21, 7)])
    return n, np.repeat(np.geomspace(1e18, 1e21, 7), 8) / 6 / n


def ladder(truth: dict[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Six to nine sizes over two decades or more, three runs each, the tokens far more than they need."""
    n = np.geomspace(1e7, 10 ** rng.uniform(9, 9.6), int(rng.integers(6, 10)))
    return np.repeat(n, 3), np.full(3 * len(n), 1e15)


def _sizes(sd: float) -> Callable:
    return lambda truth, n, d, rng: sd * rng.standard_normal(8)[np.unique(n, return_inverse=True)[1]]


def _bands(truth: dict[str, float], n: np.ndarray, d: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    width = np.log(n.max() / n.min()) / 8
    band = np.floor((np.log(n / n.min()) + rng.uniform(0, width)) / width).astype(int)
    return 0.02 * rng.standard_normal(10)[band]


def _rising(truth: dict[str, float], n: np.ndarray, d: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 0.01 * (law(truth, n, d) - truth["E"]) * rng.standard_normal(len(n))


def _few(truth: dict[str, float], n: np.ndarray, d: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.2, 0.6) * 1e9 / d  # a start that takes its own time, on top of the law


def _weak(truth: dict[str, float], n: np.ndarray, d: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _few(truth, n, d, rng) / 3


def _small_end(truth: dict[str, float], n: np.ndarray, d: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """0.03 to 0.3 nats that only the smallest sizes lose: as 1 / N, as its square, or gone after a few doublings."""
    times = n / n.min()
    shapes = (1 / times, 1 / times**2, np.exp((1 - times) / 2))
    return np.exp(rng.uniform(np.log(0.03), np.log(0.3))) * shapes[rng.integers(3)]


#: name: (design, what is added to the law in nats, noise of ln L)
SCENARIOS: dict[str, tuple[Callable, Callable | None, float]] = {
    "exact law, grid": (grid, None, NOISE),
    "noise rises with loss, grid": (grid, _rising, 0.0),
    "misfit per size 0.02 nats, grid": (grid, _sizes(0.02), NOISE),
    "misfit per size 0.04 nats, grid": (grid, _sizes(0.04), NOISE),
    "misfit per band of N 0.02 nats, IsoFLOP": (budgets, _bands, NOISE),
    "law fails for few tokens, grid": (grid, _few, NOISE),
    "the same, noise 0.01": (grid, _few, 0.01),
    "exact law, IsoFLOP": (budgets, None, NOISE),
    "exact law, scattered": (scattered, None, NOISE),
    "few tokens, a third of that, noise 0.01": (grid, _weak, 0.01),
    "law fails for few tokens, IsoFLOP": (budgets, _few, NOISE),
    "exact law, ladder": (ladder, None, NOISE / 2),
    "law fails at its small end, ladder": (ladder, _small_end, NOISE / 2),
}


def simulate(scenario: str, seed: int) -> tuple[Table, dict[str, float]]:
    """One table (N, D, loss) of a scenario and its planted alpha, beta and compute-optimal exponent."""
    rng = np.random.default_rng([list(SCENARIOS).index(scenario), seed])
    design, extra, noise = SCENARIOS[scenario]
    truth = draw_law(rng)
    n, d = design(truth, rng)
    loss = law(truth, n, d) + (extra(truth, n, d, rng) if extra else np.zeros(len(n)))
    loss = loss * np.exp(noise * rng.standard_normal(len(n)))
    share = truth["beta"] / (truth["alpha"] + truth["beta"])
    return (n, d, loss), {"alpha": truth["alpha"], "beta": truth["beta"], "optimal_exponent": share}


def cover(scenario: str, tables: int, first: int = 0) -> dict[str, Any]:
    """Fit ``tables`` simulated tables; coverage of each quantity over all and over the accepted, verdicts, widths."""
    hits: dict[str, list[bool]] = {name: [] for name in (*NAMES, "isoflop")}
    accepted, widths, verdicts, safe, gaps = [], [], Counter(), 0, []
    for seed in range(first, first + tables):
        (n, d, loss), truth = simulate(scenario, seed)
        if np.ptp(d) == 0:
            truth = {"alpha": truth["alpha"]}
            fit = fit_power(n, loss, rng=seed)
        else:
            fit = fit_surface(n, d, loss, rng=seed, starts=20)
        verdicts[fit.verdict] += 1
        ends = dict(fit.intervals)
        if fit.derived:
            ends["optimal_exponent"] = fit.derived["optimal_exponent"]["interval"]
        held = [name in ends and ends[name][0] <= truth[name] <= ends[name][1] for name in truth]
        for name, inside in zip(truth, held, strict=True):
            hits[name].append(inside)
        accepted.append(fit.verdict == "ok")
        good = fit.verdict not in ("ok", "interval") or all(held)
        widths.append(np.ptp(ends["optimal_exponent"]) if "optimal_exponent" in ends else np.nan)
        if curves := fit.isoflop.get("optimal_exponent"):
            low, high = curves["interval"]
            hits["isoflop"].append(low <= truth["optimal_exponent"] <= high)
            good = good and (fit.isoflop["verdict"] == "refused" or hits["isoflop"][-1])
            if fit.isoflop["verdict"] == "ok":
                gaps.append(abs(curves["estimate"] - truth["optimal_exponent"]))
        safe += good
    rate = {name: round(float(np.mean(values)), 3) if values else "" for name, values in hits.items()}
    ok = np.array(accepted)
    passed = {
        f"{name}_ok": round(float(np.mean(np.array(hits[name])[ok])), 3) if hits[name] and ok.any() else ""
        for name in NAMES
    }
    return {
        "scenario": scenario,
        "tables": tables,
        **{name: verdicts[name] for name in ("ok", "interval", "slope_only", "refused")},
        **{name: rate[name] for name in NAMES},
        **passed,
        "width": "" if np.isnan(widths).all() else round(float(np.nanmedian(widths)), 3),
        "refused_or_covered": round(safe / tables, 3),
        "isoflop": rate["isoflop"],
        "isoflop_ok": len(gaps),
        "isoflop_gap": round(max(gaps), 3) if gaps else "",
    }


@click.command()
@click.option("--tables", default=100, show_default=True, type=click.IntRange(1, 2000), help="Tables a scenario.")
@click.option("--first", default=0, show_default=True, help="Number of the first table: others than those published.")
@click.option("--scenario", "names", multiple=True, type=click.Choice(list(SCENARIOS)), help="Only rows of this name.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="CSV to write; else print.")
def main(tables: int, first: int, names: tuple[str, ...], out: Path | None) -> None:
    """Measure the coverage of intervals in simulated tables (half a second a table on a quiet core)."""
    known: dict[str, dict[str, Any]] = {}
    if names and out and out.is_file():  # the other rows stay
        with out.open(encoding="utf-8", newline="") as file:
            known = {row["scenario"]: row for row in csv.DictReader(file)}
    for scenario in names or SCENARIOS:
        known[scenario] = cover(scenario, tables, first)
        rows = [known[name] for name in SCENARIOS if name in known]
        click.echo("  ".join(f"{key} {value}" for key, value in known[scenario].items()))
        if out:  # after each scenario: an hour's work is not lost with its last minute
            out.parent.mkdir(parents=True, exist_ok=True)
            with out.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
