"""What several subcommands say and do alike."""

import json
import shutil
from pathlib import Path
from typing import Any

import click

from seqmix.files import printable

TIERS = click.Choice(["quick", "laptop", "gpu"])


class Named(click.Path):
    """A file whose name says what is in it by one of these ``endings``."""

    def __init__(self, *endings: str, **more: Any) -> None:
        super().__init__(dir_okay=False, path_type=Path, **more)
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).lower().endswith(self.endings):
            self.fail(f"{value}: name a file that ends in {' or '.join(self.endings)}", param, ctx)
        return super().convert(value, param, ctx)


def say(text: object, err: bool = False) -> None:
    """Print lines of text without what names of others (files, columns, records) would do to a terminal."""
    click.echo("\n".join(map(printable, str(text).split("\n"))), err=err)


def tell_agreement(tier: str, points: Any, place: Any, as_json: bool = False) -> dict:
    """Say of every run of the records in ``place``, and of every cell, whether it lies where the published ones do.

    Returns the counts of all verdicts and whether they agree (``agreement.summarise``).
    """
    from seqmix_study.results import agreement

    summary = agreement.summarise(points)
    if as_json:
        rows = json.loads(points.to_json(orient="records"))
        say(json.dumps({"tier": tier, "summary": summary, "points": rows}, indent=1))
        return summary
    for point in points[points["verdict"].isin(agreement.BAD)].itertuples():
        span = f"{point.loss:.4f} not in {point.low:.4f} .. {point.high:.4f} (n = {point.published})"
        say(f"{point.verdict:<9} {point.study:<9} {point.run_id}  {span}: {point.reason}")
    for cell, counts in agreement.by_cell(points).items():
        say(f"{counts:<24} {cell}")
    counts = ", ".join(f"{summary[name]} {name}" for name in agreement.VERDICTS)
    say(f"{len(points)} runs against the published {tier} tier: {counts}")
    if not len(points):
        say(f"no ended run of tier {tier} in {place}: seqmix train all --tier {tier} --fresh")
    elif summary["alone"] < len(points):
        say("they agree" if summary["agrees"] else "they do NOT agree: more are outside than chance allows")
    return summary


def tell_fresh(tier: str, paths: Any, studies: list[str]) -> None:
    """Say of every run, cell and finding that fresh records of ``studies`` can answer whether it agrees."""
    from seqmix.paths import Paths
    from seqmix_study.findings import study as asked
    from seqmix_study.results import agreement, collect
    from seqmix_study.runs.known import Known
    from seqmix_study.runs.selection import resolve

    points = agreement.compare(tier, paths)
    tell_agreement(tier, points[points["study"].isin(studies)], paths.runs)
    place = agreement.Elsewhere(paths.root, paths.runs)
    shutil.rmtree(place.results, ignore_errors=True)  # tables of an earlier fresh training
    known = Known(tier, paths, committed=False)
    try:
        for name in studies:
            collect.collect(resolve(name, tier, paths, known)[name].runs, tier, name, paths=place)
        here = asked.compute(tier, place.results).table().set_index("row", drop=False)
        rows = agreement.findings(here, asked.rows(tier, Paths()))
    except (ValueError, OSError) as error:  # a tier without tables, or records that answer nothing
        say(f"findings: none can be compared ({str(error).splitlines()[0]})")
        return
    for row in rows[~rows["inside"]].itertuples():
        span = f"{row.estimate:.4g} not in {row.lo:.4g} .. {row.hi:.4g}"
        say(f"outside   finding {row.Index}: {span} (published as {row.verdict})")
    say(f"{len(rows)} findings answered by both from runs alike: {rows['inside'].sum()} inside the published interval")
