"""The local stack, with tiny processes in the place of the real ones."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

from starter.processes import RunningProcess, birth, end_rest, wait_gone
from starter.settings import READY_FILE_VARIABLE, Settings
from starter.stack import LocalStack, StackError
from starter.stack_specs import Port, ProcessSpec, announced, answers

SERVES = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Ends at once when what it needs isn't there, so that a wrong order is seen.
NEEDS_PORT = """
import os, pathlib, socket, sys, time
socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
pathlib.Path(os.environ["TENURE_READY_FILE"]).write_text("ready")
time.sleep(600)
"""
STUBBORN = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(os.environ["TENURE_READY_FILE"]).write_text("ready")
time.sleep(600)
"""

# Serves from a child in its group, as gunicorn does from its workers.
HAS_WORKERS = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SERVES!r}, sys.argv[1]])
time.sleep(600)
"""


def server(port: int, setting: str = "gateway.port") -> ProcessSpec:
    return ProcessSpec(
        name="server",
        command=(sys.executable, "-c", SERVES, str(port)),
        ready=answers(f"http://127.0.0.1:{port}/"),
        ports=(Port(port, setting),),
        url=f"http://127.0.0.1:{port}",
    )


def client(settings: Settings, script: str, *arguments: str, after: tuple[str, ...] = ("server",)) -> ProcessSpec:
    ready_file = settings.state_path / "run" / "client.ready"
    return ProcessSpec(
        name="client",
        command=(sys.executable, "-c", script, *arguments),
        ready=announced(ready_file),
        after=after,
        environment={READY_FILE_VARIABLE: str(ready_file)},
        ready_file=ready_file,
    )


def stack_of(settings: Settings, *specs: ProcessSpec, start_seconds: float = 20.0) -> LocalStack:
    return LocalStack(settings, lambda _, *, time_travel: specs, start_seconds=start_seconds)


@pytest.fixture
def port(settings: Settings) -> int:
    return settings.gateway.port


@pytest.fixture
def specs(settings: Settings, port: int) -> tuple[ProcessSpec, ...]:
    # The client stands first: only `after` may decide the order.
    return client(settings, NEEDS_PORT, str(port)), server(port)


@pytest.fixture
def stack(settings: Settings, specs: tuple[ProcessSpec, ...]) -> Iterator[LocalStack]:
    stack = stack_of(settings, *specs)
    yield stack
    stack.down()


def states(stack: LocalStack) -> dict[str, str]:
    return {status.name: status.state for status in stack.status()}


def pids(stack: LocalStack) -> dict[str, int | None]:
    return {status.name: status.pid for status in stack.status()}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_comes_up_in_order_once_and_goes_down_completely(stack: LocalStack, port: int) -> None:
    told: list[str] = []
    assert states(stack) == {"client": "stopped", "server": "stopped"}
    assert stack.up(on_progress=told.append) == ("server", "client")
    assert told == [f"server is ready at http://127.0.0.1:{port}", "client is ready"]
    assert states(stack) == {"client": "ready", "server": "ready"}

    running = pids(stack)
    assert stack.up() == ()
    assert pids(stack) == running

    assert sorted(stack.down()) == ["client", "server"]
    assert states(stack) == {"client": "stopped", "server": "stopped"}
    assert not listens(port)
    assert all(birth(pid) is None for pid in running.values() if pid is not None)
    assert stack.down() == ()


def test_another_command_knows_the_stack_again(
    stack: LocalStack, settings: Settings, specs: tuple[ProcessSpec]
) -> None:
    stack.up()
    other = stack_of(settings, *specs)
    assert other.up() == ()
    assert sorted(other.down()) == ["client", "server"]
    assert states(stack) == {"client": "stopped", "server": "stopped"}


def test_a_taken_port_is_named_with_its_holder_and_the_setting(stack: LocalStack, port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        with pytest.raises(StackError) as error:
            stack.up()
    message = str(error.value)
    assert f"port {port} for server is taken" in message
    assert "TENURE_GATEWAY__PORT" in message
    if Path("/proc/net/tcp").exists():
        assert f"pid {os.getpid()}" in message
    assert states(stack) == {"client": "stopped", "server": "stopped"}


def test_a_process_that_ends_shows_its_log_and_takes_back_the_rest(settings: Settings, port: int) -> None:
    stack = stack_of(settings, server(port), client(settings, "print('no such table: inbox'); raise SystemExit(3)"))
    with pytest.raises(StackError, match=r"(?s)client: ended before it was ready.*no such table: inbox"):
        stack.up()
    assert states(stack) == {"server": "stopped", "client": "stopped"}
    assert not listens(port)


def test_a_failed_start_leaves_alone_what_was_up_before(settings: Settings, port: int) -> None:
    alone = stack_of(settings, server(port))
    alone.up()
    both = stack_of(settings, server(port), client(settings, "raise SystemExit(3)"))
    try:
        with pytest.raises(StackError, match="client"):
            both.up()
        assert states(both) == {"server": "ready", "client": "stopped"}
    finally:
        both.down()


def test_a_process_that_is_never_ready_is_named_and_stopped(settings: Settings, port: int) -> None:
    stack = stack_of(settings, server(port), client(settings, "import time; time.sleep(600)"), start_seconds=1.0)
    with pytest.raises(StackError, match="client: not ready after 1 s"):
        stack.up()
    assert states(stack) == {"server": "stopped", "client": "stopped"}


def test_a_command_that_does_not_exist_is_one_clear_line(settings: Settings, port: int) -> None:
    stack = stack_of(settings, replace(server(port), command=("no-such-program",)))
    with pytest.raises(StackError, match="server can't be started: no-such-program"):
        stack.up()


def test_what_was_killed_is_started_again_and_nothing_else(stack: LocalStack) -> None:
    stack.up()
    before = pids(stack)
    assert stack.kill("client") == before["client"]
    assert states(stack) == {"client": "stopped", "server": "ready"}
    assert stack.kill("client") is None

    assert stack.up() == ("client",)
    assert pids(stack)["server"] == before["server"]
    assert pids(stack)["client"] not in (None, before["client"])


def test_everything_killed_behind_its_back(stack: LocalStack) -> None:
    stack.up()
    for pid in pids(stack).values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert states(stack) == {"client": "stopped", "server": "stopped"}
    assert stack.up() == ("server", "client")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="what is left behind is found in /proc")
@pytest.mark.parametrize("then", ["up", "down"])
def test_what_a_killed_process_leaves_behind_is_ended(settings: Settings, port: int, then: str) -> None:
    stack = stack_of(settings, replace(server(port), command=(sys.executable, "-c", HAS_WORKERS, str(port))))
    stack.up()
    pid = pids(stack)["server"]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert listens(port)
    if then == "up":
        assert stack.up() == ("server",)
        stack.down()
    else:
        assert stack.down() == ()
    assert not listens(port)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells who is dead and not yet put away")
def test_the_dead_are_put_away_before_another_takes_their_place(settings: Settings) -> None:
    # PostgreSQL refuses to start as long as the pid in its lock file is anybody's
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    process = RunningProcess(pid=child.pid, birth=birth(child.pid) or "", fingerprint="")
    child.kill()
    wait_gone(process, 5)
    os.kill(child.pid, 0)
    Timer(0.3, child.wait).start()
    assert end_rest(process, 5)
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_one_process_is_started_and_restarted_by_name(stack: LocalStack) -> None:
    stack.up()
    before = pids(stack)
    stack.kill("client")
    stack.start("client")
    assert states(stack)["client"] == "ready"
    stack.start("client")
    after = pids(stack)
    stack.restart("client")
    assert len({before["client"], after["client"], pids(stack)["client"]}) == 3
    assert pids(stack)["server"] == before["server"]
    with pytest.raises(StackError, match="no process 'nobody'; the stack has client, server"):
        stack.restart("nobody")


def test_a_reused_pid_is_never_touched(stack: LocalStack, settings: Settings) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        run_file = settings.state_path / "run" / "server.json"
        run_file.parent.mkdir(parents=True)
        record = RunningProcess(pid=bystander.pid, birth="another-boot/1", fingerprint="")
        run_file.write_text(record.model_dump_json())

        assert states(stack)["server"] == "stopped"
        assert stack.kill("server") is None
        assert stack.down() == ()
        assert not run_file.exists()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize(
    "content", ["", "{", '{"pid": "x"}', json.dumps({"pid": 4_000_000, "birth": "b", "fingerprint": ""})]
)
def test_a_stale_or_broken_run_file_is_as_good_as_none(stack: LocalStack, settings: Settings, content: str) -> None:
    run = settings.state_path / "run"
    run.mkdir(parents=True)
    (run / "server.json").write_text(content)
    (run / "stack.json").write_text(content)
    assert states(stack)["server"] == "stopped"
    assert stack.up() == ("server", "client")


def test_a_stubborn_process_is_killed_after_the_grace(settings: Settings) -> None:
    settings = settings.model_copy(update={"tuning": settings.tuning.model_copy(update={"grace": 0.3})})
    stack = stack_of(settings, client(settings, STUBBORN, after=()))
    stack.up()
    pid = pids(stack)["client"]
    assert stack.down() == ("client",)
    assert pid is not None
    assert birth(pid) is None


def test_a_process_with_other_settings_is_not_taken_for_ours(stack: LocalStack, settings: Settings, port: int) -> None:
    stack.up()
    changed = replace(server(port), environment={"TENURE_TENANT": "other"})
    with pytest.raises(StackError, match="server is up with other settings"):
        stack_of(settings, changed).up()
    assert states(stack) == {"client": "ready", "server": "ready"}


def test_time_travel_is_remembered_for_a_process_started_by_name(settings: Settings) -> None:
    asked: list[bool] = []

    def make_specs(settings: Settings, *, time_travel: bool) -> Sequence[ProcessSpec]:
        asked.append(time_travel)
        return (client(settings, STUBBORN, str(time_travel), after=()),)

    settings = settings.model_copy(update={"tuning": settings.tuning.model_copy(update={"grace": 0.3})})
    stack = LocalStack(settings, make_specs)
    stack.up(time_travel=True)
    try:
        stack.kill("client")
        LocalStack(settings, make_specs).start("client")
        assert all(asked)
        assert LocalStack(settings, make_specs).up(time_travel=True) == ()
    finally:
        stack.down()


def test_two_at_once_start_one_stack(stack: LocalStack, settings: Settings, specs: tuple[ProcessSpec, ...]) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers_of_both = list(pool.map(lambda one: one.up(), (stack, stack_of(settings, *specs))))
    assert sorted(answers_of_both) == [(), ("server", "client")]


def test_two_stacks_live_side_by_side(
    stack: LocalStack, settings: Settings, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    other_settings = settings.model_copy(update={"state_dir": tmp_path / "other"})
    other = stack_of(other_settings, server(free_port()))
    stack.up()
    other.up()
    try:
        assert other.down() == ("server",)
        assert states(stack) == {"client": "ready", "server": "ready"}
    finally:
        other.down()


def test_a_state_dir_that_cannot_be_made_is_one_clear_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stack = stack_of(settings.model_copy(update={"state_dir": tmp_path / "file" / "state"}))
    with pytest.raises(StackError, match="TENURE_STATE_DIR"):
        stack.up()


def test_an_unclean_stop_is_known_however_it_is_started_again(stack: LocalStack, settings: Settings, port: int) -> None:
    found: list[bool] = []
    careful = replace(server(port), after_unclean_stop=lambda: found.append(listens(port)))
    stack = stack_of(settings, careful)
    stack.up()
    stack.restart("server")
    assert found == [], "a clean stop"

    stack.kill("server")
    stack.start("server")
    assert found == [False], "it is told before it is up again"
    stack.kill("server")
    stack.up()
    stack.kill("server")
    stack.down()
    stack.up()
    assert found == [False] * 3, "also when somebody has cleaned up in between"
    stack.down()
    stack.up()
    assert found == [False] * 3


def test_what_cannot_be_made_good_keeps_it_down(stack: LocalStack, settings: Settings, port: int) -> None:
    def refuse() -> None:
        raise StackError("the store does not answer")

    stack = stack_of(settings, replace(server(port), after_unclean_stop=refuse))
    stack.up()
    stack.kill("server")
    with pytest.raises(StackError, match="the store does not answer"):
        stack.up()
    assert not listens(port)
    mended = stack_of(settings, replace(server(port), after_unclean_stop=lambda: None))
    assert mended.up() == ("server",)
