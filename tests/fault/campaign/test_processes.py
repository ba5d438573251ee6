"""What the campaign puts around the product's processes: points at which they die, and clocks of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

from bench.faults.points import fired, write_points
from bench.faults.process import shift_clock
from bench.town import ROOT

PASSING = """
import sys
from pathlib import Path
from bench.faults import points
told = points.Points(Path(sys.argv[1]))
points._operation.set("create_customer")
for _ in range(int(sys.argv[2])):
    told.passed("sent")
"""


def passing(directory: Path, times: int) -> int:
    command = [sys.executable, "-c", PASSING, str(directory), str(times)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


async def test_a_process_dies_at_the_nth_passing_counted_over_all_its_lives(tmp_path: Path) -> None:
    directory = tmp_path / "points"
    write_points(directory, [{"operation": "create_customer", "boundary": "sent", "nth": 5}])
    assert await asyncio.to_thread(passing, directory, 3) == 0
    assert await asyncio.to_thread(passing, directory, 3) == -signal.SIGKILL
    assert fired(directory) == ["create_customer.sent 5"]
    assert await asyncio.to_thread(passing, directory, 9) == 0, "once"


def test_a_clock_is_shifted_wherever_the_product_looks_at_it_and_nowhere_else() -> None:
    ours, theirs = ModuleType("starter.clocked"), ModuleType("httpx.clocked")
    for module in (ours, theirs):
        module.__dict__.update(datetime=datetime, time=time)
    shift_clock(-240, {module.__name__: module for module in (ours, theirs)})
    behind = timedelta(seconds=-241), timedelta(seconds=-239)
    assert behind[0] < ours.datetime.now(UTC) - datetime.now(UTC) < behind[1]
    assert -241 < ours.time.time() - time.time() < -239
    assert abs(ours.time.monotonic() - time.monotonic()) < 1
    assert isinstance(datetime.now(UTC), ours.datetime)
    assert theirs.datetime is datetime
    assert theirs.time is time
