"""The tables of `tenure.toml`."""

import re
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from domain.events import CATALOG
from domain.limits import Limit
from starter.sources.declaration import Declaration, Preset, over_preset

Kind = Literal["crm", "erp", "cs", "support", "usage"]
RECORDS = ("customer", "subscription", "deal", "company", "plan", "playbook")
KINDS: tuple[Kind, ...] = ("crm", "erp", "cs", "support", "usage")


class Section(BaseModel):
    """A table of `tenure.toml`. Unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Section):
    """Where a secret is: exactly one of a variable, a file, a file that `tenure up` makes, or the secret itself.

    A literal `value` is for tests. `generated` is a path below `state_dir`; the file is made with mode 0600 when the
    local stack comes up.
    """

    env: str | None = None
    file: Path | None = None
    generated: Path | None = None
    value: SecretStr | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_not_written(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError('say where the secret is: { env = "TENURE_SECRET_…" } or { file = "path" }')
        return value

    @model_validator(mode="after")
    def _one_place(self) -> "Secret":
        places = [name for name in ("env", "file", "generated", "value") if getattr(self, name) is not None]
        if len(places) != 1:
            raise ValueError("name exactly one of env, file, generated, value")
        return self


class Temporal(Section):
    """The local stack's Temporal server. Which server is *used* is `starter.temporal.connect_config`."""

    port: int = Field(7233, ge=1, le=65535)
    ui_port: int = Field(8233, ge=1, le=65535)
    ui_url: str | None = Field(None, pattern=r"^https?://[^/\s]+", description="the UI of a server that is not ours")
    task_queue_prefix: str = "tenure"


class Gateway(Section):
    """Where the gateway listens."""

    host: str = "127.0.0.1"
    port: int = Field(8700, ge=1, le=65535)


class Experience(Section):
    """Where the capability API and the console listen."""

    host: str = "127.0.0.1"
    port: int = Field(8704, ge=1, le=65535)


class Sandbox(Section):
    """The company in a box that stands in for the outside systems until connections name real ones."""

    port: int = Field(8701, ge=1, le=65535)
    token: Secret = Secret(value=SecretStr("sandbox"))


class Reader(Section):
    """Where a CRM's deals are read back when an event only hints at a change; nothing is written there.

    Access is a lasting `token`, or OAuth 2: client_id and client_secret, with a refresh_token or, without one, as
    client credentials. `token_url`: where it is not the vendor's usual one below base_url. `api_version`: Salesforce's.
    """

    adapter: str
    base_url: str = Field(pattern=r"^https?://[^/\s]+")
    token: Secret | None = None
    client_id: str | None = Field(None, min_length=1)
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    token_url: str | None = Field(None, pattern=r"^https?://[^/\s]+")
    api_version: str | None = Field(None, pattern=r"^v[0-9]+\.0$")

    @model_validator(mode="after")
    def _one_way_in(self) -> "Reader":
        if (self.client_id is None) != (self.client_secret is None):
            raise ValueError("client_id and client_secret belong together")
        if (self.token is None) == (self.client_id is None):
            raise ValueError("name either token, or client_id and client_secret")
        if self.client_id is None and (self.refresh_token or self.token_url):
            raise ValueError("refresh_token and token_url need client_id and client_secret")
        return self


class Connection(Section):
    """One outside system. With the adapter `sandbox`, and without `base_url`, it is the local sandbox's of that kind.

    Which of `token`, `user`, `password`, `database`, `url` (an SQLAlchemy URL) and `query` (SQL, or the path of an .sql
    file) is needed, the adapter says. `fields`: our name of a field → the vendor's; `options`: what only this vendor
    knows. `limits`: how much is asked of it. `default`: of several connections of a kind the one that serves what was
    begun before there were several. `reader`, of a CRM: where its deals are read back, when that is another API than
    the one that is written to. `links`: where people find a record, by its kind: { customer = "https://…/{id}" }.
    """

    kind: Kind
    adapter: str = "sandbox"
    base_url: str | None = None
    token: Secret | None = None
    user: str | None = Field(None, min_length=1)
    password: Secret | None = None
    database: str | None = Field(None, min_length=1)
    url: Secret | None = None
    query: str | None = Field(None, min_length=1)
    fields: dict[str, str] = {}
    options: dict[str, str] = {}
    limits: Limit = Limit()
    default: bool = False
    mapping: Path | None = None
    reader: Reader | None = None
    links: dict[str, str] = {}

    @field_validator("links")
    @classmethod
    def _of_a_record(cls, links: dict[str, str]) -> dict[str, str]:
        for kind, link in links.items():
            if kind not in RECORDS:
                raise ValueError(f"there is no {kind!r}; known: {', '.join(RECORDS)}")
            if "{id}" not in link or not link.startswith(("https://", "http://")):
                raise ValueError(f"{kind}: write it as https://host/path/{{id}}")
        return links

    @field_validator("base_url")
    @classmethod
    def _an_address(cls, url: str | None) -> str | None:
        if url is not None and not is_address(url):
            raise ValueError(
                "write it as https://host, https://host:port or https://host/path, without user or password"
            )
        return url

    @model_validator(mode="after")
    def _only_a_crm_is_read_back(self) -> "Connection":
        if self.reader is not None and self.kind != "crm":
            raise ValueError("only a CRM has a reader")
        return self


