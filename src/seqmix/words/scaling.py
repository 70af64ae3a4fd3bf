"""The scaling chapter in words, computed from its tables."""

import numpy as np

from seqmix.analysis.exponents import compare_exponents
from seqmix.analysis.halving import halving
from seqmix.figures import laws, lengths
from seqmix.figures.common import Tables, human, listing, over_seeds, seconds, several
from seqmix.figures.draw import label, labels
from seqmix.figures.scaling import COST, crossings, edges, gaps, ladder, largest, regrets
from seqmix.figures.style import order
from seqmix.words.common import FEWEST_SEEDS, beats_unigram, interval, lowest, scope, slope_over_seeds

__all__ = ["conclusions", "costs", "exponents", "fits", "gap", "halvings", "limits", "rates", "surface"]


def conclusions(tables: Tables) -> list[str]:
    """Say who has the lowest loss at the largest shared size, and whether loss falls with size."""
    lines = [*scope(tables), *beats_unigram(tables)]
    top = largest(tables)
    for source, cell in top.groupby("source"):
        size = human(cell["params_non_embedding"].median())
        lines += lowest(cell, f"On {source}, at {size} parameters and {human(cell['tokens'].median())} tokens")
    rising = []
    for (source, arm), cell in ladder(tables).groupby(["source", "arm"]):
        means = cell.groupby("params_non_embedding")["loss"].mean().sort_index()
        if len(means) > 1 and (np.diff(means) > 0).any():
            rising.append(f"{label(arm)} on {source}")
    if len(ladder(tables)):
        lines.append(
            f"The mean loss rises somewhere along the sizes for {listing(rising)}."
            if rising
            else "The mean loss falls from every size to the next, for every architecture."
        )
    return lines


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
    return lines


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
                lines.append(f"{text}: {interval(result['delta'], low, high)}: {said}.")
    return lines or ["No two laws passed their checks, so no exponents are compared."]


def halvings(tables: Tables) -> list[str]:
    """Say what halving the loss would take, in the three senses that the phrase has."""
    lines, runs = [], ladder(tables)
    for (source, arm), cell in runs.groupby(["source", "arm"]) if len(runs) else ():
        fit = laws.of(cell, edges=edges(tables))
        if fit is not None and fit.status == "ok":
            found = halving(fit, float(cell["params_non_embedding"].max()))
            said = "; ".join(found[name][3] for name in ("reducible", "per_0p1_nat", "total"))
            lines.append(f"{label(arm)} on {source}, from the largest size: {said}.")
    return lines or ["No law passed its checks, so nothing is said about halving a loss."]


def surface(tables: Tables) -> list[str]:
    """Say for every architecture whether loss follows one law of size and training length, and with which exponents."""
    lines = []
    for (source, arm), law in lengths.fits(tables).items():
        points = f"{len(law.points['N'])} pairs of size and length"
        if law.status != "ok":
            said = "; ".join(law.reasons)
            lines.append(f"{label(arm)} on {source}, {points}: no surface is quoted ({said}).")
            continue
        found = {name: interval(law.estimates[name], *law.intervals[name], 2) for name in ("alpha", "beta", "E")}
        share = law.bootstrap["optimal_exponent"]
        lines.append(
            f"{label(arm)} on {source}, {points}: exponent of size {found['alpha']}, of tokens {found['beta']}, floor "
            f"{found['E']} nats. Of more compute C, the best size takes C to the power of "
            f"{interval(share['estimate'], *share['interval'], 2)}."
        )
    return lines or [
        "Every architecture was trained at one length only: nothing is said about size and length together."
    ]


def gap(tables: Tables) -> list[str]:
    """Say whether the loss relative to the Transformer's rises or falls with size."""
    lines = []
    each = gaps(tables)
    for row in slope_over_seeds(each, "parameters", "gap", ["source", "arm"]).itertuples():
        change = interval(row.mean, row.lo, row.hi)
        if row.n < FEWEST_SEEDS:
            said = f"{several(row.n, 'seed')}: not decided"
        else:
            said = "rises" if row.lo > 0 else "falls" if row.hi < 0 else "no trend is decided"
        lines.append(f"{label(row.arm)} on {row.source}: {change} nats a decade of size: {said}.")
    equal = gaps(tables, at="train_flops")
    for (source, arm), cell in equal.groupby(["source", "arm"]):
        most = over_seeds(cell, ["flops"], "gap").iloc[-1]
        lines.append(
            f"{label(arm)} on {source}, at equal training FLOPs, {human(most['flops'])} being the most that both have: "
            f"{interval(most['mean'], most['lo'], most['hi'])} nats from {label('transformer')}."
        )
    return lines


def costs(tables: Tables) -> list[str]:
    """Say who reaches the common loss with the least tokens, seconds and FLOPs, and whether these agree."""
    lines = []
    for source, cell in crossings(tables).groupby("source"):
        first = {}
        for cost in COST:
            means = np.exp(np.log(cell[cost].clip(lower=1e-9)).groupby(cell["arm"]).mean())
            first[cost] = (means.idxmin(), means.min())
        say = {"tokens": human, "seconds": seconds, "flops": human}
        parts = [f"fewest {COST[c]}: {label(arm)} ({say[c](v)})" for c, (arm, v) in first.items()]
        agree = len({arm for arm, _ in first.values()}) == 1
        verdict = "The three agree." if agree else "The three do not agree: the answer depends on what is counted."
        lines.append(f"On {source}, to a loss of {cell['target'].iloc[0]:.3f} nats: {', '.join(parts)}. {verdict}")
    return lines


def rates(tables: Tables) -> list[str]:
    """Say where the best learning rate stood at the edge of its grid: not usable as evidence."""
    sweep = tables.sweep
    if not len(sweep):
        return ["This execution sweeps no learning rate; the study file's rates are used as they are."]
    tight = sorted(edges(tables))
    if tight:
        named = listing(f"{label(arm)} on {source}" for source, arm in tight)
        lines = [f"The best learning rate stands at the edge of its grid for {named}: tuned too little."]
    else:
        lines = [f"The best learning rate is inside its grid for {labels(sweep['arm'])}."]
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
        return []
    lines = []
    for source, cell in runs.groupby("source"):
        sizes = cell["params_non_embedding"]
        most = cell.groupby("arm")["params_non_embedding"].nunique().max()
        decades = np.log10(sizes.max() / sizes.min()) if len(sizes) else 0.0
        lines.append(
            f"{source}: {most} sizes over {decades:.1f} decades "
            f"({human(sizes.min())} to {human(sizes.max())} parameters), {human(cell['tokens'].median())} tokens a run"
            ". Nothing here says what happens beyond that."
        )
    return lines
