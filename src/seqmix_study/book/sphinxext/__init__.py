"""The few own Sphinx roles and hooks of the book; ``_config.yml`` names this one extension.

``roles``    numbers from published tables, words that a row of findings must carry, numbers that a source states
``mathml``   formulas without script or network
``api``      the package's public functions and classes, from their docstrings
``code``     the source of every module as a page
``figures``  figures as part of the page, with their values
``live``     demonstrations in which the reader asks the published models
``headlines``  a card a chapter on the front page
"""

from seqmix_study.book.sphinxext import api, code, figures, headlines, live, mathml, roles


def setup(app):
    """Register everything with Sphinx."""
    for name, read in roles.ROLES.items():
        app.add_role(name, read)
    app.add_html_math_renderer("mathml", (mathml.inline, None), (mathml.display, None))
    app.add_directive("api-reference", api.ApiReference)
    app.add_directive("headlines", headlines.Headlines)
    app.add_directive("live", live.Live)
    app.add_js_file("figures.js", loading_method="defer")
    app.config.epub_cover = ("_static/cover.png", "")  # a tuple, which YAML cannot write
    app.connect("builder-inited", _share_handlers)
    app.connect("html-collect-pages", code.pages)
    app.connect("doctree-resolved", figures.put_in)
    app.connect("html-page-context", live.ask_for_scripts)
    app.connect("build-finished", live.write_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _share_handlers(app) -> None:
    """Let the single page and the EPUB know all nodes that the HTML builder knows.

    Sphinx looks at the handlers of the builder's name and, only if there are none at all, at those of its format: one
    extension that registers for "singlehtml" (sphinx-exercise does) hides those of all others.
    """
    handlers = app.registry.translation_handlers
    for name in ("singlehtml", "epub"):
        if name in handlers:
            handlers[name] = {**handlers.get("html", {}), **handlers[name]}
