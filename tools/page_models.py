"""Export the models that chapters ask (``book/models.yaml``): ``python tools/page_models.py [--tier TIER] [NAME...]``.

Weights come from the folder of runs ($SEQMIX_RUNS); exit code 1 if a model could not be written.
"""

import argparse
import sys

import yaml

from seqmix.paths import Paths
from seqmix_study.results import published
from seqmix_study.runs.page_export import export_page
from seqmix_study.runs.page_file import folder

NO_EVIDENCE = ("sweep", "choice", "check")


def the_run(rows: list[dict], wanted: dict) -> str:
    """Return the id of the one finished run of evidence that fits; ValueError for none or several."""
    rows = [row for row in rows if row["status"] == "finished" and row.get("role", "") not in NO_EVIDENCE]
    found = {row["run_id"] for row in rows if all(row[key] == str(value) for key, value in wanted.items())}
    if len(found) != 1:
        raise ValueError(f"{len(found)} published runs fit {wanted}; one is needed")
    return found.pop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these models")
    parser.add_argument("--tier", default="laptop")
    arguments, paths, failed = parser.parse_args(), Paths(), 0
    models = yaml.safe_load((paths.book / "models.yaml").read_text(encoding="utf-8"))
    rows = published.frame(paths.results / arguments.tier / "runs.csv", dtype=str).fillna("").to_dict("records")
    for name in arguments.names or models:
        try:
            run = the_run(rows, models[name])
            written = export_page(paths.runs / run, folder(paths.results, arguments.tier) / f"{name}.json")
            print(f"{name}: {run}, {written['format']}, {len(written['weights']):,} bytes")
        except (KeyError, OSError, ValueError) as error:
            print(f"{name}: not written: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
