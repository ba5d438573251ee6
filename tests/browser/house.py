"""A house whose console somebody opens in a browser: the real app, its dispatcher at work, Debian's chromium."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright
from temporalio.client import Client

import wiring
from experience.app import create_app
from experience.services import Services
from starter.office import Office
from starter.reconciling.composing import reconciler, repairs
from starter.reconciling.reconciler import Reconciler
from starter.settings import Settings, load_settings
from starter.sources.reading import Sources
from store.tables import utc_now
from tests.dispatch import CRM, Post
from tests.house import EXAMPLES, House, Life, open_house
from tests.workflow.lives import clock, done, open_window, rests

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DESK, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}
PATIENCE = 60_000  # milliseconds
SLOW = 60  # seconds that a busy machine may take to start a lifecycle
SERIOUS = ("serious", "critical")


@dataclass
class Console:
    """What a browser test holds: the house behind the console, and the browser in front of it."""

    house: House
    post: Post
    office: Office
    url: str
    browser: Browser = field(init=False)
    reconciler: Reconciler = field(init=False)
    ahead: timedelta = timedelta()

    async def win(self, number: str, **changes: Any) -> Life:
        """The deal `number` of an account of its own is won; its lifecycle is at rest in onboarding, or has a case."""
        await self.post.hear_of(number, **changes)
        async with asyncio.timeout(SLOW):
            await until(lambda: self._started(f"{CRM}/{number}/1"))
        life = await self.post.life(number)
        await life.until(lambda view: view.cases or (done(view, "onboarding") and not view.pending), SLOW)
        return life

    async def go_live(self, life: Life) -> None:
        """All its lines are billed."""
        await self.post.milestone(life, "go-live", str((await clock(life)).date()))
        await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view), SLOW)

    async def live(self, number: str) -> Life:
        life = await self.win(number)
        await self.go_live(life)
        return life

    async def to_renewal(self, life: Life) -> None:
        """Its renewal window is open, and prepared; the console's own clock goes along."""
        before = await clock(life)
        await open_window(life)
        self.ahead += await clock(life) - before

    async def _started(self, contract: str) -> bool:
        row = await self.post.lifecycles.get(contract)
        return row is not None and row.started

    @asynccontextmanager
    async def open(self, path: str = "/console", **options: Any) -> AsyncIterator[Page]:
        """A page in a browser of its own, which fails the test for whatever its own console complains of."""
        context = await self.browser.new_context(**{"viewport": DESK, "base_url": self.url, **options})
        context.set_default_timeout(PATIENCE)
        page, complaints = await context.new_page(), list[str]()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        await page.goto(path)
        try:
            yield page
        finally:
            await context.close()
        assert not complaints, complaints


async def barriers(page: Page) -> list[str]:
    """What axe finds serious on a page, in a line each."""
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{each['id']}: {each['help']} ({node['html'][:200]})"
        for each in found.response["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


@asynccontextmanager
async def open_console(client: Client, home: Path) -> AsyncIterator[Console]:
    """Bring the house up, with its dispatcher and its console, and a browser."""
    async with open_house(client, home) as house, async_playwright() as playwright, _dispatching(house) as post:
        port = _free_port()
        settings = _settings(home, port)
        office = Office(house.database, client, house.company, house.mapping, CRM, Sources(settings))
        console = Console(house, post, office, f"http://127.0.0.1:{port}")
        performer = wiring.on_demand(house.database, house.systems, house.company, house.landscape)
        console.reconciler = reconciler(settings, house.database, client, house.systems)
        mending = repairs(office, console.reconciler, house.systems, performer.perform)
        clock = lambda: utc_now() + console.ahead  # noqa: E731
        app = create_app(Services(house.database, office, settings, mending, clock=clock))
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve())
        await until(lambda: _is_up(server))
        console.browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield console
        finally:
            await console.browser.close()
            server.should_exit = True
            await serving


@asynccontextmanager
async def _dispatching(house: House) -> AsyncIterator[Post]:
    """The dispatcher at work, as its process does."""
    post, stop = Post(house), asyncio.Event()
    running = asyncio.create_task(post.dispatcher().run(stop))
    try:
        yield post
    finally:
        stop.set()
        await running


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Wait; the caller says for how long at most."""
    while not await met():  # noqa: ASYNC110 (what is waited for has no event to tell)
        await asyncio.sleep(0.03)


async def _is_up(server: uvicorn.Server) -> bool:
    return server.started


def _settings(home: Path, port: int) -> Settings:
    read = load_settings(EXAMPLES.parent / "tenure.toml", state_dir=home)
    ours = {
        "experience": read.experience.model_copy(update={"port": port}),
        "reconciliation": read.reconciliation.model_copy(update={"settle": 0.0}),
    }
    return read.model_copy(update=ours)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
