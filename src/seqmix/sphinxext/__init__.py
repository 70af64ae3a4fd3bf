"""The few own Sphinx roles and hooks of the book; ``_config.yml`` names this one extension.

``val``      a measured number, taken from a results table (never typed into prose)
``said``     a number that a cited source states, marked as such
``mathjax``  MathJax from a package into ``_static``, so that formulas render without network
``api``      the package's public functions and classes, from their docstrings
``explorer`` a published figure that the reader can turn
``pages``    directives that show the executed chapters on the front page and the status page
"""

from seqmix.sphinxext import api, explorer, mathjax, pages, val


def setup(app):
    """Register everything with Sphinx."""
    api.setup(app)
    explorer.setup(app)
    val.setup(app)
    mathjax.setup(app)
    pages.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
