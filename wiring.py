"""The composition root, through which everybody enters: the only file that puts adapters (vendors.py) and the store
together."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.exc import ArgumentError, DatabaseError
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.crm import CrmActivities
from activities.cs import CsActivities
from activities.desk import DeskActivities
from activities.effects import Effects
from activities.erp import ErpActivities
from activities.feeds import ConnectedFeed, FeedActivities, begin_feeds
from activities.looking import LookActivities, Source, source_of
from activities.observing import Observed
from activities.occasions import Told
from activities.on_demand import OnDemand
from activities.pacing import Paced
from activities.performing import activities_of
from activities.showing import Showing
from activities.signals import SupportActivities, UsageActivities
from adapters.crm.sandbox import SandboxCrm
from adapters.feeds.postgres_outbox import PostgresOutbox
from adapters.recording.world import RecordingWorld
from adapters.timing import Times
from adapters.turns import Limits
from domain.company import Company, load_company
from domain.limits import Turns
from domain.mapping import Mapping as FieldMapping
from domain.mapping import load_mapping
from domain.ports import ChangeFeed, CrmReader
from domain.routes import Landscape, foreign_words
from starter.reaching import Reaching
from starter.runner import runner_for
from starter.sections import KINDS, Kind
from starter.settings import Settings, SettingsError
from starter.telling import Telling
from starter.temporal import connect_config
from store.account_health import SqlAccountHealth
from store.call_times import SqlCallTimes
from store.database import Database
from store.feeds import SqlFeeds
from store.ledger import SqlLedger
from store.limits import SqlLimits
from store.migrate import migrate
from store.orders import SqlOrders
from store.views import SqlViews
from vendors import FEEDS, Opening, http_client, open_adapter, open_reader, reader_client
from workflows.carrying import CarriesTraces
from workflows.change_feed import ReadChangeFeed
from workflows.lifecycle import CustomerLifecycle
from workflows.options import LOOKS


@dataclass(frozen=True)
class System:
    """One connected system. `port` is its adapter, by domain/ports/: Crm, Erp, CustomerSuccess, Support or Usage.

    `serves_kind`: what names no connection (lifecycles from before they were recorded) goes to it. `scope`: what keeps
    its records apart from those of another system of its kind (domain/routes.py). `turns`: its limits, for which an
    activity waits before it begins.
    """

    name: str
    kind: Kind
    port: Any
    serves_kind: bool = True
    scope: str = ""
    turns: Turns | None = None

    @property
    def served(self) -> Sequence[str]:
        """The names by which lifecycles call it."""
        return list(dict.fromkeys([self.name, *([self.kind] if self.serves_kind else [])]))


Systems = Mapping[str, System]
"""By the connection's name."""


def open_store(settings: Settings) -> Database:
    """The store, migrated to this version's tables. Raises SettingsError when there can't be one at that place."""
    try:
        settings.state_path.mkdir(parents=True, exist_ok=True)
        migrate(settings.database_url)
        return Database(settings.database_url)
    except OSError as error:
        raise SettingsError(f"state_dir: {settings.state_path} can't be made ({error.strerror})") from None
    except (ArgumentError, ImportError) as error:
        raise SettingsError(f"store_url: {_one_line(error)}") from None
    except DatabaseError as error:
        raise SettingsError(f"store_url: the database can't be used: {error.orig}") from None


