"""Everything that can be configured: `tenure.toml`, then the environment (`TENURE_*`), which wins."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from domain.routes import Landscape, Route, route_mistakes
from starter.access import Access
from starter.local_erp import ErpName, LocalErp, with_local_erp
from starter.mistakes import Mistake
from starter.notifying.channels import Channel, Mail
from starter.sections import (
    KINDS,
    Connection,
    Deploys,
    Experience,
    Feed,
    Figures,
    Gateway,
    Kind,
    Limits,
    Reconciliation,
    Sandbox,
    Secret,
    Subscriber,
    Temporal,
    Tracing,
    Tuning,
    WebhookSource,
    is_loopback,
)

PREFIX = "TENURE_"
CONFIG_VARIABLE = "TENURE_CONFIG"
READY_FILE_VARIABLE = "TENURE_READY_FILE"
SECRET_PREFIX = "TENURE_SECRET_"  # noqa: S105
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
RESERVED = ("all", "feeds", "tenure")  # of the kill switch, of a task queue, of our own events
STORES = ("sqlite", "postgresql", "postgres", "postgresql+psycopg")
OUTSIDE_OF_SETTINGS = (CONFIG_VARIABLE, READY_FILE_VARIABLE)


class SettingsError(Mistake):
    """The configuration can't be used. One line that names the place and what to change; never a secret."""


def _sandbox_connections() -> dict[str, Connection]:
    return {kind: Connection(kind=kind) for kind in KINDS}


