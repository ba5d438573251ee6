"""Brings a database to the newest schema. The migrations travel inside the package; no alembic.ini is needed."""

from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, inspect, text

from store.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_383_667  # PostgreSQL's advisory lock of Tenure's migrations; any number that stays the same

_alone = Lock()  # alembic keeps what it is at in globals of the process


def head() -> str:
    """The newest revision: revision ids are the numbers that the migrations' file names begin with."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def migrate(url: str) -> None:
    """Upgrade to head. Safe when several threads or processes call it at once; a glance when there is nothing to do."""
    database = Database(url, readers=1)
    try:
        if database.read_sync(lambda session: _revision(session.connection())) != head():
            with _alone:
                database.write_sync(lambda session: _upgrade(session.connection()))
    finally:
        database.close()


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _upgrade(connection: Connection) -> None:
    from alembic import command  # takes a second to import, and is rarely needed
    from alembic.config import Config

    if connection.dialect.name == "postgresql":  # SQLite's write transaction already excludes the others
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
