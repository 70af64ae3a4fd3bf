"""Traces of the trained models of the study ``inside``: what its pictures are drawn from.

``python -m seqmix_study.runs.looking laptop`` looks into the models whose weights are in ``runs/`` and writes
``results/<tier>/traces.json``, which the chapter reads. The work is done by ``seqmix.traces`` in a process of its own,
so that whoever asks never loads torch.

A trace: ``question`` (one document and where its answer was stated), ``documents`` (how many the gate statistics rest
on) and ``runs``, one dict a model (see ``traces.trace``); attention only of the first seed.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from seqmix import data, study
from seqmix.config import RunConfig
from seqmix.paths import Paths
from seqmix.record import RunFolder
from seqmix_study.results import published as tables
from seqmix_study.runs import aside

__all__ = ["available", "published", "write"]


def available(run_ids: Iterable[str], paths: Paths | None = None) -> list[RunConfig]:
    """Return the configurations of those runs that have finished and whose weights are on this machine."""
    runs = (paths or Paths()).runs
    return [RunFolder(runs / run_id).config() for run_id in run_ids if aside.has_weights(runs, run_id)]


def published(tier: str, paths: Paths | None = None) -> dict:
    """Return the committed traces of a tier ({} if there are none)."""
    return tables.value((paths or Paths()).results / tier / "traces.json") or {}


def write(configs: list[RunConfig], paths: Paths | None = None) -> dict:
    """Look into every run in a process of its own; {} if there are none. Raises RuntimeError if that fails."""
    return aside.ask("seqmix_study.runs.looking", configs, (paths or Paths()).runs) if configs else {}


def _traces(configs: list[RunConfig], runs: Path) -> dict:
    """Look into some runs of one source (ValueError if there are several): in the process that loads torch."""
    from seqmix import traces

    if len({config.data.model_dump_json() for config in configs}) > 1:
        raise ValueError("these runs read different sources: one picture cannot show them all")
    source = data.open_source(configs[0].data)
    first = {config.arm: config.seed for config in sorted(configs, key=lambda config: -config.seed)}
    asked = traces.question(source)
    found = [traces.trace(aside.model_of(c, runs), source, c, asked, whole=first[c.arm] == c.seed) for c in configs]
    described = traces.described(asked, source.almanac, source.name)
    return {"question": described, "documents": traces.DOCUMENTS, "runs": found}


def text(found: dict) -> str:
    """Return traces as JSON, one line a model: small, and a change of one model is a change of one line."""
    plain = {key: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for key, value in found.items()}
    runs = ",\n".join(json.dumps(run, ensure_ascii=False, separators=(",", ":")) for run in found["runs"])
    plain["runs"] = f"[\n{runs}\n]"
    return "{" + ",\n".join(f"{json.dumps(key)}:{value}" for key, value in plain.items()) + "}\n"


def main(argument: str) -> None:
    """Answer a request on standard input (``-``), or write the traces of a tier into ``results/``."""
    if argument == "-":
        print(json.dumps(_traces(*aside.request())))
        return
    paths = Paths()
    found = write(available((config.run_id for config in study.plan("inside", argument, paths=paths)), paths), paths)
    if not found:
        sys.exit(f"no finished run of the study inside at the {argument} tier has weights in {paths.runs}")
    tables.write(paths.results / argument, {"traces.json": text(found)})
    print(f"traces of {len(found['runs'])} models in {paths.results / argument / 'traces.json'}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m seqmix_study.runs.looking TIER")
    main(sys.argv[1])
