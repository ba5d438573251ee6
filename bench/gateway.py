"""What the gateway costs over a bare route with one insert, how long it takes at a steady rate, and whether it grows.

Both run at once and are measured in turns by the same sender, a process of its own.
"""

import asyncio
import json
import multiprocessing
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import Measured, as_fast_as_taken, at_a_rate, signed
from bench.process import resident_megabytes, running
from bench.town import ROOT, free_port
from starter.secrets import make_secrets
from starter.settings import load_settings

CONNECTIONS = 32
STEADY = 200.0  # requests per second
PIECE = 5_000  # events that are signed ahead of time at once


@dataclass(frozen=True)
class Target:
    """A running server. `path` is where it takes events."""

    url: str
    path: str
    pid: int
    secret: str


@dataclass(frozen=True)
class Throughput:
    """Requests per second of the floor and of the gateway, round by round."""

    kind: str
    floor: tuple[float, ...]
    gateway: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: the machine may have been busier in one than in another."""
        return median(ours / bare for ours, bare in zip(self.gateway, self.floor, strict=True))


def throughput(home: Path, store_url: str, *, rounds: int, requests: int) -> Throughput:
    """Closed loop over CONNECTIONS connections; both write into the same kind of database, at the same place."""
    kind = "sqlite" if store_url.startswith("sqlite") else "postgresql"
    bare: list[float] = []
    ours: list[float] = []
    with _gateway(home, store_url) as gateway, _floor(home, kind, store_url) as floor, _sender() as send:
        for warm in (True, *[False] * rounds):
            for target, rates in ((floor, bare), (gateway, ours)):
                measured = _all_taken(send(_closed, target, 200 if warm else requests))
                if not warm:
                    rates.append(measured.per_second)
    return Throughput(kind, tuple(bare), tuple(ours))


def steady(home: Path, store_url: str, *, seconds: int) -> tuple[Measured, Measured]:
    """Open loop at STEADY requests per second: the floor on SQLite, and the gateway."""
    with _gateway(home, store_url) as gateway, _floor(home, "sqlite", store_url) as floor, _sender() as send:
        for target in (floor, gateway):
            _all_taken(send(_closed, target, 200))
        count = int(STEADY * seconds)
        return _all_taken(send(_open, floor, count)), _all_taken(send(_open, gateway, count))


def memory(home: Path, store_url: str, *, events: int, looks: Sequence[int]) -> dict[int, float]:
    """Megabytes that the gateway holds after so many events."""
    seen: dict[int, float] = {}
    sent = 0
    with _gateway(home, store_url) as gateway, _sender() as send:
        while sent < events:
            _all_taken(send(_closed, gateway, PIECE))
            sent += PIECE
            if sent in looks:
                seen[sent] = resident_megabytes(gateway.pid)
    return seen


@contextmanager
def _gateway(home: Path, store_url: str) -> Iterator[Target]:
    port = free_port()
    settings = load_settings(ROOT / "tenure.toml", state_dir=home / "state")
    make_secrets(settings)
    environment = {
        **settings.environment(),
        "TENURE_STORE_URL": store_url,
        "TENURE_GATEWAY__PORT": str(port),
        "TENURE_TEMPORAL__PORT": str(free_port()),
        "TEMPORAL_CONFIG_FILE": str(home / "no-such-profile.toml"),
    }
    command, url = (sys.executable, "-m", "starter.gateway"), f"http://127.0.0.1:{port}"
    with running(command, f"{url}/readyz", home / "gateway.log", environment) as pid:
        yield Target(url, "/webhooks/erp", pid, settings.webhook_secrets("erp")[0])


@contextmanager
def _floor(home: Path, kind: str, store_url: str) -> Iterator[Target]:
    port = free_port()
    place = str(home / "floor.db") if kind == "sqlite" else store_url.replace("+psycopg", "")
    command, url = (sys.executable, "-m", "bench.floor", str(port), kind, place), f"http://127.0.0.1:{port}"
    with running(command, f"{url}/readyz", home / "floor.log", {"PYTHONPATH": str(ROOT)}) as pid:
        yield Target(url, "/bare", pid, "whsec_" + "0" * 32)


@contextmanager
def _sender() -> Iterator[Callable[[Callable[[Target, int], Measured], Target, int], Measured]]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda work, target, count: pool.submit(work, target, count).result()


def _closed(target: Target, count: int) -> Measured:
    return asyncio.run(as_fast_as_taken(target.url, _requests(target, count), CONNECTIONS))


def _open(target: Target, count: int) -> Measured:
    return asyncio.run(at_a_rate(target.url, _requests(target, count), STEADY, CONNECTIONS))


def _requests(target: Target, count: int) -> list[bytes]:
    return [signed(target.secret, target.path, *_event()) for _ in range(count)]


def _event() -> tuple[str, str]:
    """An invoice event as an ERP sends it: its id, and its body."""
    event_id = str(uuid.uuid4())
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/erp",
        "type": "tenure.invoice.posted.v1",
        "subject": f"inv_{event_id[:8]}",
        "time": "2026-11-26T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "invoice": f"inv_{event_id[:8]}",
            "subscription": "sub_000001",
            "customer": "cus_000001",
            "amount": "1200.00",
            "currency": "EUR",
            "due_on": "2027-01-01",
            "version": 1,
        },
    }
    return event_id, json.dumps(body)


def _all_taken(measured: Measured) -> Measured:
    if set(measured.statuses) != {202}:
        raise RuntimeError(f"not every event was accepted: {dict(measured.statuses)}")
    return measured
