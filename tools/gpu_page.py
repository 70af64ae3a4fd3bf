"""Write the computed tables of ``book/gpu.md`` anew: ``python tools/gpu_page.py``."""

import re

from seqmix.paths import Paths
from seqmix.selection import select
from seqmix_study.runs import bigplan


def main() -> None:
    """Replace what stands between the page's markers."""
    page = Paths().root / "book" / "gpu.md"
    tables = {
        "tier": bigplan.tier_markdown(bigplan.tier_seconds(select("all", "gpu"))),
        "large": bigplan.large_markdown(bigplan.large_runs()) + "\n" + bigplan.assumptions(),
    }
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        start, end = f"<!-- generated: {name} -->", "<!-- end -->"
        pattern = re.compile(re.escape(start) + r".*?" + re.escape(end), re.S)
        text = pattern.sub(f"{start}\n\n{table.strip()}\n\n{end}".replace("\\", r"\\"), text)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
