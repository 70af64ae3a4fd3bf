"""``your-runs``: the runs of this machine against the published intervals, a row a study (see ``seqmix compare``)."""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

__all__ = ["YourRuns", "comparison", "setup"]

TIERS = ("gpu", "laptop")


def comparison(root: Path) -> str:
    """Return MyST: for each published tier what the runs of this machine say, or why there is nothing to compare."""
    from seqmix.files import RecordError
    from seqmix.paths import Paths
    from seqmix_study.results import agreement as compare
    from seqmix_study.results.collect import CollectError

    parts = []
    paths = Paths(root)
    for tier in TIERS:
        if not (paths.results / tier / "runs.csv").is_file():
            continue
        try:
            points = [p for p in compare.compare(tier, paths) if p.published]
        except (CollectError, RecordError) as error:
            parts.append(f"The runs here cannot be compared with tier *{tier}*: {error}")
            continue
        if points:
            parts.append(_table(tier, points, compare.summarise(points)))
    if parts:
        return "\n\n".join(parts) + "\n"
    return (
        "This book was built on a machine without runs of a published tier, so there is nothing to compare yet: "
        "`seqmix train scaling --tier laptop`, then `seqmix book`.\n"
    )


def _table(tier: str, points: list, summary: dict) -> str:
    names = ("same", "inside", "outside", "diverged")
    said = "agree with" if summary["agrees"] else "**do not agree** with"
    lines = [f"The runs of this machine {said} the published tier *{tier}*.", ""]
    lines += ["| study | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for study in dict.fromkeys(point.study for point in points):
        counts = (str(sum(p.verdict == name for p in points if p.study == study)) for name in names)
        lines.append(f"| {study} | " + " | ".join(counts) + " |")
    outside = [p for p in points if p.verdict in ("outside", "diverged")][:20]
    lines += [""] + [f"* `{p.run_id}`: {p.verdict}; {p.reason}" for p in outside]
    return "\n".join(lines)


class YourRuns(SphinxDirective):
    """Show the comparison."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        return self.parse_text_to_nodes(comparison(Path(self.env.app.srcdir)))


def setup(app) -> None:
    """Register the directive."""
    app.add_directive("your-runs", YourRuns)
