"""The whole stack as processes of a bench's own: own directory, free ports, and as many of each as are wanted."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from temporalio.client import Client

import wiring
from starter.settings import PREFIX, READY_FILE_VARIABLE, Settings, load_settings
from starter.stack import LocalStack
from starter.stack_specs import Port, ProcessSpec, announced, answers, local_specs
from store.database import Database

ROOT = Path(__file__).parents[1]
LEASE = "4"  # seconds that the stream of a killed dispatcher stays taken
START_SECONDS = 300.0  # a process has until it is ready: a measurement may run beside us


@dataclass(frozen=True)
class Town:
    """The running stack, seen from outside. `gateways`: their base URLs."""

    settings: Settings
    stack: LocalStack
    box: httpx.AsyncClient
    database: Database
    gateways: Sequence[str]

    @property
    def secret(self) -> str:
        return self.settings.webhook_secrets("crm")[0]

    async def kill(self, name: str) -> None:
        if await asyncio.to_thread(self.stack.kill, name) is None:
            raise RuntimeError(f"{name} did not run; the end of its log is in {self.stack.log_file(name)}")

    async def stop(self, name: str) -> None:
        """As an operator does: with time for a clean end."""

        def until_stopped() -> None:
            self.stack.kill(name, signal.SIGTERM)
            while any(each.name == name and each.state != "stopped" for each in self.stack.status()):
                time.sleep(0.05)

        await asyncio.to_thread(until_stopped)

    async def start(self, name: str) -> None:
        await asyncio.to_thread(self.stack.start, name)

    async def client(self) -> Client:
        return await wiring.connect(self.settings)

    async def records(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """What the box's systems hold, by system and kind."""
        answer = await self.box.get("/admin/state")
        answer.raise_for_status()
        records: dict[str, dict[str, list[dict[str, Any]]]] = answer.json()["records"]
        return records


@asynccontextmanager
async def open_town(
    home: Path,
    *,
    store_url: str | None = None,
    gateways: int = 1,
    dispatchers: int = 1,
    workers: int = 1,
    redelivers: bool = True,
    changed: Callable[[Sequence[ProcessSpec]], Sequence[ProcessSpec]] = lambda specs: specs,
    **settings_of_its_own: Any,
) -> AsyncIterator[Town]:
    """Bring a stack up, and take it down again whatever happens. Its box sends no webhooks: the bench does.

    `redelivers`: a Temporal that did not end by itself gets its last minutes again, as it should. `changed`: the
    processes as they are wanted, asked for whenever one is started.
    """
    with _own_environment(home):
        ports = [free_port() for _ in range(gateways)]
        settings = load_settings(
            ROOT / "tenure.toml",
            state_dir=home / "state",
            store_url=SecretStr(store_url) if store_url else None,
            gateway={"port": ports[0]},
            experience={"port": free_port()},
            sandbox={"port": free_port()},
            temporal={"port": free_port(), "ui_port": free_port()},
            tuning={"grace": 5.0},
            **settings_of_its_own,
        )

        def specs(settings: Settings, *, time_travel: bool) -> Sequence[ProcessSpec]:
            plain = [
                spec if redelivers else replace(spec, after_unclean_stop=None)
                for spec in local_specs(settings, time_travel=time_travel)
            ]
            return changed(list(_multiplied(plain, ports, {"dispatcher": dispatchers, "worker": workers})))

        stack = LocalStack(settings, specs, start_seconds=START_SECONDS)
        try:
            wiring.open_store(settings).close()  # before several processes try to migrate at once
            await asyncio.to_thread(stack.up)
            database = wiring.open_store(settings)
            token = {"Authorization": "Bearer sandbox"}
            async with httpx.AsyncClient(
                base_url=settings.sandbox_url, headers=token, trust_env=False, timeout=60
            ) as box:
                yield Town(settings, stack, box, database, [f"http://127.0.0.1:{port}" for port in ports])
            database.close()
        finally:
            await asyncio.to_thread(stack.down)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _multiplied(specs: Sequence[ProcessSpec], ports: Sequence[int], wanted: Mapping[str, int]) -> Iterator[ProcessSpec]:
    for spec in specs:
        yield replace(spec, command=_without_webhooks(spec.command)) if spec.name == "sandbox" else spec
        if spec.name == "gateway":
            for number, port in enumerate(ports[1:], 2):
                url = f"http://127.0.0.1:{port}"
                environment = {**spec.environment, f"{PREFIX}GATEWAY__PORT": str(port)}
                yield replace(
                    spec,
                    name=f"gateway-{number}",
                    ready=answers(f"{url}/readyz"),
                    ports=(Port(port, "gateway.port"),),
                    url=url,
                    environment=environment,
                )
        if spec.ready_file is not None:
            for number in range(2, wanted.get(spec.name, 1) + 1):
                file = spec.ready_file.with_name(f"{spec.name}-{number}.ready")
                yield replace(
                    spec,
                    name=f"{spec.name}-{number}",
                    ready=announced(file),
                    ready_file=file,
                    environment={**spec.environment, READY_FILE_VARIABLE: str(file)},
                )


def _without_webhooks(command: tuple[str, ...]) -> tuple[str, ...]:
    if "--webhook-url" not in command:
        return command
    at = command.index("--webhook-url")
    return command[:at] + command[at + 2 :]


@contextmanager
def _own_environment(home: Path) -> Iterator[None]:
    """Nothing of the caller's settings reaches the stack."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("TENURE_", "TEMPORAL_")):
            del os.environ[name]
    os.environ |= {"TEMPORAL_CONFIG_FILE": str(home / "no-such-profile.toml"), "TENURE_TUNING__LEASE": LEASE}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