class Settings(BaseSettings):
    """The whole configuration. Relative paths start from the directory of `tenure.toml`, else from the current one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=False
    )

    tenant: str = "acme"
    state_dir: Path = Path(".tenure")
    store_url: SecretStr | Secret | None = Field(None, description="SQLAlchemy URL; SQLite below state_dir when absent")
    company: Path = Path("examples/company.toml")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    temporal: Temporal = Temporal()
    gateway: Gateway = Gateway()
    experience: Experience = Experience()
    sandbox: Sandbox = Sandbox()
    erp: LocalErp = LocalErp()
    connections: dict[Annotated[str, Field(pattern=NAME)], Connection] = Field(default_factory=_sandbox_connections)
    routes: tuple[Route, ...] = ()
    webhooks: dict[str, WebhookSource] = Field(default_factory=dict)
    feeds: dict[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$")], Feed] = Field(default_factory=dict)
    subscribers: dict[Annotated[str, Field(pattern=NAME)], Subscriber] = Field(default_factory=dict)
    access: Access = Access()
    channels: dict[Annotated[str, Field(pattern=NAME)], Channel] = Field(default_factory=dict)
    mail: Mail = Mail()
    limits: Limits = Limits()
    tuning: Tuning = Tuning()
    deploys: Deploys = Deploys()
    reconciliation: Reconciliation = Reconciliation()
    figures: Figures = Figures()
    tracing: Tracing = Tracing()

    _base_dir: Path = PrivateAttr(default_factory=Path.cwd)
    _config_file: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _coherent(self) -> "Settings":
        for mistake in self._mistakes_in_routing():
            raise ValueError(mistake)
        for source, webhook in self.webhooks.items():
            if webhook.connection not in self.connections:
                known = ", ".join(sorted(self.connections))
                raise ValueError(f"webhooks.{source}: unknown connection {webhook.connection!r}; known: {known}")
            kind = self.connections[webhook.connection].kind
            if kind != "crm" and any(rule.hint for rule in webhook.types):
                raise ValueError(
                    f"webhooks.{source}.connection: hints are read back from a CRM, and its kind is {kind}"
                )
        for name, feed in self.feeds.items():
            if feed.connection not in self.connections:
                known = ", ".join(sorted(self.connections))
                raise ValueError(f"feeds.{name}: unknown connection {feed.connection!r}; known: {known}")
            same = self.webhooks.get(feed.source or name)
            if same is not None and same.connection != feed.connection:
                raise ValueError(f"feeds.{name}.source: webhooks.{feed.source or name} tells of another connection")
        if self.access.mode == "demo" and not is_loopback(self.experience.host):
            raise ValueError(
                'experience.host: without a login only this machine may come in; set access.mode = "policy" for others'
            )
        ports: dict[int, str] = {}
        for name, port in self.ports().items():
            if port in ports:
                raise ValueError(f"{name} and {ports[port]} are both {port}")
            ports[port] = name
        return self

    def _mistakes_in_routing(self) -> Iterator[str]:
        for name, connection in self.connections.items():
            if name in RESERVED or (name in KINDS and name != connection.kind):
                yield f"connections.{name}: the name is taken; give it another"
        for kind in KINDS:
            names = self.connections_of(kind)
            homes = [name for name in names if self.connections[name].default or name == kind]
            if len(homes) > 1:
                yield f"connections: only one of kind {kind} can be the default, and {' and '.join(homes)} are"
            if len(names) > 1 and not any(route.kind == kind for route in self.routes):
                yield (
                    f"connections: {', '.join(names)} are all of kind {kind}: say in [[routes]] which orders go where"
                    if kind != "crm"
                    else f"connections: exactly one of kind 'crm' is needed, found: {', '.join(names)}"
                )
        yield from route_mistakes(self.routes, {name: each.kind for name, each in self.connections.items()})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what `load_settings` read from the file."""
        return env_settings, init_settings

    def ports(self) -> dict[str, int]:
        """Every port that the local stack listens on, by the name of its setting."""
        return {
            "temporal.port": self.temporal.port,
            "temporal.ui_port": self.temporal.ui_port,
            "sandbox.port": self.sandbox.port,
            "gateway.port": self.gateway.port,
            "experience.port": self.experience.port,
            **({"erp.port": self.erp.port} if self.erp.keep_tryton else {}),
        }

    def path(self, path: Path) -> Path:
        """`path` made absolute."""
        return (self._base_dir / path.expanduser()).resolve()

    @property
    def state_path(self) -> Path:
        return self.path(self.state_dir)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the store. May hold a password: don't log it. SettingsError when it can't be used."""
        if self.store_url is None:
            return f"sqlite:///{self.state_path / 'store.db'}"
        given = self.store_url
        url = self.read_secret(given, "store_url") if isinstance(given, Secret) else given.get_secret_value()
        scheme, separator, _ = url.partition("://")
        if not separator or scheme not in STORES:
            raise SettingsError(f"store_url: it must begin with {' or '.join(f'{each}://' for each in STORES[:2])}")
        return url

    def store_exists(self) -> bool:
        """False before anything was ever kept here. A database elsewhere is taken to exist."""
        scheme, _, path = self.database_url.partition(":///")
        return scheme != "sqlite" or Path(path).exists()

    @property
    def company_path(self) -> Path:
        return self.path(self.company)

    @property
    def gateway_url(self) -> str:
        return f"http://{self.gateway.host}:{self.gateway.port}"

    @property
    def experience_url(self) -> str:
        return f"http://{self.experience.host}:{self.experience.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox.port}"

    def task_queue(self, name: str) -> str:
        """The full name of a task queue, such as `tenure-lifecycle` or `tenure-erp`."""
        return f"{self.temporal.task_queue_prefix}-{name}"

    def connection_of(self, kind: Kind) -> str:
        """The name of the connection to the one system of a kind. SettingsError if there is none, or several."""
        names = [name for name, connection in self.connections.items() if connection.kind == kind]
        if len(names) != 1:
            raise SettingsError(
                f"connections: exactly one of kind {kind!r} is needed, found: {', '.join(names) or 'none'}"
            )
        return names[0]

    def connections_of(self, kind: Kind) -> tuple[str, ...]:
        """The names of the connections of a kind, in the file's order."""
        return tuple(name for name, connection in self.connections.items() if connection.kind == kind)

    def home_of(self, kind: Kind) -> str | None:
        """The connection that `default` marks, or that is named as its kind: what was begun before the connection of
        each contract was recorded lives there.
        """
        names = self.connections_of(kind)
        marked = [name for name in names if self.connections[name].default]
        return marked[0] if marked else kind if kind in names else None

    def default_of(self, kind: Kind) -> str | None:
        """The connection to which what names none goes: its home, or the only one there is."""
        names = self.connections_of(kind)
        return self.home_of(kind) or (names[0] if len(names) == 1 else None)

    @property
    def landscape(self) -> Landscape:
        """The systems that there are, and which orders go where."""
        homes = {kind: home for kind in KINDS if (home := self.home_of(kind))}
        kinds: dict[str, str] = {name: connection.kind for name, connection in self.connections.items()}
        return Landscape(connections=kinds, homes=homes, routes=self.routes)

    def base_url(self, connection: str) -> str:
        """Base URL of an outside system's API, without a slash at the end; empty where the adapter knows it itself."""
        chosen = self._connection(connection)
        local = f"{self.sandbox_url}/{chosen.kind}" if chosen.adapter == "sandbox" else ""
        return (chosen.base_url or local).rstrip("/")

    def token(self, connection: str) -> str:
        """The bearer token of a connection. Raises SettingsError when there is none, or when it can't be read."""
        chosen = self._connection(connection)
        if chosen.token is None and (chosen.base_url is not None or chosen.adapter != "sandbox"):
            raise SettingsError(f"connections.{connection}.token: needed beside base_url")
        return self.read_secret(chosen.token or self.sandbox.token, f"connections.{connection}.token")

    def mapping_path(self, connection: str) -> Path:
        """The field mapping of a CRM connection."""
        mapping = self._connection(connection).mapping
        if mapping is None:
            raise SettingsError(f"connections.{connection}.mapping: a CRM connection needs a mapping file")
        return self.path(mapping)

    def webhook_secrets(self, source: str) -> tuple[str, ...]:
        """The valid secrets of a webhook source. Raises SettingsError when one can't be read."""
        secrets = self.webhooks[source].secrets
        return tuple(self.read_secret(secret, f"webhooks.{source}.secrets[{n}]") for n, secret in enumerate(secrets))

    def subscriber_secrets(self, name: str) -> tuple[str, ...]:
        """The secrets that sign what a subscriber is sent. Raises SettingsError when one can't be read."""
        secrets = self.subscribers[name].secrets
        return tuple(self.read_secret(secret, f"subscribers.{name}.secrets[{n}]") for n, secret in enumerate(secrets))

    def read_secret(self, secret: Secret, where: str) -> str:
        """The secret itself. Raises SettingsError naming `where` and the place in which it is missing."""
        if secret.value is not None:
            return secret.value.get_secret_value()
        if secret.env is not None:
            if value := os.environ.get(secret.env, "").strip():
                return value
            raise SettingsError(f"{where}: the environment variable {secret.env} is not set")
        path = self.secret_path(secret)
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            hint = "; `tenure up` makes it" if secret.generated else ""
            raise SettingsError(f"{where}: can't read {path} ({type(error).__name__}){hint}") from None
        if not value:
            raise SettingsError(f"{where}: {path} is empty")
        return value

    def secret_path(self, secret: Secret) -> Path:
        """The file of a secret that is kept in one."""
        if secret.generated is not None:
            return self.state_path / secret.generated
        return self.path(secret.file or Path())

    def environment(self) -> dict[str, str]:
        """What makes a child process see these very settings, besides the environment that it inherits."""
        variables = {
            "TENURE_TENANT": self.tenant,
            "TENURE_STATE_DIR": str(self.state_path),
            "TENURE_STORE_URL": self.database_url,
            "TENURE_COMPANY": str(self.company_path),
            "TENURE_LOG_LEVEL": self.log_level,
            "TENURE_GATEWAY__HOST": self.gateway.host,
            "TENURE_EXPERIENCE__HOST": self.experience.host,
            "TENURE_TEMPORAL__TASK_QUEUE_PREFIX": self.temporal.task_queue_prefix,
            "TENURE_DEPLOYS__PINNED": str(self.deploys.pinned).lower(),
            "TENURE_DEPLOYS__NAME": self.deploys.name,
            "TENURE_ERP__SYSTEM": self.erp.system or "sandbox",
            "TENURE_ERP__KEEP_TRYTON": str(self.erp.keep_tryton).lower(),
        }
        if self.tracing.endpoint is not None:
            variables["TENURE_TRACING__ENDPOINT"] = self.tracing.endpoint
            variables["TENURE_TRACING__RATIO"] = str(self.tracing.ratio)
        for name, port in self.ports().items():
            variables[PREFIX + name.upper().replace(".", "__")] = str(port)
        if self._config_file is not None:
            variables[CONFIG_VARIABLE] = str(self._config_file)
        return variables

    def _connection(self, name: str) -> Connection:
        try:
            return self.connections[name]
        except KeyError:
            raise SettingsError(f"connections: there is no {name!r}; known: {', '.join(self.connections)}") from None


