"""A PostgreSQL server of the ERP's own: a data directory and a Unix socket, no port, no password to guess."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from starter.erp.environment import Environment
from starter.erp.guard import Guarded, last_words
from starter.erp.places import ErpError, give_to_server, make_directory, make_socket_home, server_account, socket_home

USER = "postgres"
STOP = Signals.SIGINT  # "fast": with SIGTERM it would wait until every client has gone
# A server that need not outlive the machine: a test's, or one that builds a template.
CARELESS = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
START_SECONDS = 30.0


@dataclass(frozen=True)
class Cluster:
    """The server on one data directory. Nothing here starts by itself."""

    data: Path
    environment: Environment

    def create(self) -> None:
        """A new, empty cluster."""
        make_directory(self.data.parent)
        self.data.mkdir(mode=0o700)
        give_to_server(self.data)
        self._program(
            *("initdb", "-D", str(self.data), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"),
        )

    def copy_from(self, template: Path) -> None:
        """A copy of a cluster that isn't running."""
        make_directory(self.data.parent)
        try:
            shutil.copytree(template, self.data)
        except (OSError, shutil.Error) as error:
            shutil.rmtree(self.data, ignore_errors=True)
            raise ErpError(f"{template} can't be copied to {self.data}: {str(error)[:200]}") from None
        give_to_server(self.data)

    @property
    def command(self) -> tuple[str, ...]:
        program = str(self.environment.postgres / "postgres")
        return (program, "-D", str(self.data), "-k", str(socket_home(self.data)), "-c", "listen_addresses=")

    def url(self, database: str = USER) -> str:
        """For libpq: through the socket, which only this user (or root) can reach."""
        return f"postgresql://{USER}@/{database}?host={quote(str(socket_home(self.data)), safe='')}"

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def execute(
        self, statement: LiteralString | sql.Composed, *values: Any, database: str = USER
    ) -> list[tuple[Any, ...]]:
        """One statement as the administrator; what it answers."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            answer = connection.execute(statement, values or None)
            return answer.fetchall() if answer.description else []

    def databases(self) -> set[str]:
        return {name for (name,) in self.execute("SELECT datname FROM pg_database")}

    def copy_database(self, name: str, template: str) -> None:
        """A new database as a copy of another one that nobody is connected to."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Even while somebody is connected."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self, guarded: Guarded, log: Path, *options: str) -> None:
        """Start it for as long as `guarded` lasts, and wait until it answers. Raises ErpError with its log's end."""
        make_socket_home(self.data)
        process = guarded.start((*self.command, *options), log, stop=STOP, as_server=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ErpError(f"the ERP's PostgreSQL: {last_words(process, log)}")
            time.sleep(0.02)

    @contextmanager
    def running(self, log: Path, *options: str) -> Iterator[None]:
        """Up for a while; it ends with us, however we end."""
        with Guarded(socket_home(self.data)) as guarded:
            self.start(guarded, log, *options)
            yield

    def _program(self, name: str, *arguments: str) -> None:
        account = server_account()
        ended = subprocess.run(  # noqa: S603
            [str(self.environment.postgres / name), *arguments],
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            raise ErpError(f"{name}: {(ended.stderr or ended.stdout).strip()[-500:]}")
