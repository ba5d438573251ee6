"""The health check of the processes without a port, asked as an engine does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from starter.ready import DEAD_AFTER, announce_ready, complaint, withdraw_ready

ROOT = Path(__file__).parents[3]
PROCESS = """
import asyncio
from starter.process import run_process
from starter.ready import announce_ready

async def serve(settings, stop):
    announce_ready()
    await stop.wait()

run_process("test", serve)
"""


@pytest.fixture
def ready_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENURE_READY_FILE", str(tmp_path / "ready"))
    return tmp_path / "ready"


def asked(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "starter.ready", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stderr.strip()


def test_what_was_announced_is_ready_until_it_is_withdrawn(ready_file: Path) -> None:
    assert asked() == (1, "not ready yet")
    announce_ready()
    assert asked() == (0, "")
    withdraw_ready()
    assert complaint(None) == "not ready yet"


def test_a_process_that_hangs_is_noticed(ready_file: Path) -> None:
    """Its file is there, and grows old."""
    with subprocess.Popen([sys.executable, "-c", PROCESS], cwd=ROOT) as process:
        try:
            give_up = time.monotonic() + 20
            while complaint(None) and time.monotonic() < give_up:
                time.sleep(0.05)
            assert complaint(None) is None
            long_ago = time.time() - DEAD_AFTER - 1
            os.utime(ready_file, (long_ago, long_ago))
            while complaint(None) and time.monotonic() < give_up:
                time.sleep(0.05)
            assert complaint(None) is None, "it shows that it lives"
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
            os.utime(ready_file, (long_ago, long_ago))
            assert "no sign of life" in (complaint(None) or "")
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def test_what_the_one_before_has_left_is_not_believed(ready_file: Path) -> None:
    ready_file.write_text("1")
    code = "from starter.process import run_process\nasync def serve(*_): pass\nrun_process('test', serve)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    assert complaint(None) == "not ready yet"


def test_nobody_there_is_one_line() -> None:
    assert asked("http://127.0.0.1:9/readyz") == (1, "http://127.0.0.1:9/readyz: ConnectError")
    assert asked() == (1, "TENURE_READY_FILE is not set, and no URL is given")
