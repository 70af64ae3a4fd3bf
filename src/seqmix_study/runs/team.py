"""Runs under ``torchrun``: all processes train one run together, process 0 leads."""

from pathlib import Path

from seqmix.config import RunConfig, SpeedConfig
from seqmix_study.runs.here import stoppable
from seqmix_study.runs.progress import Display
from seqmix_study.runs.worker import Result, carry_out

__all__ = ["run_team"]


def run_team(
    todo: list[RunConfig | SpeedConfig], runs: Path, tasks: str, display: Display
) -> tuple[dict[str, Result], str]:
    """Train the runs one after the other with all processes; return how they went and a fatal message or "".

    A failure ends the team, since the others wait in a collective that never comes: ``torchrun`` ends them when this
    process leaves. A process that does not lead follows until nothing is left, and reports every run as skipped.
    """
    from seqmix import distributed, train

    team = distributed.join()
    with stoppable() as asked:
        if not team.leads:
            while (config := team.listen()) is not None:
                try:
                    train.train(config, distributed.Spectator(runs / config.run_id), lambda row: asked.is_set())
                except train.Interrupted:
                    continue
            distributed.leave()
            return {config.run_id: Result(config.run_id, "skipped") for config in todo}, ""
        results: dict[str, Result] = {}
        for config in todo:
            if isinstance(config, SpeedConfig):
                why = "a speed measurement runs on one process: start it without torchrun"
                results[config.run_id] = Result(config.run_id, "interrupted", why)
                continue
            display.start(config.run_id)

            def report(row: dict, run_id: str = config.run_id) -> bool:
                display.step(run_id, row)
                return asked.is_set()

            result = carry_out(config, runs, report, tasks)
            if result.status == "busy":
                result = Result(config.run_id, "interrupted", "another process trains it")
            display.end(config.run_id, result.status)
            results[config.run_id] = result
            if result.status == "failed":
                return results, result.message
            if result.status == "interrupted" and asked.is_set():
                break
        team.announce(None)
    distributed.leave()
    return results, "stopped; start the same command again to go on" if asked.is_set() else ""