def read_company(settings: Settings) -> Company:
    """The selling company. Raises SettingsError with the file and what is wrong in it."""
    try:
        return load_company(settings.company_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{settings.company_path}: {_one_line(error)}") from None


def read_landscape(settings: Settings, company: Company) -> Landscape:
    """Where orders go. Raises SettingsError when a route names what the company has not."""
    for mistake in foreign_words(settings.routes, company):
        raise SettingsError(mistake)
    return settings.landscape


def read_mapping(settings: Settings) -> FieldMapping:
    """The CRM's field mapping. Raises SettingsError with the file and what is wrong in it."""
    return _mapping_of(settings, settings.connection_of("crm"))


def _mapping_of(settings: Settings, connection: str) -> FieldMapping:
    path = settings.mapping_path(connection)
    try:
        return load_mapping(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return "; ".join(str(error).split("\n"))[:500]


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """A client of the Temporal server that the environment names, else of the local stack's. `lazy`: it connects with
    its first call."""
    told: list[Interceptor] = [] if settings.tracing.endpoint is None else [Telling()]
    if lazy:
        told.append(Reaching())
    return await Client.connect(
        **connect_config(settings), data_converter=pydantic_data_converter, lazy=lazy, interceptors=told
    )


@asynccontextmanager
async def open_limits(database: Database) -> AsyncIterator[Limits]:
    """The limits of this process's connections, and their times, shared with every process over the store."""
    times = Times(SqlCallTimes(database))
    limits = Limits(SqlLimits(database), times)
    try:
        yield limits
    finally:
        await limits.close()
        await times.close()


@asynccontextmanager
async def connect_systems(
    settings: Settings, limits: Limits | None = None, kinds: Collection[Kind] = KINDS
) -> AsyncIterator[Systems]:
    """Every connection of these kinds that the settings name, each with an adapter and an HTTP client of its own."""
    for kind in kinds:
        if not settings.connections_of(kind):
            raise SettingsError(f"connections: one of kind {kind!r} is needed")
    async with AsyncExitStack() as clients:
        systems = {}
        for name, connection in settings.connections.items():
            if connection.kind not in kinds:
                continue
            client = await clients.enter_async_context(http_client(settings, name, limits))
            turns = None if limits is None else limits.of(name, connection.limits)
            port = open_adapter(Opening(name, connection, client, settings, turns))
            if close := getattr(port, "close", None):
                clients.push_async_callback(close)
            kind = connection.kind
            scope = "" if name == settings.home_of(kind) else name
            systems[name] = System(name, kind, port, name == settings.default_of(kind), scope, turns)
        yield systems


@asynccontextmanager
async def connect_feeds(settings: Settings, limits: Limits | None = None) -> AsyncIterator[Sequence[ConnectedFeed]]:
    """The change feeds that the settings name."""
    async with AsyncExitStack() as clients:
        feeds = []
        for name, feed in settings.feeds.items():
            port: ChangeFeed
            if feed.database is not None:
                port = PostgresOutbox(settings.read_secret(feed.database, f"feeds.{name}.database"), feed.table)
            else:
                client = await clients.enter_async_context(http_client(settings, feed.connection, limits))
                opening = Opening(feed.connection, settings.connections[feed.connection], client, settings)
                port = FEEDS[feed.adapter](opening)
            feeds.append(ConnectedFeed(name=name, source=feed.source or name, port=port, begin=feed.begin))
        yield feeds


@asynccontextmanager
async def connect_readers(settings: Settings, limits: Limits | None = None) -> AsyncIterator[dict[str, CrmReader]]:
    """Who reads a CRM's deals back: by the name of the connection, and of each source that is the connection's."""
    async with AsyncExitStack() as clients:
        readers: dict[str, CrmReader] = {}
        for name, connection in settings.connections.items():
            if connection.kind != "crm":
                continue
            if connection.reader is not None:
                client = await clients.enter_async_context(reader_client(settings, name, connection.reader, limits))
                readers[name] = open_reader(client, _mapping_of(settings, name), connection.reader)
            elif connection.adapter == "sandbox":
                readers[name] = SandboxCrm(await clients.enter_async_context(http_client(settings, name, limits)))
        sources = {feed.source or name: feed.connection for name, feed in settings.feeds.items()}
        sources |= {source: webhook.connection for source, webhook in settings.webhooks.items()}
        yield readers | {source: readers[name] for source, name in sources.items() if name in readers}


@asynccontextmanager
async def open_connection(
    settings: Settings, name: str, limits: Limits
) -> AsyncIterator[Sequence[tuple[Any, httpx.AsyncClient]]]:
    """Every adapter of one connection, with its HTTP client: to try it. SettingsError when it can't be opened."""
    connection = settings.connections[name]
    async with AsyncExitStack() as clients:
        client = await clients.enter_async_context(http_client(settings, name, limits))
        opening = Opening(name, connection, client, settings, limits.of(name, connection.limits))
        adapters = [(open_adapter(opening), client)]
        if close := getattr(adapters[0][0], "close", None):
            clients.push_async_callback(close)
        if connection.reader is not None:
            reads = await clients.enter_async_context(reader_client(settings, name, connection.reader, limits))
            adapters.append((open_reader(reads, _mapping_of(settings, name), connection.reader), reads))
        yield adapters


def workers(
    client: Client,
    database: Database,
    systems: Systems,
    company: Company,
    *,
    task_queue: str,
    landscape: Landscape | None = None,
    sticky_timeout: float = 2.0,
    max_cached_workflows: int = 500,
    workflow_tasks: int = 8,
    steps: int = 16,
    graceful: float = 10.0,
    begun: Callable[[object], None] | None = None,
    deployment: WorkerDeploymentConfig | None = None,
    beside: Sequence[WorkerInterceptor] = (),
) -> Sequence[Worker]:
    """One worker for lifecycles with their local activities, one for looks at sources, one for each connection's queue.

    `begun` is told of each request to a connected system before it is made. `deployment`: the version of the code that
    lives the lifecycles. `beside`: interceptors of theirs.
    """
    told, grace = [Observed(), *([Told(begun)] if begun else [])], timedelta(seconds=graceful)
    views = SqlViews(database)
    lifecycles = Worker(
        client,
        task_queue=task_queue,
        workflows=[CustomerLifecycle],
        workflow_runner=runner_for(client.data_converter),
        activities=activities_of(DeskActivities(views, company)),
        interceptors=[CarriesTraces(), Observed(), *beside],
        deployment_config=deployment,
        max_cached_workflows=max_cached_workflows,
        max_concurrent_workflow_tasks=workflow_tasks,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=sticky_timeout),
        graceful_shutdown_timeout=grace,
    )
    looks = Worker(
        client,
        task_queue=f"{task_queue}-{LOOKS}",
        activities=activities_of(LookActivities(_sources(systems, database, company, landscape))),
        interceptors=told,
        max_concurrent_activities=steps,
        max_concurrent_activity_task_polls=2,
        graceful_shutdown_timeout=grace,
    )
    return [
        lifecycles,
        looks,
        *(
            Worker(
                client,
                task_queue=f"{task_queue}-{queue}",
                activities=activities_of(_activities(system, database, company, landscape)),
                interceptors=[*told, Showing(views), *([Paced(system.turns)] if system.turns else [])],
                max_concurrent_activities=steps,
                graceful_shutdown_timeout=grace,
            )
            for system in systems.values()
            for queue in system.served
        ),
    ]


def _sources(
    systems: Systems, database: Database, company: Company, landscape: Landscape | None
) -> Mapping[str, Source]:
    """By connection, and by its kind where it serves lifecycles that name none."""
    return {
        name: source_of(system.kind, _activities(system, database, company, landscape), system.turns)
        for system in systems.values()
        for name in system.served
    }


def _activities(system: System, database: Database, company: Company, landscape: Landscape | None) -> object:
    effects, orders = Effects(SqlLedger(database)), SqlOrders(database)
    match system.kind:
        case "crm":
            return CrmActivities(system.port, effects, orders, company, connection=system.name, landscape=landscape)
        case "erp":
            return ErpActivities(system.port, effects, orders, company.periods, connection=system.name)
        case "cs":
            health = SqlAccountHealth(database, system.scope)
            return CsActivities(system.port, effects, orders, company, health, connection=system.name)
        case "support":
            return SupportActivities(system.port)
        case "usage":
            return UsageActivities(system.port)


def on_demand(database: Database, systems: Systems, company: Company, landscape: Landscape | None = None) -> OnDemand:
    """Who performs a single step at once, where a person repairs something."""
    return OnDemand({name: _activities(each, database, company, landscape) for name, each in systems.items()})


@dataclass(frozen=True)
class Simulated:
    """Where one simulated life is lived: a store of its own, and the recording systems that stand for the connected
    ones."""

    database: Database
    world: RecordingWorld
    task_queue: str


@asynccontextmanager
async def open_simulation(
    client: Client, company: Company, landscape: Landscape, *, task_queue: str
) -> AsyncIterator[Simulated]:
    """A store in a temporary directory and the production's workers, over recording systems under the names of the
    configured connections. It is gone afterwards; nothing else is touched."""
    names = {kind: landscape.of_kind(kind) or (kind,) for kind in KINDS}
    world = RecordingWorld({name: kind for kind, of_kind in names.items() for name in of_kind})
    systems = {}
    for kind in KINDS:
        home = landscape.homes.get(kind, kind)
        for name in names[kind]:
            systems[name] = System(name, kind, world.systems[name], name == home, "" if name == home else name)
    with tempfile.TemporaryDirectory(prefix="tenure-simulation-") as home:
        url = f"sqlite:///{Path(home) / 'store.db'}"
        await asyncio.to_thread(migrate, url)
        database = Database(url, lasting=False)
        try:
            async with AsyncExitStack() as stack:
                for worker in workers(
                    client,
                    database,
                    systems,
                    company,
                    task_queue=task_queue,
                    landscape=landscape,
                    graceful=0,
                    begun=world.journal.begun,
                ):
                    await stack.enter_async_context(worker)
                yield Simulated(database, world, task_queue)
        finally:
            await asyncio.to_thread(database.close)


async def begin_feeds_of(database: Database, feeds: Sequence[ConnectedFeed]) -> None:
    await begin_feeds(feeds, SqlFeeds(database))


def feed_workers(
    client: Client, database: Database, feeds: Sequence[ConnectedFeed], *, task_queue: str, graceful: float = 10.0
) -> Sequence[Worker]:
    """The worker for the change feeds, where there are any. They have a queue of their own: a long back-fill takes no
    lifecycle's slot."""
    if not feeds:
        return []
    return [
        Worker(
            client,
            task_queue=f"{task_queue}-feeds",
            workflows=[ReadChangeFeed],
            activities=activities_of(FeedActivities(feeds, SqlFeeds(database))),
            interceptors=[CarriesTraces(), Observed()],
            graceful_shutdown_timeout=timedelta(seconds=graceful),
        )
    ]
