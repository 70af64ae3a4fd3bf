"""The study: what is trained where, what the runs say, and the book that says it.

The folders are the flow: ``runs`` (start trainings) -> ``results`` (tables) -> ``findings`` (statistics) ->
``chapters`` (figures and words) -> ``book``; ``classroom`` makes the lessons, ``commands`` is the command line.
"""
