"""Formulas as MathML, which browsers and e-book readers draw without a script (``html_math_renderer``)."""

from docutils import nodes
from latex2mathml.converter import convert


def inline(translator, node) -> None:
    """Write a formula in a line of text."""
    translator.body.append(convert(node.astext().strip()))
    raise nodes.SkipNode


def display(translator, node) -> None:
    """Write a formula on a line of its own."""
    translator.body.append(f"<p>{convert(node.astext().strip(), display='block')}</p>")
    raise nodes.SkipNode
