"""Background processes by pid *and* start time, so that a reused pid is never taken for one of ours."""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

POLL_SECONDS = 0.02


class RunningProcess(BaseModel):
    """What a run file holds. `birth` is the start time as the system states it, compared only for equality.

    `stop`: the signal that tells it to end.
    """

    pid: int
    birth: str
    fingerprint: str
    stop: int = signal.SIGTERM


UNREAPED_SECONDS = 3.0
"""How long the machine may take to put away what is dead. Where nobody does so, we go on all the same."""


def birth(pid: int) -> str | None:
    """When process `pid` started; None when there is none, or only a zombie that nobody has reaped yet."""
    proc = Path("/proc")
    if (proc / "self/stat").exists():
        try:
            # The command may hold spaces and parentheses: the fields are counted from its last parenthesis.
            fields = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    answer = subprocess.run(  # noqa: S603
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def alive(process: RunningProcess) -> bool:
    return birth(process.pid) == process.birth


def begin(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    account: str | None = None,
    directory: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in its own session, its output appended to `log`. OSError when it can't be started.

    `environment` is what it gets besides ours. `account`: as whom root starts it; it may not be able to enter where we
    are, so name a `directory`.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # where no bytecode is kept, a worker compiles the workflow anew for each lifecycle: thrice the time
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **environment},
            user=account,
            group=None if account is None else pwd.getpwnam(account).pw_gid,
            extra_groups=None if account is None else [],
            cwd=directory,
        )


def spawn(
    command: Sequence[str],
    fingerprint: str,
    log: Path,
    environment: Mapping[str, str],
    *,
    account: str | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> tuple[RunningProcess, subprocess.Popen[bytes]]:
    """Start a process, as `begin` does, and say by what it is known. An account starts from `/`."""
    child = begin(command, log, environment, account=account, directory=None if account is None else "/")
    return RunningProcess(pid=child.pid, birth=birth(child.pid) or "", fingerprint=fingerprint, stop=stop), child


def send(process: RunningProcess, number: signal.Signals) -> None:
    """Signal the process and whatever it started, if it is still the one that we know."""
    if alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def end_rest(process: RunningProcess, seconds: float) -> bool:
    """Kill what a process that is gone has left behind in its group, such as a server's workers; True once all is gone.

    While one of a group lives, its number is nobody's pid. Where there is no /proc, nothing is looked for. What is dead
    and still has its pid is waited for, too: PostgreSQL takes that for a server that runs on its data.
    """
    put_away = time.monotonic() + min(seconds, UNREAPED_SECONDS)
    while birth(process.pid) is None and _has_pid(process.pid) and time.monotonic() < put_away:
        time.sleep(POLL_SECONDS)
    deadline = time.monotonic() + seconds
    while birth(process.pid) is None and (left := _left_behind(process)):
        if time.monotonic() > deadline:
            return False
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return True


def _has_pid(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _left_behind(process: RunningProcess) -> list[int]:
    """Those of the group and session that the process led, born after it and since the machine's last start."""
    boot, _, since = process.birth.rpartition("/")
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat") if boot else ():
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            pid = int(stat.parent.name)
            born = birth(pid)
            ours = fields[2] == fields[3] == str(process.pid) and int(fields[19]) >= int(since)
            if ours and born == f"{boot}/{fields[19]}":
                found.append(pid)
    return found


def wait_gone(process: RunningProcess, seconds: float) -> bool:
    """True once the process is gone; False after `seconds`."""
    deadline = time.monotonic() + seconds
    while alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def port_free(host: str, port: int) -> bool:
    """Whether we could listen there now. A connection in TIME_WAIT doesn't count: servers reuse the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Who listens on a TCP port, as ` by pid 123 (command)`; empty where the system doesn't tell."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with contextlib.suppress(OSError):
            if os.readlink(descriptor) in inodes:
                process = descriptor.parts[2]
                command = Path("/proc", process, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return f" by pid {process} ({command.strip()[:80]})"
    return ""


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
