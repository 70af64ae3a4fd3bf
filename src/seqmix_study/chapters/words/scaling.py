"""The scaling chapter in words, computed from its tables."""

import numpy as np
import pandas as pd

from seqmix_study.chapters import laws, lengths
from seqmix_study.chapters.common import Tables, human, listing, over_seeds, seconds, several, span
from seqmix_study.chapters.marks import label, labels
from seqmix_study.chapters.say import FEWEST_SEEDS, beats_unigram, interval, lowest, scope, sign, slope_over_seeds
from seqmix_study.chapters.scaling import COST, NO_PAIR, crossings, edges, gaps, ladder, largest, regrets, trials
from seqmix_study.chapters.style import order
from seqmix_study.findings.fits.exponents import compare_exponents

__all__ = ["conclusions", "costs", "exponents", "fits", "gap", "limits", "rates", "surface"]

REFERENCE = "transformer"


def conclusions(tables: Tables) -> list[str]:
    """Say who has the lowest loss at the largest shared size, and whether loss falls with size."""
    lines = [*scope(tables), *beats_unigram(tables)]
    top = largest(tables)
    for source, cell in top.groupby("source"):
        size = human(cell["params_non_embedding"].median())
        lines += lowest(cell, f"On {source}, at {size} parameters and {human(cell['tokens'].median())} tokens")
    return lines + _along_sizes(ladder(tables))


def _along_sizes(runs: pd.DataFrame) -> list[str]:
    """Say for which architectures the mean loss falls from every size to the next."""
    if not len(runs):
        return []
    falling, rising, alone, few = [], [], [], False
    for (source, arm), cell in runs.groupby(["source", "arm"]):
        means = cell.groupby("params_non_embedding")["loss"].mean().sort_index()
        falls = (np.diff(means) <= 0).all()
        (alone if len(means) < 2 else falling if falls else rising).append(f"{label(arm)} on {source}")
        few |= len(means) > 1 and cell.groupby("params_non_embedding")["seed"].nunique().min() < FEWEST_SEEDS
    if not falling and not rising:
        return ["No architecture was trained at two sizes of one corpus: there is no trend with size."]
    end = f" (means, some of fewer than {FEWEST_SEEDS} seeds: not decided)." if few else "."
    lines = [f"The mean loss rises somewhere along the sizes for {listing(rising)}{end}"] if rising else []
    if falling and (rising or alone):
        lines.append(f"The mean loss falls from every size to the next for {listing(falling)}{end}")
    elif falling:
        lines.append(f"The mean loss falls from every size to the next, for every architecture{end}")
    return lines + ([f"One size shows no trend: {listing(alone)}."] if alone else [])


def fits(tables: Tables, column: str = "params_non_embedding") -> list[str]:
    """Say for every architecture what its power law may be used for."""
    words = {"slope_only": "only a slope", "refused": "no law"}
    lines = []
    for row in laws.table(ladder(tables), column, edges(tables)).itertuples():
        if row.verdict == "ok":
            said = f"exponent {interval(row.alpha, row.lo, row.hi)} from {row.sizes} sizes"
        else:
            said = f"{words[row.verdict]}: {row.why}"
        lines.append(f"{label(row.arm)} on {row.source}: {said}.")
    return lines or ["No finished run of this execution compares sizes, so no law is tried."]


def exponents(tables: Tables, reference: str = "transformer") -> list[str]:
    """Say whether the exponents of two families differ: only where both fits passed their checks."""
    lines, runs = [], ladder(tables)
    for source, cell in runs.groupby("source") if len(runs) else ():
        found = {arm: laws.of(rows, edges=edges(tables)) for arm, rows in cell.groupby("arm")}
        base = found.pop(reference, None)
        for arm in order(found):
            if base is None or found[arm] is None or "ok" not in (base.status, found[arm].status):
                continue
            result = compare_exponents(base, found[arm])
            text = f"On {source}, exponent of {label(reference)} minus that of {label(arm)}"
            if result["conclusion"] == "not comparable":
                lines.append(f"{text}: not comparable ({result['reason']}).")
            else:
                low, high = result["interval"]
                said = "not decided" if result["conclusion"] == "inconclusive" else result["conclusion"]
                ends = (low, high) if np.isfinite([low, high]).all() else (np.nan, np.nan)
                lines.append(f"{text}: {interval(result['delta'], *ends)}: {said}.")
    return lines or [
        f"No corpus has a law of {label(reference)} and one of another architecture that both passed their checks: no "
        "exponents are compared."
    ]


def surface(tables: Tables) -> list[str]:
    """Say for every architecture whether loss follows one law of size and training length, and with which exponents."""
    lines = []
    for (source, arm), law in lengths.fits(tables).items():
        points = f"{several(len(law.points['N']), 'pair')} of size and length"
        if law.status != "ok":
            said = "; ".join(law.reasons)
            lines.append(f"{label(arm)} on {source}, {points}: no surface is quoted ({said}).")
            continue
        found = {name: interval(law.estimates[name], *law.intervals[name], 2) for name in ("alpha", "beta", "E")}
        share = law.derived["optimal_exponent"]
        lines.append(
            f"{label(arm)} on {source}, {points}: exponent of size {found['alpha']}, of tokens {found['beta']}, floor "
            f"{found['E']} nats. Of more compute C, the best size takes C to the power of "
            f"{interval(share['estimate'], *share['interval'], 2)}."
        )
    return lines or ["No architecture was trained at several lengths: nothing is said about size and length together."]


