"""The local stack: Temporal, sandbox and ERP, gateway, dispatcher, worker: background processes of one machine."""

import contextlib
import fcntl
import hashlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import ValidationError

from starter.mistakes import Mistake
from starter.processes import (
    POLL_SECONDS,
    RunningProcess,
    alive,
    end_rest,
    port_free,
    port_holder,
    send,
    spawn,
    tail,
    wait_gone,
)
from starter.secrets import make_secrets
from starter.settings import PREFIX, Settings
from starter.stack_specs import ProcessSpec, local_specs

START_SECONDS = 60.0


class StackError(Mistake):
    """The stack can't do what was asked. The first line says why and what to do; a log's end may follow."""


class OtherSettings(StackError):
    """A process of this stack runs with other settings, or without time travel."""


@dataclass(frozen=True)
class ProcessStatus:
    """One process. `port` and `url` are where to reach it, None for one that only works."""

    name: str
    state: Literal["ready", "not ready", "stopped"]
    pid: int | None
    port: int | None
    url: str | None


class MakesSpecs(Protocol):
    def __call__(self, settings: Settings, *, time_travel: bool) -> Sequence[ProcessSpec]: ...


def _silent(_: str) -> None:
    pass


class LocalStack:
    """Starts and stops the processes, knows them again after a crash, and touches no process that it didn't start.

    State: `run/NAME.json` (pid and start time) and `logs/NAME.log` below `state_dir`. Everything is synchronous.
    """

    def __init__(
        self, settings: Settings, make_specs: MakesSpecs = local_specs, *, start_seconds: float = START_SECONDS
    ) -> None:
        self._settings = settings
        self._make_specs = make_specs
        self._start_seconds = start_seconds
        self._run = settings.state_path / "run"
        self._logs = settings.state_path / "logs"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def up(self, *, time_travel: bool = False, on_progress: Callable[[str], None] = _silent) -> tuple[str, ...]:
        """Start what isn't running, wait until everything is ready, and return the names of what was started.

        An empty answer: it was up already. Raises StackError, after stopping what this call started, when a port is
        taken, a process ends or isn't ready in time, or one runs with other settings than these.
        """
        with self._prepared():
            make_secrets(self._settings)
            specs = self._make_specs(self._settings, time_travel=time_travel)
            missing = self._missing(specs)
            self._options_file.write_text(json.dumps({"time_travel": time_travel}), encoding="utf-8")
            return self._start(specs, missing, on_progress)

    def down(self) -> tuple[str, ...]:
        """Stop every process that a stack in this `state_dir` started: asked, then killed. Returns their names."""
        with self._prepared():
            names = {file.stem for file in self._run.glob("*.json")} - {self._options_file.stem}
            # Those that need others go first, so that they can still say goodbye to them.
            first = {spec.name for spec in self._specs() if spec.after}
            stopped = self._stop(names & first) + self._stop(names - first)
            self._options_file.unlink(missing_ok=True)
            return stopped

    def status(self) -> tuple[ProcessStatus, ...]:
        """Every process of the stack, in order of dependency. Changes nothing."""
        answer = []
        for spec in self._specs():
            process = self._recorded(spec.name)
            up = process is not None and alive(process)
            answer.append(
                ProcessStatus(
                    name=spec.name,
                    state="stopped" if not up else "ready" if spec.ready() else "not ready",
                    pid=process.pid if process and up else None,
                    port=spec.ports[0].number if spec.ports else None,
                    url=spec.url,
                )
            )
        return tuple(answer)

    def start(self, name: str) -> None:
        """Start one process, as the last `up` would, and wait until it is ready. Nothing happens if it runs."""
        with self._prepared():
            spec = self._spec(name)
            self._start([spec], self._missing([spec]), _silent, wait_for_others=False)

    def stop(self, name: str) -> None:
        """Stop one process gracefully. The others stay up."""
        self._spec(name)
        with self._prepared():
            self._stop([name])

    def restart(self, name: str) -> None:
        """Stop one process gracefully and start it again."""
        self._spec(name)
        with self._prepared():
            self._stop([name])
        self.start(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int | None:
        """Send a signal to one process and return its pid (None: it wasn't running). SIGKILL waits until it is gone."""
        self._spec(name)
        process = self._recorded(name)
        if process is None or not alive(process):
            return None
        send(process, number)
        if number is signal.SIGKILL:
            wait_gone(process, self._settings.tuning.grace)
            self._reap(name)
        return process.pid

    def log_file(self, name: str) -> Path:
        """Where the output of the process goes; `NAME.log.1` beside it holds the run before."""
        return self._logs / f"{name}.log"

    def _start(
        self,
        specs: Sequence[ProcessSpec],
        missing: Collection[ProcessSpec],
        on_progress: Callable[[str], None],
        *,
        wait_for_others: bool = True,
    ) -> tuple[str, ...]:
        """Start `missing` in waves, each as soon as what it needs is ready; roll back if any of `specs` fails."""
        for spec in missing:
            if spec.prepare is not None:
                spec.prepare(on_progress)
        to_start = {spec.name: spec for spec in missing}
        not_ready = {spec.name: spec for spec in specs}
        started: list[str] = []
        deadline = time.monotonic() + self._start_seconds
        try:
            while not_ready:
                for spec in list(not_ready.values()):
                    if spec.name in to_start:
                        if not wait_for_others or not set(spec.after) & set(not_ready):
                            started.append(spec.name)
                            self._spawn(to_start.pop(spec.name))
                    elif self._is_ready(spec):
                        del not_ready[spec.name]
                        on_progress(f"{spec.name} is ready" + (f" at {spec.url}" if spec.url else ""))
                if not_ready and time.monotonic() > deadline:
                    late = next(name for name in not_ready if name not in to_start)
                    raise self._failed(late, f"not ready after {self._start_seconds:.0f} s")
                time.sleep(POLL_SECONDS if not_ready else 0)
        except BaseException:
            self._stop(reversed(started))
            raise
        return tuple(started)

    def _spawn(self, spec: ProcessSpec) -> None:
        mark = self._unclean_mark(spec.name)
        if spec.after_unclean_stop is not None and (mark.exists() or self._run_file(spec.name).exists()):
            spec.after_unclean_stop()
        mark.unlink(missing_ok=True)
        if spec.ready_file is not None:
            spec.ready_file.unlink(missing_ok=True)
        log = self.log_file(spec.name)
        if log.exists():
            log.replace(log.with_name(f"{log.name}.1"))
        try:
            process, child = spawn(
                spec.command, _fingerprint(spec), log, spec.environment, account=spec.account, stop=spec.stop
            )
        except OSError as error:
            raise StackError(f"{spec.name} can't be started: {spec.command[0]}: {error.strerror}") from None
        self._children[spec.name] = child
        draft = self._run_file(spec.name).with_suffix(".draft")
        draft.write_text(process.model_dump_json(), encoding="utf-8")
        draft.replace(self._run_file(spec.name))

    def _is_ready(self, spec: ProcessSpec) -> bool:
        process = self._recorded(spec.name)
        if process is None or not alive(process):
            raise self._failed(spec.name, "ended before it was ready")
        return spec.ready()

    def _failed(self, name: str, what: str) -> StackError:
        log = self.log_file(name)
        return StackError(f"{name}: {what}; the end of {log}:\n{tail(log)}")

    def _stop(self, names: Collection[str] | Iterator[str]) -> tuple[str, ...]:
        running = {name: process for name in names if (process := self._recorded(name)) is not None}
        stopped = tuple(name for name, process in running.items() if alive(process))
        for name, process in running.items():
            if not alive(process):
                self._unclean_mark(name).touch()
            send(process, signal.Signals(process.stop))
        deadline = time.monotonic() + self._settings.tuning.grace
        for name, process in running.items():
            if not wait_gone(process, max(0.0, deadline - time.monotonic())):
                send(process, signal.SIGKILL)
                self._unclean_mark(name).touch()
                if not wait_gone(process, self._settings.tuning.grace):
                    raise StackError(f"{name} (pid {process.pid}) can't be stopped")
            self._reap(name)
            self._end_rest(name, process)
            self._run_file(name).unlink(missing_ok=True)
            self._run_file(name).with_suffix(".ready").unlink(missing_ok=True)
        return stopped

    def _end_rest(self, name: str, process: RunningProcess) -> None:
        """What was killed alone has left its workers behind, with its port."""
        if not end_rest(process, self._settings.tuning.grace):
            raise StackError(f"what {name} (pid {process.pid}) has started can't be stopped")

    def _reap(self, name: str) -> None:
        """A child of this very process stays a zombie until it is waited for."""
        if child := self._children.pop(name, None):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=1)

    def _missing(self, specs: Sequence[ProcessSpec]) -> list[ProcessSpec]:
        """The specs that don't run, whose ports are therefore needed."""
        missing = []
        for spec in specs:
            process = self._recorded(spec.name)
            if process is None or not alive(process):
                if process is not None:
                    self._reap(spec.name)
                    self._end_rest(spec.name, process)
                missing.append(spec)
            elif process.fingerprint != _fingerprint(spec):
                raise OtherSettings(
                    f"{spec.name} is up with other settings (pid {process.pid}): run `tenure down` first"
                )
        for spec in missing:
            for port in spec.ports:
                if not port_free(port.host, port.number):
                    variable = PREFIX + port.setting.upper().replace(".", "__")
                    raise StackError(
                        f"port {port.number} for {spec.name} is taken{port_holder(port.number)}: "
                        f"free it, or set {port.setting} in tenure.toml, or {variable}"
                    )
        return missing

    def _recorded(self, name: str) -> RunningProcess | None:
        try:
            return RunningProcess.model_validate_json(self._run_file(name).read_bytes())
        except (OSError, ValidationError):  # a file that nobody finished writing is as good as none
            return None

    def _specs(self) -> Sequence[ProcessSpec]:
        """The specs as the last `up` made them."""
        try:
            time_travel = bool(json.loads(self._options_file.read_text(encoding="utf-8"))["time_travel"])
        except (OSError, ValueError, KeyError, TypeError):
            time_travel = False
        return self._make_specs(self._settings, time_travel=time_travel)

    def _spec(self, name: str) -> ProcessSpec:
        specs = {spec.name: spec for spec in self._specs()}
        if name not in specs:
            raise StackError(f"there is no process {name!r}; the stack has {', '.join(specs)}")
        return specs[name]

    @property
    def _options_file(self) -> Path:
        return self._run / "stack.json"

    def _run_file(self, name: str) -> Path:
        return self._run / f"{name}.json"

    def _unclean_mark(self, name: str) -> Path:
        """It is there when a process, whose run file is gone, had ended by itself or was killed."""
        return self._run / f"{name}.unclean"

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[None]:
        """The directories exist, and no other call changes this stack meanwhile."""
        try:
            for directory in (self._settings.state_path, self._run, self._logs):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self._run / "lock").open("w")
        except OSError as error:
            raise StackError(f"{error.filename}: {error.strerror}; TENURE_STATE_DIR names another directory") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _fingerprint(spec: ProcessSpec) -> str:
    """What a process was started with, without saying it: commands and environments hold secrets."""
    return hashlib.sha256(json.dumps([spec.command, dict(spec.environment)]).encode()).hexdigest()
