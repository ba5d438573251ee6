"""A served Tryton for tests: every database is a copy of the seeded template."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

from starter.erp.cluster import CARELESS, Cluster
from starter.erp.guard import Guarded
from starter.erp.places import socket_home
from starter.erp.tryton import (
    ADMINISTRATOR,
    DATABASE,
    TECHNICAL_USER,
    Serving,
    set_passwords,
    start_copy,
    template,
    write_configuration,
)
from tests.ports import free_port

COMPANY = Path(__file__).parents[2] / "examples" / "company.toml"


@dataclass(frozen=True)
class Tryton:
    """One database of the server. `url` is the server's base URL; its API is at `<url>/<database>/rpc/`."""

    url: str
    database: str
    password: str = field(repr=False)
    admin_password: str = field(repr=False)
    cluster: Cluster
    user: str = TECHNICAL_USER
    admin: str = ADMINISTRATOR

    def sql(self, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        """What the database itself holds: one statement, its rows. Placeholders are `%s`."""
        return self.cluster.execute(statement, *values, database=self.database)


class TrytonServer:
    """One PostgreSQL; hands out fresh databases, each served by a Tryton of its own."""

    def __init__(self, cluster: Cluster, home: Path, passwords: dict[str, str]) -> None:
        self.cluster, self._home, self._passwords = cluster, home, passwords

    @contextmanager
    def fresh(self) -> Iterator[Tryton]:
        """A new database, served on a free port while this lasts."""
        name = f"live_{secrets.token_hex(4)}"
        self.cluster.copy_database(name, DATABASE)
        home = self._home / name
        home.mkdir()
        serving = Serving(self.cluster.environment, home / "trytond.conf", free_port())
        write_configuration(self.cluster, serving.configuration, name)
        try:
            with Guarded(home) as guarded:
                serving.start(guarded, home / "tryton.log", name)
                passwords = (self._passwords[TECHNICAL_USER], self._passwords[ADMINISTRATOR])
                yield Tryton(serving.url, name, *passwords, self.cluster)
        finally:
            self.cluster.drop_database(name)


@contextmanager
def open_server() -> Iterator[TrytonServer]:
    """Its own cluster and socket. It ends with this process, even if that is killed."""
    # not in pytest's own directory: the server's account has to reach it
    home = Path(tempfile.mkdtemp(prefix="tenure-erp-"))
    home.chmod(0o711)
    data = home / "data"
    with Guarded(home, socket_home(data)) as guarded:
        cluster = start_copy(template(COMPANY), data, guarded, home / "postgres.log", print, *CARELESS)
        passwords = {name: secrets.token_urlsafe(16) for name in (TECHNICAL_USER, ADMINISTRATOR)}
        set_passwords(cluster, passwords)
        yield TrytonServer(cluster, home, passwords)