def gap(tables: Tables) -> list[str]:
    """Say whether the loss relative to the Transformer's rises or falls with size."""
    lines = []
    each = gaps(tables)
    for row in slope_over_seeds(each, "parameters", "gap", ["source", "arm"]).itertuples():
        change = interval(row.mean, row.lo, row.hi)
        said = sign(row, "falls", "rises", "no trend is decided")
        lines.append(f"{label(row.arm)} on {row.source}: {change} nats a decade of size: {said}.")
    if not lines:
        lines.append(f"N{NO_PAIR.format(reference=label(REFERENCE))[1:]}: no change of a gap is given.")
    equal = gaps(tables, at="train_flops")
    for (source, arm), cell in equal.groupby(["source", "arm"]):
        most = over_seeds(cell, ["flops"], "gap").iloc[-1]
        said = sign(most, "below", "above", "not decided: the interval includes zero")
        lines.append(
            f"{label(arm)} minus {label(REFERENCE)} on {source}, at equal training FLOPs, {human(most['flops'])} being "
            f"the most that both have: {interval(most['mean'], most['lo'], most['hi'])} nats ({said})."
        )
    return lines


def costs(tables: Tables) -> list[str]:
    """Say who reaches the common loss with the least tokens, seconds and FLOPs, and whether these agree."""
    lines = []
    for source, cell in crossings(tables).groupby("source"):
        means = {c: np.exp(np.log(cell[c].clip(lower=1e-9)).groupby(cell["arm"]).mean()) for c in COST}
        say = {"tokens": human, "seconds": seconds, "flops": human}
        least = {c: (each.idxmin(), say[c](each.min())) for c, each in means.items()}
        text = f"On {source}, to a loss of {cell['target'].iloc[0]:.3f} nats"
        early = cell.loc[cell["first"], "arm"].unique()
        if cell["arm"].nunique() == 1:
            parts = [f"{v} {COST[c]}" if c != "seconds" else f"{v} of training" for c, (_, v) in least.items()]
            lines.append(f"{text}: {labels(cell['arm'])} stands alone, with {listing(parts)}; nothing is compared.")
        elif len(early) > 1:
            lines.append(f"{text}: {labels(early)} reach it by their first evaluation, so nothing says who is first.")
        else:
            parts = [f"fewest {COST[c]}: {label(arm)} ({v})" for c, (arm, v) in least.items()]
            agree = len({arm for arm, _ in least.values()}) == 1
            verdict = "The three agree" if agree else "The three do not agree: the answer depends on what is counted"
            few = cell.groupby("arm")["seed"].nunique().min() < FEWEST_SEEDS
            end = f"; means, some of fewer than {FEWEST_SEEDS} seeds: not decided." if few else " (by mean)."
            lines.append(f"{text}: {', '.join(parts)}. {verdict}{end}")
    return lines or ["No loss curve of runs that compare sizes was recorded: no costs are compared."]


def rates(tables: Tables) -> list[str]:
    """Say where the best learning rate stood at the edge of its grid: not usable as evidence."""
    sweep = tables.sweep
    if not len(sweep):
        return ["No finished run of this execution tries learning rates: those of the study file are used."]
    tight, lines = sorted(edges(tables)), []
    tried = trials(tables).groupby(["source", "arm", "panel"])["lr"].nunique().groupby(["source", "arm"]).max()
    if tight:
        named = listing(f"{label(arm)} on {source}" for source, arm in tight)
        lines.append(f"The best learning rate stands at the edge of its grid for {named}: tuned too little.")
    elif (tried > 1).any():
        lines.append(f"The best learning rate is inside its grid for {labels(tried[tried > 1].reset_index()['arm'])}.")
    if (tried == 1).any():
        named = listing(f"{label(arm)} on {source}" for source, arm in tried[tried == 1].index)
        lines.append(f"A single learning rate was tried, so none is known to be the best, for {named}.")
    for (source, arm), cell in regrets(tables).sort_values("size").groupby(["source", "arm"]):
        if cell["size"].nunique() > 1:
            parts = [f"{row.best:.2g} at {human(row.size)} parameters ({row.regret:.3f})" for row in cell.itertuples()]
            lines.append(
                f"{label(arm)} on {source} was trained at the rate {cell['used'].iloc[0]:.2g} at every size; best of "
                f"its trials, with what the used rate costs there in nats: {listing(parts)}."
            )
    return lines


def limits(tables: Tables) -> list[str]:
    """Say how far sizes, tokens and seeds of this execution reach."""
    runs = ladder(tables)
    if not len(runs):
        return ["No finished run of this execution compares sizes."]
    lines = []
    for source, cell in runs.groupby("source"):
        sizes = cell["params_non_embedding"]
        most = cell.groupby("arm")["params_non_embedding"].nunique().max()
        decades = np.log10(sizes.max() / sizes.min())
        wide = f" ({decades:.1f} decades)" if most > 1 else ""
        lines.append(
            f"{source}: at most {several(most, 'size')} an architecture, {span(sizes)} parameters{wide}, "
            f"{human(cell['tokens'].median())} tokens a run. Nothing here says what happens beyond that."
        )
    return lines
