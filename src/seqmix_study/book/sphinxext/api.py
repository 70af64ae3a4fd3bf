"""``api-reference``: the public functions and classes of the package, from their docstrings.

Read from the source with ``ast``, not by importing: the page needs neither torch nor a GPU, and a docstring is shown as
it is written (its formulas and shapes are laid out by hand), so that no docstring can break the strict build.
"""

import ast
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from seqmix_study.book.sphinxext.code import address, modules

__all__ = ["ApiReference", "public", "setup"]

LITERAL = re.compile(r"``([^`]+)``")


def public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes that a module offers: those in ``__all__``, else those without underscore."""
    offered = next(
        (
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        ),
        None,
    )
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [n for n in found if (n.name in offered if offered is not None else not n.name.startswith("_"))]


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """Return the head line of a definition as a reader types it."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


class ApiReference(SphinxDirective):
    """A section a module: what it is, then its public functions and classes."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        sections = []
        for module, file in modules().items():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if members := public(tree):
                sections.append(self.section(module, tree, members))
        return sections

    def section(self, module: str, tree: ast.Module, members: list) -> nodes.section:
        section = nodes.section("", nodes.title(module, module), ids=[f"api-{module.replace('.', '-')}"])
        section += prose(ast.get_docstring(tree))
        entries = nodes.definition_list(classes=["api"])
        for member in members:
            term = nodes.term("", "", nodes.literal(text=signature(member)), *self.source(module, member.lineno))
            entries += nodes.definition_list_item("", term, nodes.definition("", *prose(ast.get_docstring(member))))
        section += entries
        return section

    def source(self, module: str, line: int) -> list[nodes.Node]:
        """Return a link to the code, where the book has pages of code."""
        if self.env.app.builder.name != "html":
            return []
        up = "../" * self.env.docname.count("/")
        link = nodes.reference("", "code", refuri=up + address(module, line), internal=True, classes=["code-link"])
        return [nodes.Text(" "), link]


def prose(docstring: str | None) -> list[nodes.Node]:
    """Turn a docstring into paragraphs; indented parts, lists and examples keep their layout."""
    parts = []
    for block in re.split(r"\n\s*\n", docstring or ""):
        if not block.strip():
            continue
        if any(line.startswith((" ", "*", "-", ">>>")) for line in block.splitlines()):
            parts.append(nodes.literal_block(block, block, language="text", classes=["docstring"]))
            continue
        paragraph = nodes.paragraph()
        for index, text in enumerate(LITERAL.split(" ".join(block.split()))):
            paragraph += nodes.literal(text=text) if index % 2 else nodes.Text(text)
        parts.append(paragraph)
    return parts


def setup(app) -> None:
    """Register the directive."""
    app.add_directive("api-reference", ApiReference)
