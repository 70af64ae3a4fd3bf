"""A suite that was started in the background inherits that SIGINT is ignored; what a test interrupts must hear it.

Nor does a test train into the folder of runs of whoever starts the suite.
"""

import os
import signal

os.environ.pop("SEQMIX_RUNS", None)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("test_end_to_end", "test_book", "test_notebook_runner", "test_engine", "test_stages_run", "test_classroom")
"""Files that take a minute or more: what starts last would keep one worker busy while the others have nothing left."""


def pytest_collection_modifyitems(items):
    """Put the longest files first; the others keep their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
