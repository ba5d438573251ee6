"""Writers in several processes, and one that is killed: nothing acknowledged is lost, nobody is locked out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from store.database import Database
from store.inbox import Inbox
from store.settings import setting

ROOT = Path(__file__).parents[2]


def start_writer(url: str, name: str, events: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("writer_child.py")), url, name, str(events)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_what_was_acknowledged_outlives_sigkill(url: str, database: Database) -> None:
    writer = start_writer(url, "w", 1_000_000)
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.read().split("\n")[:-1]  # the last line may be cut
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    kept = {row.event_id for row in await Inbox(database).list(limit=1_000_000)}
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= kept
    assert await Inbox(database).accept("w", "after the crash", "t", "s", "{}"), "the store can be written at once"


async def test_three_processes_write_at_once(url: str, database: Database) -> None:
    writers = [start_writer(url, name, 100) for name in ("a", "b", "c")]
    for writer in writers:
        out, errors = writer.communicate(timeout=60)
        assert (writer.returncode, errors, len(out.split())) == (0, "", 100)
    assert await Inbox(database).counts() == {"received": 300}
    counted = await database.read(lambda session: setting(session, "n"))
    assert counted == "300", "every read-then-write saw the one before"
