"""A suite that was started in the background inherits that SIGINT is ignored; what a test interrupts must hear it."""

import signal

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
