"""Ends processes when the run that started them ends in any way, a SIGKILL included."""

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from starter.erp.places import server_account
from starter.processes import begin, tail

# Standard input closes when the run is gone. One pid a line, each the leader of a group; `done` when they have ended.
GUARD = """
groups=
while read -r line; do
    case "$line" in done) groups= ;; *) groups="$groups $line" ;; esac
done
for group in $groups; do kill -s QUIT -- "-$group" 2>/dev/null; done
test -z "$groups" || sleep 1
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$@"
"""


class Guarded:
    """Processes in a directory of theirs. `with` ends the processes, last first, and removes the directories."""

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._processes: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    def __enter__(self) -> "Guarded":
        names = [str(each) for each in self._directories]
        self._guard = subprocess.Popen(  # noqa: S603
            ["sh", "-c", GUARD, "guard", *names],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        return self

    def start(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        stop: signal.Signals = signal.SIGTERM,
        as_server: bool = False,
    ) -> subprocess.Popen[bytes]:
        """A process with its output in `log`; `as_server`: under the account that PostgreSQL runs as."""
        account = server_account() if as_server else None
        name = account.pw_name if account else None
        process = begin(command, log, environment or {}, account=name, directory="/")
        self._processes.append((process, stop))
        self._tell(str(process.pid))
        return process

    def stop(self) -> None:
        """End the processes, last first, and wait for them."""
        while self._processes:
            process, stop = self._processes.pop()
            process.send_signal(stop)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        self._tell("done")

    def _tell(self, line: str) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.write(f"{line}\n")
            self._guard.stdin.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._guard.communicate()
        for directory in self._directories:
            shutil.rmtree(directory, ignore_errors=True)


def last_words(process: subprocess.Popen[bytes], log: Path) -> str:
    """What a process that should be up has to say: its exit code and the end of its log."""
    code = process.poll()
    return f"{'it is not ready' if code is None else f'it ended with {code}'}; the end of {log}:\n{tail(log)}"
