"""One server process of a bench: started, waited for, and ended by its own pid."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from starter.stack_specs import answers

START_SECONDS = 120.0


@contextmanager
def running(command: Sequence[str], ready: str, log: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """The pid of a process that answers 200 at `ready`. Nothing of the caller's settings reaches it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TENURE_", "TEMPORAL_"))}
    with log.open("ab") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output, env={**inherited, **environment})
    try:
        probe, give_up = answers(ready), time.monotonic() + START_SECONDS
        while not probe():
            if child.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{' '.join(command)} did not get ready:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def resident_megabytes(pid: int) -> float:
    """What the process holds in memory now."""
    status = Path("/proc", str(pid), "status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def processor_seconds(pid: int) -> float:
    """How long it has run, on whatever processor, to a hundredth of a second."""
    fields = Path("/proc", str(pid), "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
