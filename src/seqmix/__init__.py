"""seqmix: LSTM, Transformer, or a mix of both?

A small package of models, data, a trainer and the record of a run. ``seqmix_study`` is the study that uses it.
The flow is visible in the folders: ``studies/*.yaml`` -> ``runs/<run_id>/`` -> ``results/*.csv`` -> chapters -> book.
"""

__version__ = "0.1.0"
