"""A store with every table and no row: migrating takes a while, a copy of what was migrated once does not."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url

from store.migrate import migrate


def lay(url: str) -> None:
    """Let the database at `url` have the newest schema. A SQLite file that is not there yet becomes a copy."""
    target = make_url(url)
    file = Path(target.database or "")
    if target.get_backend_name() == "sqlite" and not file.exists():
        file.write_bytes(_migrated())
    else:
        migrate(url)


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as directory:
        file = Path(directory) / "store.db"
        migrate(f"sqlite:///{file}")
        return file.read_bytes()
