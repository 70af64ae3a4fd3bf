"""``seqmix status``: the runs on this machine and how they are; of one study, what is known so far."""

import json
import math
from collections import Counter, defaultdict

import click

from seqmix.files import RecordError, printable
from seqmix_study.commands._common import say


@click.command("status")
@click.argument("study", default="")
@click.option("--tier", default="laptop", show_default=True, help="With STUDY: quick, laptop or gpu.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list; without STUDY.")
def command(study: str, tier: str, as_json: bool) -> None:
    """List the run records of this machine that are running, interrupted, diverged, failed or corrupt; count all.

    With STUDY: what is known of its sweeps, the best rate so far of each and whether worse rates lie on both sides.
    A corrupt record is one that was edited, emptied or torn after its run ended: the line names the file and what
    to do. Exit code 1 if there is one.
    """
    from seqmix.paths import Paths
    from seqmix.record import run_folders

    if study and as_json:
        raise click.UsageError("--json lists the runs on this machine: not with STUDY")
    if study:
        return _sweeps(study, tier)
    rows = [_row(folder) for folder in run_folders(Paths().runs)]
    if as_json:
        say(json.dumps(rows, indent=1))
    else:
        counts = Counter(row["status"] for row in rows)
        for row in rows:
            if row["status"] != "finished" or row["notes"] or row["reason"]:
                what = row["problem"] or row["reason"] or (f"step {row['step']}" if row["step"] else "")
                say(printable(f"{row['status']:<12} {row['study']:<10} {row['run_id']}  {what}").rstrip())
                for note in row["notes"]:
                    say(f"{'':<12} note: {note}")
        say(", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "no runs yet")
    raise SystemExit(1 if any(row["status"] == "corrupt" for row in rows) else 0)


def _sweeps(name: str, tier: str) -> None:
    """Say what is known of a study: the best rate of every sweep so far, and what its cells wait for."""
    from seqmix_study.runs import launch
    from seqmix_study.runs.job import Queue
    from seqmix_study.runs.selection import requested

    queue = Queue(launch.request(requested(name, tier), tier))
    plan = queue.plan()[name]
    trials: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for config in plan.runs:
        rate = getattr(config, "rate", None)
        if rate and not rate.sweep.startswith("law") and (ended := queue.known.of(config)):
            trials[rate.sweep][config.train.lr].append(ended.score(config.train.steps))
    for sweep, tried in trials.items():
        means = {lr: sum(scores) / len(scores) for lr, scores in tried.items()}
        best = min(means, key=means.get)
        found = plan.sweeps.get(sweep)
        state = f"decided, regret {found.regret or 0:.4f}" if found else "going on"
        where = "interior" if min(means) < best < max(means) else "at the edge"
        score = f"{means[best]:.4f}" if math.isfinite(means[best]) else "diverged"
        say(f"{sweep:<44} {len(means):>3} rates, best {best:.3g} ({score}), {where}; {state}")
    for why, count in Counter(plan.waiting.values()).items():
        say(f"{count} cells wait for {why.replace('its ', 'their ')}")


def _row(folder) -> dict:
    from seqmix_study.runs.job import unmeasured

    row = {"run_id": folder.run_id, "status": folder.status(), "study": "", "tier": "", "arm": "", "step": 0}
    row |= {"reason": "", "problem": folder.problem(), "notes": folder.notes(), "loss": None}
    if row["status"] in ("corrupt", "new"):
        return row
    try:
        config = folder.config()
        row |= {"study": config.study, "tier": config.tier, "arm": getattr(config, "arm", ""), "step": folder.step()}
        left = ", ".join(unmeasured(config, folder)) if row["status"] == "finished" else ""
        row["reason"] = f"trained; still to be measured: {left}" if left else folder.outcome().get("reason", "")
        loss = folder.metrics().get("loss")
        row["loss"] = loss if loss is not None and math.isfinite(loss) else None  # JSON has no word for the others
    except RecordError as error:
        row |= {"problem": str(error)}
    return row
