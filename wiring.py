"""The composition root: the only file that names concrete adapters and the store. Everybody enters through it."""

import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy.exc import ArgumentError, DatabaseError
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from activities.crm import CrmActivities
from activities.cs import CsActivities
from activities.desk import DeskActivities
from activities.effects import Effects
from activities.erp import ErpActivities
from activities.feeds import ConnectedFeed, FeedActivities
from activities.signals import SupportActivities, UsageActivities
from adapters.crm.hubspot import HubSpotReader
from adapters.crm.salesforce import API_VERSION, SalesforceReader
from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.feeds.postgres_outbox import PostgresOutbox
from adapters.feeds.sandbox import SandboxFeed
from adapters.oauth import OAuth
from adapters.support.sandbox import SandboxSupport
from adapters.usage.sandbox import SandboxUsage
from domain.company import Company, load_company
from domain.mapping import Mapping, asked_for, load_mapping
from domain.ports import ChangeFeed, Crm, CrmReader, CustomerSuccess, Erp, Support, Usage
from starter.sections import Kind, Reader
from starter.settings import Settings, SettingsError
from starter.temporal import connect_config
from store.account_health import SqlAccountHealth
from store.database import Database
from store.feeds import SqlFeeds
from store.ledger import SqlLedger
from store.migrate import migrate
from store.orders import SqlOrders
from store.views import SqlViews
from workflows.change_feed import ReadChangeFeed
from workflows.lifecycle import CustomerLifecycle
from workflows.options import LONGEST_DEADLINE

ADAPTERS: dict[Kind, dict[str, Callable[[httpx.AsyncClient], Any]]] = {
    "crm": {"sandbox": SandboxCrm},
    "erp": {"sandbox": SandboxErp},
    "cs": {"sandbox": SandboxCs},
    "support": {"sandbox": SandboxSupport},
    "usage": {"sandbox": SandboxUsage},
}

READERS: dict[str, Callable[[httpx.AsyncClient, Mapping, Reader], CrmReader]] = {
    "salesforce": lambda client, mapping, reader: SalesforceReader(
        client, asked_for(mapping), version=reader.api_version or API_VERSION
    ),
    "hubspot": lambda client, mapping, reader: HubSpotReader(client, asked_for(mapping)),
}
TOKEN_PATHS = {"salesforce": "/services/oauth2/token", "hubspot": "/oauth/v1/token"}


@dataclass(frozen=True)
class Systems:
    """The outside systems that a company is connected to."""

    crm: Crm
    erp: Erp
    cs: CustomerSuccess
    support: Support
    usage: Usage


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


def read_mapping(settings: Settings) -> Mapping:
    """The CRM's field mapping. Raises SettingsError with the file and what is wrong in it."""
    return _mapping_of(settings, settings.connection_of("crm"))


