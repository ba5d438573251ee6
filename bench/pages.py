"""How long the console's pages take over a full store, beside a bare page of the same framework: in turns, one request
at a time, each process by itself."""

import asyncio
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.lives import fill
from bench.load import Line, Measured
from bench.process import processor_seconds, running
from bench.town import ROOT, free_port
from starter.secrets import make_secrets
from starter.settings import load_settings
from store.database import Database
from store.migrate import migrate

PORTFOLIO = (
    "/console",
    "/console?stage=serving",
    "/console?stage=renewal",
    "/console?matter=attention",
    "/console?matter=renews_in_30_days",
    "/console?matter=at_risk",
    "/console?q=hooli",
    "/console?entity=ACME-DE&stage=serving",
)
OTHERS = ("/console/renewals", "/console/backlog", "/console/sla", "/console/leakage", "/console/leaders")
BARE = "bare page"
IN_A_ROW = 20
SOME = 40


@dataclass(frozen=True)
class Server:
    """A running server. `pages`: by name, the addresses that are asked for in turn."""

    url: str
    pid: int
    pages: Mapping[str, Sequence[str]]


@dataclass
class Page(Measured):
    """`processor_seconds`: what its server ran for all of them, whatever else the machine had to do."""

    processor_seconds: float = 0.0


def pages(home: Path, store_url: str, *, lives: int, asks: int, seed: int) -> dict[str, Page]:
    """By page, the answers to so many requests; each had to be a 200."""
    migrate(store_url)
    database = Database(store_url, lasting=False)
    contracts = fill(database, lives, seed)
    database.close()
    with _console(home, store_url, contracts, seed) as console, _bare(home) as bare:
        return asyncio.run(_measured((bare, console), asks))


async def _measured(servers: Sequence[Server], asks: int) -> dict[str, Page]:
    found = {name: Page() for server in servers for name in server.pages}
    for server in servers:  # to warm the caches: not counted
        for addresses in server.pages.values():
            await _ask(server, addresses[: len(PORTFOLIO)], Page())
    for first in range(0, asks, IN_A_ROW):
        for server in servers:
            for name, addresses in server.pages.items():
                if first >= SOME and len(addresses) == 1 and name != BARE:
                    continue  # the heavy ones, of which nothing is asserted: enough to know them by
                turns = range(first, min(first + IN_A_ROW, asks))
                await _ask(server, [addresses[turn % len(addresses)] for turn in turns], found[name])
    return found


async def _ask(server: Server, addresses: Sequence[str], page: Page) -> None:
    line, ran = Line(server.url), processor_seconds(server.pid)
    for address in addresses:
        began = time.perf_counter()
        status = await line.send(_request(address))
        page.latencies.append(time.perf_counter() - began)
        if status != 200:
            raise RuntimeError(f"{address} answered {status}")
    page.processor_seconds += processor_seconds(server.pid) - ran
    line.close()


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n\r\n".encode()


@contextmanager
def _console(home: Path, store_url: str, contracts: Sequence[str], seed: int) -> Iterator[Server]:
    port = free_port()
    settings = load_settings(ROOT / "tenure.toml", state_dir=home / "state")
    make_secrets(settings)
    environment = {
        **settings.environment(),
        "TENURE_STORE_URL": store_url,
        "TENURE_EXPERIENCE__PORT": str(port),
        "TENURE_TEMPORAL__PORT": str(free_port()),
        "TEMPORAL_CONFIG_FILE": str(home / "no-such-profile.toml"),
    }
    looked_at = random.Random(seed).sample(list(contracts), min(200, len(contracts)))
    shown = {
        "portfolio": PORTFOLIO,
        "lifecycle": [f"/console/lifecycles/{contract}" for contract in looked_at],
        **{address.rpartition("/")[2]: (address,) for address in OTHERS},
    }
    command, url = (sys.executable, "-m", "experience"), f"http://127.0.0.1:{port}"
    with running(command, f"{url}/readyz", home / "console.log", environment) as pid:
        yield Server(url, pid, shown)


@contextmanager
def _bare(home: Path) -> Iterator[Server]:
    port = free_port()
    command, url = (sys.executable, "-m", "bench.bare_page", str(port)), f"http://127.0.0.1:{port}"
    with running(command, f"{url}/readyz", home / "bare.log", {"PYTHONPATH": str(ROOT)}) as pid:
        yield Server(url, pid, {BARE: ("/bare",)})
