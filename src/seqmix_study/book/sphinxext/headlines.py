"""``headlines``: a card a chapter on the front page: its main figure, the verdicts on its main claims, its question.

The lines of the content are ``chapter: claim, claim``; a chapter that was not executed has no card.
"""

import json
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from seqmix.paths import Paths
from seqmix_study.chapters.common import template
from seqmix_study.chapters.rows import PUBLISHED
from seqmix_study.findings import study


class Headlines(SphinxDirective):
    """Write the cards as MyST and let the parser read them."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        paths = Paths(self.env.app.srcdir)
        wanted = (line.replace(":", " ").replace(",", " ").split() for line in self.content)
        cards = [card(paths, *each) for each in wanted if (paths.executed / f"{each[0]}.ipynb").is_file()]
        return self.parse_text_to_nodes(template("headlines.md", __package__).render(cards=cards)) if cards else []


def card(paths: Paths, chapter: str, *claims: str) -> dict:
    """Return what stands on the card of an executed chapter."""
    notebook = json.loads((paths.executed / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    record = notebook["metadata"]["seqmix"]
    texts = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
    return {
        "title": record["title"], "chapter": chapter, "figures": record["figures"][:1],
        "claims": study.verdicts(PUBLISHED, paths).loc[list(claims)].to_dict("records"),
        "questions": re.findall(r"^\*\*Question\.\*\* (.+)$", texts, re.MULTILINE)[:1],
    }  # fmt: skip
