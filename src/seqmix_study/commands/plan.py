"""``seqmix plan``: what would run, and what it would cost."""

import json
import math
import sys

import click


@click.command("plan")
@click.argument("chapter")
@click.option("--tier", default="quick", show_default=True, help="quick, laptop or gpu")
@click.option("--only", multiple=True, metavar="GROUP", help="Only this group of the study (repeatable).")
@click.option("--jobs", type=click.IntRange(1), help="Workers to plan for; default: chosen from the machine.")
@click.option("--no-time", is_flag=True, help="Do not measure steps: print no times.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(chapter: str, tier: str, only: tuple[str, ...], jobs: int | None, no_time: bool, as_json: bool) -> None:
    """Print the runs of a study (or "all"): new, finished, failed; tokens, FLOPs, time and memory on this machine.

    The time comes from a few measured steps, cached. Exit code 2: the request is wrong, or a run cannot fit here
    (the message says what to lower).
    """
    from seqmix.paths import Paths
    from seqmix.study import StudyError
    from seqmix_study.runs import cost as estimate
    from seqmix_study.runs import launch as engine
    from seqmix_study.runs.machine import layout
    from seqmix_study.runs.selection import select

    paths = Paths()
    try:
        plans = select(chapter, tier, only, paths)
    except StudyError as error:
        click.echo(f"seqmix plan: {error}", err=True)
        sys.exit(2)
    runs = engine.unique([config for plan in plans.values() for config in plan])
    states = engine.states(runs, paths)
    reasons = estimate.refusals(runs, paths.runs)
    todo = [config for config in runs if states[config.run_id] not in ("finished", "diverged")]
    found = estimate.costs(runs, paths, jobs, measure=False)
    if todo and not reasons and not no_time:
        found = estimate.costs(runs, paths, jobs)
    rows = [_row(name, engine.unique(plan), states, found) for name, plan in plans.items()]
    place = layout(todo, jobs)
    seconds = estimate.total_seconds(todo, found, jobs)
    report = {"tier": tier, "studies": rows, "runs": len(runs), "to_do": len(todo), "jobs": place.jobs}
    report |= {"threads": place.threads, "seconds": None if math.isnan(seconds) else round(seconds, 1)}
    report |= {"memory_bytes": max((found[c.run_id].memory for c in todo), default=0), "refused": reasons}
    click.echo(json.dumps(report, indent=1) if as_json else _text(report))
    sys.exit(2 if reasons else 0)


def _row(name: str, plan: list, states: dict[str, str], found: dict) -> dict:
    """Return the sums of one study; FLOPs, tokens and seconds are those still to be spent."""
    todo = [c.run_id for c in plan if states[c.run_id] not in ("finished", "diverged")]
    seconds = sum(found[run_id].seconds for run_id in todo)
    names = ("new", "interrupted", "finished", "diverged", "failed", "corrupt")
    row = {"study": name, "runs": len(plan)} | {n: sum(states[c.run_id] == n for c in plan) for n in names}
    counts = [size for c in plan for size in _sizes(c)]
    row |= {"parameters": [min(counts), max(counts)], "tokens": sum(found[run_id].tokens for run_id in todo)}
    row |= {"flops": sum(found[run_id].flops for run_id in todo)}
    return row | {"worker_seconds": None if math.isnan(seconds) else round(seconds, 1)}


def _sizes(config) -> list[int]:
    from seqmix import accounting
    from seqmix_study.runs.machine import models_of

    return [accounting.parameters(model)["non_embedding"] for model in models_of(config)]


def _text(report: dict) -> str:
    head = ("study", "runs", "new", "going on", "done", "failed", "parameters", "tokens", "FLOP", "worker time")
    lines = [head]
    for row in report["studies"]:
        low, high = row["parameters"]
        done = row["finished"] + row["diverged"]
        spent = "" if row["worker_seconds"] is None else duration(row["worker_seconds"])
        lines.append(
            (
                *(row["study"], row["runs"], row["new"], row["interrupted"], done, row["failed"] + row["corrupt"]),
                *(f"{low:,} .. {high:,}", f"{row['tokens']:,}", f"{row['flops']:.2g}", spent),
            )
        )
    widths = [max(len(str(line[k])) for line in lines) for k in range(len(head))]
    table = ["  ".join(str(cell).rjust(w) for cell, w in zip(line, widths, strict=True)) for line in lines]
    table.append("")
    work = f"{report['to_do']} of {report['runs']} runs to do with {report['jobs']} worker(s) of "
    work += f"{report['threads']} thread(s); the largest needs about {report['memory_bytes'] / 2**20:,.0f} MiB"
    table.append(work if report["to_do"] else "nothing to do")
    if report["to_do"] and report["seconds"] is not None:
        table.append(f"estimated time: {duration(report['seconds'])}")
    return "\n".join(table + [f"REFUSED: {reason}" for reason in report["refused"]])


def duration(seconds: float) -> str:
    """Return seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
