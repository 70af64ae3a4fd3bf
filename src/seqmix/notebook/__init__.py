"""Strict execution of the chapter notebooks: parameters are checked first, a chapter appears only when it succeeded.

``sources`` reads a chapter, ``parameters`` reads and checks its parameters cell, ``fingerprint`` decides whether an
executed chapter is up to date, ``execute`` runs one chapter through papermill, ``runner`` runs many. Nothing here
imports torch.
"""
