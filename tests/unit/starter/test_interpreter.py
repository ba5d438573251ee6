"""The interpreter of a long-running process: its garbage goes, and what it has loaded is not looked through for it."""

import subprocess
import sys

LOOPS = """
import gc, weakref
from starter.interpreter import settle_interpreter

class Loop:
    def __init__(self):
        self.me = self

before = len(gc.get_objects())
settle_interpreter()
assert len(gc.get_objects()) < before / 100, len(gc.get_objects())
first = weakref.ref(Loop())
kept = [[] for _ in range(50_000)]
assert first() is None
"""


def test_garbage_goes_and_what_is_loaded_is_passed_over() -> None:
    subprocess.run([sys.executable, "-c", LOOPS], check=True, timeout=60)
