"""``api-reference``: the modules of both packages with what they offer; every name leads to its code and docstring.

Read from the source with ``ast``, not by importing: the page needs neither torch nor a GPU.
"""

import ast

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from seqmix_study.book.sphinxext.code import address, modules


def public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes that a module offers: those without underscore."""
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return [node for node in found if not node.name.startswith("_")]


class ApiReference(SphinxDirective):
    """An entry a module: what it is, then the names of its public functions and classes."""

    def run(self) -> list[nodes.Node]:
        entries = nodes.definition_list(classes=["api"])
        for module, file in modules().items():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if members := public(tree):
                said = (ast.get_docstring(tree) or "").partition("\n\n")[0].replace("``", "")
                names = [node for m in members for node in (self.link(module, m.name, m.lineno), nodes.Text(" "))]
                about = nodes.paragraph(text=" ".join(said.split())), nodes.paragraph("", "", *names)
                term = nodes.term("", "", self.link(module, module))
                entries += nodes.definition_list_item("", term, nodes.definition("", *about))
        return [entries]

    def link(self, module: str, text: str, line: int = 0) -> nodes.Node:
        """Return a link to the code, where the book has pages of code; else the bare name."""
        if self.env.app.builder.name != "html":
            return nodes.literal(text=text)
        place = "../" * self.env.docname.count("/") + address(module, line)
        return nodes.reference("", "", nodes.literal(text=text), refuri=place, internal=True)