def _mapping_of(settings: Settings, connection: str) -> Mapping:
    path = settings.mapping_path(connection)
    try:
        return load_mapping(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return "; ".join(str(error).split("\n"))[:500]


async def connect(settings: Settings) -> Client:
    """A client of the Temporal server that the environment names, else of the local stack's."""
    return await Client.connect(**connect_config(settings), data_converter=pydantic_data_converter)


@asynccontextmanager
async def connect_systems(settings: Settings) -> AsyncIterator[Systems]:
    """The adapters that the settings name, each with an HTTP client of its own."""
    async with AsyncExitStack() as clients:
        adapters: dict[str, Any] = {}
        for kind, known in ADAPTERS.items():
            name = settings.connection_of(kind)
            vendor = settings.connections[name].adapter
            if vendor not in known:
                raise SettingsError(f"connections.{name}.adapter: {vendor!r} is not one of {', '.join(sorted(known))}")
            adapters[kind] = known[vendor](await clients.enter_async_context(_http_client(settings, name)))
        yield Systems(**adapters)


@asynccontextmanager
async def connect_feeds(settings: Settings) -> AsyncIterator[Sequence[ConnectedFeed]]:
    """The change feeds that the settings name."""
    async with AsyncExitStack() as clients:
        feeds = []
        for name, feed in settings.feeds.items():
            port: ChangeFeed
            if feed.database is not None:
                port = PostgresOutbox(settings.read_secret(feed.database, f"feeds.{name}.database"), feed.table)
            else:
                client = await clients.enter_async_context(_http_client(settings, feed.connection))
                port = SandboxFeed(client, settings.connections[feed.connection].kind)
            feeds.append(ConnectedFeed(name=name, source=feed.source or name, port=port, begin=feed.begin))
        yield feeds


@asynccontextmanager
async def connect_readers(settings: Settings) -> AsyncIterator[dict[str, CrmReader]]:
    """Who reads a CRM's deals back: by the name of the connection, and of each source that is the connection's."""
    async with AsyncExitStack() as clients:
        readers: dict[str, CrmReader] = {}
        for name, connection in settings.connections.items():
            if connection.kind != "crm":
                continue
            if connection.reader is not None:
                client, make = _reader_client(settings, name, connection.reader), READERS[connection.reader.adapter]
                mapping = _mapping_of(settings, name)
                readers[name] = make(await clients.enter_async_context(client), mapping, connection.reader)
            elif connection.adapter == "sandbox":
                readers[name] = SandboxCrm(await clients.enter_async_context(_http_client(settings, name)))
        sources = {feed.source or name: feed.connection for name, feed in settings.feeds.items()}
        sources |= {source: webhook.connection for source, webhook in settings.webhooks.items()}
        yield readers | {source: readers[name] for source, name in sources.items() if name in readers}


def _reader_client(settings: Settings, connection: str, reader: Reader) -> httpx.AsyncClient:
    where = f"connections.{connection}.reader"
    if reader.adapter not in READERS:
        raise SettingsError(f"{where}.adapter: {reader.adapter!r} is not one of {', '.join(sorted(READERS))}")
    base_url = reader.base_url.rstrip("/")
    auth, headers = None, {}
    if reader.client_id is not None and reader.client_secret is not None:
        token_url = reader.token_url or base_url + TOKEN_PATHS[reader.adapter]
        refresh = reader.refresh_token
        auth = OAuth(
            "crm",
            token_url,
            client_id=reader.client_id,
            client_secret=settings.read_secret(reader.client_secret, f"{where}.client_secret"),
            refresh_token=None if refresh is None else settings.read_secret(refresh, f"{where}.refresh_token"),
        )
    elif reader.token is not None:
        headers["Authorization"] = f"Bearer {settings.read_secret(reader.token, f'{where}.token')}"
    return httpx.AsyncClient(base_url=base_url + "/", auth=auth, headers=headers, timeout=30, trust_env=False)


def _http_client(settings: Settings, connection: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=settings.base_url(connection) + "/",
        headers={"Authorization": f"Bearer {settings.token(connection)}"},
        timeout=LONGEST_DEADLINE.total_seconds(),
        trust_env=False,
    )


def workers(
    client: Client,
    database: Database,
    systems: Systems,
    company: Company,
    *,
    task_queue: str,
    sticky_timeout: float = 2.0,
    max_cached_workflows: int = 500,
    graceful: float = 10.0,
) -> Sequence[Worker]:
    """One worker for the lifecycles (and their local activities), and one for each system's own task queue."""
    effects, orders = Effects(SqlLedger(database)), SqlOrders(database)
    on_system: dict[Kind, object] = {
        "crm": CrmActivities(systems.crm, effects, orders, company),
        "erp": ErpActivities(systems.erp, effects, orders),
        "cs": CsActivities(systems.cs, effects, orders, company, SqlAccountHealth(database)),
        "support": SupportActivities(systems.support),
        "usage": UsageActivities(systems.usage),
    }
    grace = timedelta(seconds=graceful)
    lifecycles = Worker(
        client,
        task_queue=task_queue,
        workflows=[CustomerLifecycle],
        activities=activities_of(DeskActivities(SqlViews(database), company)),
        max_cached_workflows=max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=sticky_timeout),
        graceful_shutdown_timeout=grace,
    )
    return [
        lifecycles,
        *(
            Worker(
                client,
                task_queue=f"{task_queue}-{system}",
                activities=activities_of(activities),
                graceful_shutdown_timeout=grace,
            )
            for system, activities in on_system.items()
        ),
    ]


def feed_workers(
    client: Client, database: Database, feeds: Sequence[ConnectedFeed], *, task_queue: str, graceful: float = 10.0
) -> Sequence[Worker]:
    """The worker for the change feeds, where there are any. They have a queue of their own: a long back-fill takes no
    lifecycle's slot."""
    if not feeds:
        return []
    worker = Worker(
        client,
        task_queue=f"{task_queue}-feeds",
        workflows=[ReadChangeFeed],
        activities=activities_of(FeedActivities(feeds, SqlFeeds(database))),
        graceful_shutdown_timeout=timedelta(seconds=graceful),
    )
    return [worker]


def activities_of(owner: object) -> list[Callable[..., Any]]:
    """The methods of an activity class that Temporal may call."""
    methods = [method for _, method in inspect.getmembers(owner, inspect.ismethod)]
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]
