"""Execute the chapters strictly, assemble them with the pages written by hand into the book, and check it.

``sources`` reads a chapter and its parameters cell, ``fingerprint`` decides whether an executed chapter is up to date,
``execute`` runs one chapter through papermill, ``runner`` runs many, ``prepare`` makes its page, ``build`` assembles,
``check_chapters`` and ``check_pages`` check. A chapter appears only when it succeeded. Nothing imports torch.
"""
