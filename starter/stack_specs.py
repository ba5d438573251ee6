"""The processes of the local stack: how each is started, when it is ready, and which port it needs."""

import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from starter.settings import READY_FILE_VARIABLE, Settings, SettingsError
from starter.temporal import uses_local_server

# Without the first three every server step waits for a 50 ms grid; WAL + NORMAL survives a killed process.
TEMPORAL_TUNING = (
    *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=2000"),
    *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=2000"),
    *("--dynamic-config-value", "history.visibilityProcessorMaxPollRPS=2000"),
    # a lifecycle that can't go on is found after its second failure (10 s), not its fifth (55 s)
    *("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"),
    *("--sqlite-pragma", "journal_mode=WAL"),
    *("--sqlite-pragma", "synchronous=NORMAL"),
)
TEMPORAL_TIME_TRAVEL = (
    *("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
    *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"'),
)


@dataclass(frozen=True)
class Port:
    """A port that a process listens on, and the setting that moves it."""

    number: int
    setting: str
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class ProcessSpec:
    """One background process. `ready` is asked until it says True; `after` names what must be ready before it starts.

    `environment` is what the process gets besides the one that it inherits. `prepare` is called before it is started;
    it may take minutes, and says so. `after_unclean_stop` is called before it is started again, when it ended in any
    other way than by being told to. `account`: whom it runs as when we are root. `stop` tells it to end.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    ports: tuple[Port, ...] = ()
    url: str | None = None
    after: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_file: Path | None = None
    after_unclean_stop: Callable[[], object] | None = None
    prepare: Callable[[Callable[[str], None]], object] | None = None
    account: str | None = None
    stop: signal.Signals = signal.SIGTERM


def answers(url: str) -> Callable[[], bool]:
    """Ready when `url` answers 200."""

    def probe() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return probe


def announced(ready_file: Path) -> Callable[[], bool]:
    """Ready when the process said so with `starter.ready.announce_ready`."""
    return ready_file.exists


def local_specs(settings: Settings, *, time_travel: bool) -> tuple[ProcessSpec, ...]:
    """The whole stack, in order of dependency. Without Temporal when the environment names another server."""
    own_server = uses_local_server(settings)
    after_temporal = ("temporal",) if own_server else ()
    specs = [_temporal(settings, time_travel)] if own_server else []
    specs += [_sandbox(settings), *_erp(settings), _gateway(settings), _experience(settings)]
    specs += [_without_port(settings, name, module, after_temporal) for name, module in _WITHOUT_PORT.items()]
    return tuple(specs)


_WITHOUT_PORT = {"dispatcher": "starter.dispatcher", "worker": "worker"}


def _temporal(settings: Settings, time_travel: bool) -> ProcessSpec:
    # imported late: they bring the SDK and the store along, which a command that only looks need not wait for
    from starter.redelivery import redeliver_last_minutes
    from starter.searching import type_name
    from workflows.desk import SEARCH_ATTRIBUTES

    port, ui_port = settings.temporal.port, settings.temporal.ui_port
    beside_python = Path(sys.executable).with_name("temporal")
    binary = str(beside_python) if beside_python.exists() else shutil.which("temporal") or "temporal"
    command = (
        *(binary, "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--ui-port", str(ui_port)),
        *("--db-filename", str(settings.state_path / "temporal.db"), "--ui-disable-news-fetch", "--log-level", "error"),
        *TEMPORAL_TUNING,
        *(word for key in SEARCH_ATTRIBUTES for word in ("--search-attribute", f"{key.name}={type_name(key)}")),
        *(TEMPORAL_TIME_TRAVEL if time_travel else ()),
    )
    return ProcessSpec(
        name="temporal",
        command=command,
        # The Web UI answers this through the server itself, so both are up, with their namespace.
        ready=answers(f"http://127.0.0.1:{ui_port}/api/v1/namespaces/default"),
        ports=(Port(port, "temporal.port"), Port(ui_port, "temporal.ui_port")),
        url=f"http://127.0.0.1:{ui_port}",
        after_unclean_stop=lambda: redeliver_last_minutes(settings),
    )


def _sandbox(settings: Settings) -> ProcessSpec:
    secret = _webhook_secret(settings)
    webhook = ("--webhook-url", settings.gateway_url) if secret else ()
    command = (
        *(sys.executable, "-m", "sandbox", "--port", str(settings.sandbox.port)),
        *("--db", str(settings.state_path / "sandbox.db"), *webhook),
    )
    return ProcessSpec(
        name="sandbox",
        command=command,
        ready=answers(f"{settings.sandbox_url}/admin/clock"),
        ports=(Port(settings.sandbox.port, "sandbox.port"),),
        url=settings.sandbox_url,
        environment={"SANDBOX_WEBHOOK_SECRET": secret} if secret else {},
    )


def _erp(settings: Settings) -> tuple[ProcessSpec, ...]:
    if not settings.erp.keep_tryton:
        return ()
    from starter.erp.specs import erp_specs  # late: only a stack with a real ERP needs it

    return erp_specs(settings)


def _webhook_secret(settings: Settings) -> str | None:
    """The secret that the sandbox signs with; None when it can't be read: before the first `up` nobody has made it.

    A stack that comes up without it says so clearly: the gateway refuses to start.
    """
    try:
        standard = (name for name, source in settings.webhooks.items() if source.preset == "standard")
        return next((settings.webhook_secrets(name)[0] for name in standard), None)
    except SettingsError:
        return None


def _gateway(settings: Settings) -> ProcessSpec:
    return ProcessSpec(
        name="gateway",
        command=(sys.executable, "-m", "starter.gateway"),
        ready=answers(f"{settings.gateway_url}/readyz"),
        ports=(Port(settings.gateway.port, "gateway.port", settings.gateway.host),),
        url=settings.gateway_url,
        environment=settings.environment(),
    )


def _experience(settings: Settings) -> ProcessSpec:
    return ProcessSpec(
        name="experience",
        command=(sys.executable, "-m", "experience"),
        ready=answers(f"{settings.experience_url}/readyz"),
        ports=(Port(settings.experience.port, "experience.port", settings.experience.host),),
        url=settings.experience_url,
        environment=settings.environment(),
    )


def _without_port(settings: Settings, name: str, module: str, after: tuple[str, ...]) -> ProcessSpec:
    ready_file = settings.state_path / "run" / f"{name}.ready"
    return ProcessSpec(
        name=name,
        command=(sys.executable, "-m", module),
        ready=announced(ready_file),
        after=after,
        environment={**settings.environment(), READY_FILE_VARIABLE: str(ready_file)},
        ready_file=ready_file,
    )
