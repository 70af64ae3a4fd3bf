"""seqmix: LSTM, Transformer, or a mix of both?

A small model and trainer package with the analysis that a Jupyter Book study calls.
The flow is visible in the folders: ``studies/*.yaml`` -> ``runs/<run_id>/`` -> ``results/*.csv`` -> chapters -> book.
"""

__version__ = "0.1.0"