def load_settings(config: Path | None = None, *, local_erp: ErpName | None = None, **overrides: Any) -> Settings:
    """Read the file (`config`, else `TENURE_CONFIG`, else `./tenure.toml` if it exists) and the environment.

    `local_erp`: the stack's ERP, whatever is configured or remembered. `overrides` replace the file's top-level keys,
    not the environment's. Raises SettingsError, in one line.
    """
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    file = (named or Path("tenure.toml")).expanduser().resolve()
    values: dict[str, Any] = {}
    found = named is not None or file.exists()
    if found:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: can't be read ({error.strerror})") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: not valid TOML: {error}") from None
    _refuse_unknown_variables(os.environ)
    source = str(file) if found else "settings"
    try:
        settings = Settings(**(values | overrides))
    except ValidationError as error:
        raise SettingsError(f"{source}: {_one_line(error)}") from None
    except Exception as error:  # pydantic-settings wraps an unparseable variable in a class of its own
        raise SettingsError(f"{source}: {error}") from None
    if found:
        settings._base_dir, settings._config_file = file.parent, file
    return with_local_erp(settings, local_erp)


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environment:
        if not name.startswith(PREFIX) or name in OUTSIDE_OF_SETTINGS or name.startswith(SECRET_PREFIX):
            continue
        if name.split("__")[0] not in known:
            raise SettingsError(f"{name}: no such setting (a variable for a secret begins with {SECRET_PREFIX})")


_PLAIN = {  # where the library's words are about Python and not about TOML
    "extra_forbidden": "no such setting",
    "missing": "it is needed",
    "tuple_type": 'write a list, such as ["a", "b"]',
    "dict_type": "write a table, such as { name = 1 }",
}


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        message = _PLAIN.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        problems.append(f"{where}: {message}" if where else message)
    return "; ".join(problems)
