"""The vendors: the only file that names concrete adapters, and what each is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx

from adapters.crm.hubspot import HubSpotReader
from adapters.crm.salesforce import API_VERSION, SalesforceReader
from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.feeds.sandbox import SandboxFeed
from adapters.limits import LimitedTransport
from adapters.oauth import OAuth
from adapters.seen import SeenTransport
from adapters.support.sandbox import SandboxSupport
from adapters.turns import Limiter, Limits
from adapters.usage.sandbox import SandboxUsage
from domain.mapping import Mapping as FieldMapping
from domain.mapping import asked_for
from domain.ports import ChangeFeed, CrmReader
from starter.sections import Connection, Kind, Reader
from starter.settings import Settings, SettingsError
from workflows.options import LONGEST_DEADLINE


@dataclass(frozen=True)
class Opening:
    """What an adapter is made of: the connection as configured, and an HTTP client for it.

    `client` has the connection's base URL, its bearer token where there is one, time-outs, and the connection's limits;
    `limiter` is those limits, for what does not speak HTTP.
    """

    name: str
    connection: Connection
    client: httpx.AsyncClient
    settings: Settings
    limiter: Limiter | None = None

    def secret(self, name: str) -> str:
        """The text of a secret: `token`, `password` or `url`. SettingsError when it is not named, or can't be read."""
        where = f"connections.{self.name}.{name}"
        return self.settings.read_secret(self._needed(name), where)

    def text(self, name: str) -> str:
        """A field that this adapter needs, such as `user` or `database`. SettingsError when it is missing."""
        return str(self._needed(name))

    def query(self) -> str:
        """The SQL of `query`, read where that is the path of an .sql file. SettingsError when there is none."""
        given = self.text("query")
        if not given.endswith(".sql"):
            return given
        path = self.settings.path(Path(given))
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"connections.{self.name}.query: can't read {path} ({type(error).__name__})") from None

    def flag(self, name: str) -> bool:
        """One of the connection's `options`, which is true or false. SettingsError when it is neither."""
        given = self.connection.options[name]
        if given not in ("true", "false"):
            raise SettingsError(f'connections.{self.name}.options.{name}: write "true" or "false"')
        return given == "true"

    def _needed(self, name: str) -> Any:
        value = getattr(self.connection, name)
        if value is None:
            raise SettingsError(f"connections.{self.name}.{name}: needed by the adapter {self.connection.adapter!r}")
        return value


def _vendor(module: str, name: str, make: Callable[[Any, Opening], Any]) -> Callable[[Opening], Any]:
    """An adapter whose module, and the library that it needs, is imported only where a connection names it."""

    def opened(opening: Opening) -> Any:
        try:
            adapter = getattr(import_module(module), name)
        except ImportError as error:
            where = f"connections.{opening.name}.adapter"
            vendor = opening.connection.adapter
            raise SettingsError(f"{where}: {vendor!r} needs {error.name}, which is not installed") from None
        return make(adapter, opening)

    return opened


def _tryton(adapter: Any, opening: Opening) -> Any:
    opening.text("base_url")
    for name in opening.connection.options:
        if name != "renew_as_new":
            raise SettingsError(f"connections.{opening.name}.options.{name}: no such option of Tryton")
    return adapter(
        opening.client,
        database=opening.text("database"),
        user=opening.text("user"),
        password=opening.secret("password"),
        **({"renew_as_new": opening.flag("renew_as_new")} if "renew_as_new" in opening.connection.options else {}),
    )


def _helpdesk(adapter: Any, opening: Opening) -> Any:
    connection = opening.connection
    opening.text("base_url")
    return adapter(
        opening.client,
        fields=connection.fields,
        options=connection.options,
        user=connection.user,
        password=opening.secret("password") if connection.password else None,
    )


ADAPTERS: dict[Kind, dict[str, Callable[[Opening], Any]]] = {
    "crm": {"sandbox": lambda opening: SandboxCrm(opening.client)},
    "erp": {
        "sandbox": lambda opening: SandboxErp(opening.client),
        "tryton": _vendor("adapters.erp.tryton", "TrytonErp", _tryton),
        "stripe": _vendor(
            "adapters.billing.stripe",
            "StripeBilling",
            lambda adapter, opening: adapter(opening.client, opening.secret("token"), opening.connection.options),
        ),
    },
    "cs": {"sandbox": lambda opening: SandboxCs(opening.client)},
    "support": {
        "sandbox": lambda opening: SandboxSupport(opening.client),
        "helpdesk": _vendor("adapters.support.helpdesk", "HelpdeskSupport", _helpdesk),
    },
    "usage": {
        "sandbox": lambda opening: SandboxUsage(opening.client),
        "sql": _vendor(
            "adapters.usage.sql",
            "SqlUsage",
            lambda adapter, opening: adapter(
                opening.secret("url"),
                opening.query(),
                concurrent=opening.connection.limits.concurrent,
                limiter=opening.limiter,
            ),
        ),
    },
}

