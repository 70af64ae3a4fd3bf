"""``seqmix plan``: what would run, stage by stage, and what it would cost."""

import datetime
import json

import click

from seqmix_study.commands._common import say


@click.command("plan")
@click.argument("chapters", nargs=-1, required=True, metavar="STUDY...")
@click.option("--tier", default="quick", show_default=True, help="quick, laptop or gpu")
@click.option("--only", multiple=True, metavar="GROUP", help="Only this group of the study (repeatable).")
@click.option("--jobs", type=click.IntRange(1), help="Workers to plan for; default: chosen from the machine.")
@click.option("--fresh", is_flag=True, help="What it costs from nothing: as if nothing were published or here.")
@click.option("--no-time", is_flag=True, help="Do not measure steps here: times of the machine that published.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(chapters, tier, only, jobs, fresh, no_time, as_json) -> None:
    """Print the stages of studies (or of "all"): runs done, ready and waiting for others; FLOPs, time, memory.

    Where rates are tuned, results decide what runs: what waits is a forecast, of searches that find their best
    rate soon. The time comes from a few measured steps. Exit code 2: the request is wrong, or a run cannot fit
    here (the message says what to lower).
    """
    from seqmix_study.chapters.common import template
    from seqmix_study.runs import checks, launch
    from seqmix_study.runs import fresh as from_nothing
    from seqmix_study.runs.forecast import START_SECONDS, assumed_seconds, forecast, slowdown
    from seqmix_study.runs.job import Queue
    from seqmix_study.runs.machine import layout, run_memory
    from seqmix_study.runs.selection import requested

    paths = from_nothing.paths(fresh)
    checks.environment()
    studies = {k: v for chapter in chapters for k, v in requested(chapter, tier, only, paths).items()}
    queue = Queue(launch.request(studies, tier, (), paths, committed=not fresh))
    runs = queue.runs()
    todo = [config for config in runs if not queue.done(config)]
    refused = checks.refusals(todo, paths.runs)
    place = layout(todo, jobs, more=len(queue.waiting()))
    studies = [{"study": name, "stages": [vars(stage) for stage in forecast(name, queue)]} for name in queue.plans]
    alone = sum(assumed_seconds(config) for config in todo if config.kind == "speed")
    together = sum(stage["seconds"] for row in studies for stage in row["stages"]) - alone
    longest = max((assumed_seconds(config) for config in todo if config.kind == "train"), default=0.0)
    seconds = START_SECONDS + max(together / place.at_once, longest) + alone
    seconds *= 1.0 if refused or no_time else slowdown(todo, place)
    report = {"tier": tier, "studies": studies, "runs": len(runs), "to_do": len(todo), "waiting": len(queue.waiting())}
    report |= {"jobs": place.jobs, "threads": place.threads, "seconds": round(seconds, 1), "refused": refused}
    report["memory_bytes"] = max((run_memory(c) for c in todo if c.kind == "train"), default=0)
    report["flops"] = sum(stage["flops"] for row in studies for stage in row["stages"])
    text = template("plan.txt", __package__).render(report, duration=duration)
    say(json.dumps(report, indent=1) if as_json else text)
    raise SystemExit(2 if refused else 0)


def duration(seconds: float) -> str:
    """Return hours, minutes and seconds, as the line of progress writes them."""
    return str(datetime.timedelta(seconds=round(seconds)))
