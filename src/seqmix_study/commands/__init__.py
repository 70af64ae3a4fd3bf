"""Subcommands of ``seqmix``: a module a command, each with a click command named ``command``.

Heavy imports (torch, pandas, matplotlib) happen inside the functions, so that a mistyped request fails at once.
"""