FEEDS: dict[str, Callable[[Opening], ChangeFeed]] = {
    "sandbox": lambda opening: SandboxFeed(opening.client, opening.connection.kind),
    "tryton": _vendor(
        "adapters.feeds.tryton",
        "TrytonFeed",
        lambda adapter, opening: adapter(
            opening.client,
            database=opening.text("database"),
            user=opening.text("user"),
            password=opening.secret("password"),
        ),
    ),
}
"""Feeds that go over a connection's HTTP client; a postgres_outbox has a database of its own."""

READERS: dict[str, Callable[[httpx.AsyncClient, FieldMapping, Reader], CrmReader]] = {
    "salesforce": lambda client, mapping, reader: SalesforceReader(
        client, asked_for(mapping), version=reader.api_version or API_VERSION
    ),
    "hubspot": lambda client, mapping, reader: HubSpotReader(client, asked_for(mapping)),
}
TOKEN_PATHS = {"salesforce": "/services/oauth2/token", "hubspot": "/oauth/v1/token"}


def open_adapter(opening: Opening) -> Any:
    """The adapter of a connection. SettingsError when there is none by that name, or when it can't use its settings."""
    known, vendor = ADAPTERS[opening.connection.kind], opening.connection.adapter
    if vendor not in known:
        where = f"connections.{opening.name}.adapter"
        raise SettingsError(f"{where}: {vendor!r} is not one of {', '.join(sorted(known))}")
    try:
        return known[vendor](opening)
    except ValueError as error:  # an adapter names the setting, and never its value where that is a secret
        raise SettingsError(f"connections.{opening.name}.{error}") from None


def open_reader(client: httpx.AsyncClient, mapping: FieldMapping, reader: Reader) -> CrmReader:
    return READERS[reader.adapter](client, mapping, reader)


def _reader_access(settings: Settings, where: str, reader: Reader) -> tuple[OAuth | None, dict[str, str]]:
    """How a reader shows who it is. `where`: its place in the configuration, for what is wrong with it."""
    if reader.adapter not in READERS:
        raise SettingsError(f"{where}.adapter: {reader.adapter!r} is not one of {', '.join(sorted(READERS))}")
    if reader.client_id is not None and reader.client_secret is not None:
        refresh = reader.refresh_token
        auth = OAuth(
            "crm",
            reader.token_url or reader.base_url.rstrip("/") + TOKEN_PATHS[reader.adapter],
            client_id=reader.client_id,
            client_secret=settings.read_secret(reader.client_secret, f"{where}.client_secret"),
            refresh_token=None if refresh is None else settings.read_secret(refresh, f"{where}.refresh_token"),
        )
        return auth, {}
    if reader.token is not None:
        return None, {"Authorization": f"Bearer {settings.read_secret(reader.token, f'{where}.token')}"}
    return None, {}


def reader_client(settings: Settings, connection: str, reader: Reader, limits: Limits | None) -> httpx.AsyncClient:
    """For a connection's reader, which shows itself as its own configuration says."""
    auth, headers = _reader_access(settings, f"connections.{connection}.reader", reader)
    transport = _transport(settings, connection, limits)
    return httpx.AsyncClient(
        base_url=reader.base_url.rstrip("/") + "/",
        auth=auth,
        headers=headers,
        timeout=30,
        trust_env=False,
        transport=transport,
    )


def http_client(settings: Settings, connection: str, limits: Limits | None = None) -> httpx.AsyncClient:
    """For a connection's adapter, as `Opening.client` is described."""
    chosen = settings.connections[connection]
    has_token = chosen.token is not None or chosen.adapter == "sandbox"
    base_url = settings.base_url(connection)
    return httpx.AsyncClient(
        base_url=f"{base_url}/" if base_url else "",
        headers={"Authorization": f"Bearer {settings.token(connection)}"} if has_token else {},
        timeout=LONGEST_DEADLINE.total_seconds(),
        trust_env=False,
        transport=_transport(settings, connection, limits),
    )


def _transport(settings: Settings, connection: str, limits: Limits | None) -> httpx.AsyncBaseTransport:
    """The way out, within the connection's limits. Only who has no store has none, and may not need any."""
    limit = settings.connections[connection].limits
    times = None if limits is None else limits.times
    out = SeenTransport(httpx.AsyncHTTPTransport(trust_env=False), connection, times)
    if limits is None and not limit.none:
        raise SettingsError(f"connections.{connection}.limits: they need the store, which is not open here")
    return out if limits is None else LimitedTransport(out, limits.of(connection, limit))
