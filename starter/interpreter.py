"""How the interpreter of a long-running process is set, once it is ready: docs/benchmarks.md has what that brings."""

import gc
import sys

TURN = 0.05
"""Seconds after which a thread that computes makes way for one that waits. With Python's own 5 ms, event loop and store
went to and fro between the cores, each time with cold caches; both make way anyhow whenever they wait for something."""
GARBAGE = 10_000
"""Objects more than before, until the young ones are looked through for garbage; Python's own is 700."""


def settle_interpreter() -> None:
    """Before the work begins: collections of garbage pass over what is there by now, the code above all."""
    sys.setswitchinterval(TURN)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