class WebhookSource(Declaration):
    """Who may send to `/webhooks/<source>`: any of these secrets is valid, so that one can be changed without a gap.

    `preset` declares the rest, and what is written here lies over it.
    """

    connection: str
    secrets: tuple[Secret, ...] = Field(min_length=1)
    preset: Preset | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, values: object) -> object:
        return over_preset(values)


class Feed(Section):
    """A change feed that is read every so many seconds, for a system without webhooks.

    `source` names its rows in the inbox: the feed's name, unless it tells the very events of a webhook source.
    `begin`: the first reading takes in what happens from `now` on, or `everything` that is so now, too: of a CRM, every
    deal that was ever won. `database` (a secret: its URL) and `table` are those of a postgres_outbox.
    """

    connection: str
    adapter: Literal["sandbox", "postgres_outbox", "tryton"] = "sandbox"
    every: float = Field(30.0, ge=1, le=30 * 86_400)
    jitter: float = Field(5.0, ge=0, le=86_400)
    source: str | None = Field(None, min_length=1, max_length=100)
    begin: Literal["now", "everything"] = "now"
    database: Secret | None = None
    table: str = Field("outbox", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$")

    @model_validator(mode="after")
    def _has_its_database(self) -> "Feed":
        if (self.adapter == "postgres_outbox") != (self.database is not None):
            raise ValueError("a postgres_outbox, and nothing else, needs `database`")
        return self


class Limits(Section):
    """What the gateway takes. `tolerance_seconds`: where a source declares none of its own."""

    body_bytes: int = Field(1024 * 1024, ge=1)
    tolerance_seconds: int = Field(300, ge=1, le=300)


class Subscriber(Section):
    """Who is told what lifecycles decide: events whose type matches one of `types` (globs) are sent to `url`.

    Each message is signed with all `secrets`, so that one can be changed without a gap. `paused`: what is to be sent
    waits.
    """

    url: str
    secrets: tuple[Secret, ...] = Field(min_length=1)
    types: tuple[str, ...] = Field(("tenure.lifecycle.*",), min_length=1)
    paused: bool = False

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and url.isascii() and url.isprintable() and " " not in url
        if parts.scheme not in ("https", "http") or not usable or "@" in parts.netloc:
            raise ValueError("write it as https://host/path, without a user or password")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("plain http goes to this machine only; use https")
        return url

    @field_validator("types")
    @classmethod
    def _published(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        published = [name for name, event in CATALOG.items() if event.contract_.outgoing]
        for glob in types:
            if not any(fnmatchcase(name, glob) for name in published):
                raise ValueError(f"{glob!r} matches no event that Tenure publishes")
        return types


def is_address(url: str) -> bool:
    """Whether it is the address of an HTTP server, without a user or a password."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port != 0 and re.fullmatch(r"https?://[^/\s@]+(/\S*)?", url) is not None


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches it."""
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


class Figures(Section):
    """`every`: for how many seconds what the ERP said of a subscription, or of a customer's invoices, is good where
    nothing is known to have changed.
    """

    every: float = Field(6 * 3600, ge=60)


class Tuning(Section):
    """Times that trade latency for load, in seconds.

    `sticky_timeout`: how long a workflow waits for a worker that was killed. `lease`: how long a dispatcher holds a
    stream without renewing. `poll`: pause between two looks at an empty inbox. `grace`: from SIGTERM to SIGKILL.
    `keep_outgoing_days`: how long a published event is kept after everybody has got it. `workflow_tasks`: how many
    workflow tasks a worker takes at once. Their work is Python's, one at a time: those that a worker took and can't get
    at run out of their ten seconds in its hands, and are all done again. `steps`: how many steps of each connection,
    and how many looks, it takes at once. The others wait in Temporal, the most urgent first; in a worker each would
    make all of them slower.
    """

    sticky_timeout: float = Field(2.0, gt=0)
    lease: float = Field(15.0, gt=0)
    poll: float = Field(0.1, gt=0)
    grace: float = Field(10.0, gt=0)
    max_cached_workflows: int = Field(500, ge=1)
    workflow_tasks: int = Field(8, ge=2)
    steps: int = Field(16, ge=1)
    keep_outgoing_days: float = Field(30.0, gt=0)


class Deploys(Section):
    """How new code reaches the lifecycles that run (docs/deploy.md). `pinned`: each stays with the version that it
    lives on until `tenure deploy` moves it, so for a while both versions need workers; else whichever workers there are
    live them all. `name`: of the deployment in Temporal."""

    pinned: bool = False
    name: str = Field("tenure", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")


class Reconciliation(Section):
    """`every`: after so many seconds all contracts are compared with the outside again; 0: only when asked for.
    `settle`: how many seconds a contract must have been at rest to be compared."""

    every: float = Field(3600.0, ge=0, le=30 * 86_400)
    settle: float = Field(30.0, ge=0, le=3600)


class Tracing(Section):
    """Where spans go: the base URL of an OTLP collector over HTTP (`http://tempo:4318`); nowhere without one.

    `ratio`: how many of the traces that begin here are recorded.
    """

    endpoint: str | None = Field(None, pattern=r"^https?://[^/\s@]+(/\S*)?$")
    ratio: float = Field(1.0, ge=0, le=1)
