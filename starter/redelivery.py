"""After an unclean stop of the local stack's Temporal server: what it may have forgotten is delivered again."""

from pathlib import Path

from sqlalchemy import make_url

from domain.errors import TenureError
from starter.mistakes import Mistake
from starter.settings import Settings
from store.database import Database
from store.migrate import migrate
from store.replay import Replayed, replay_last

# WAL with synchronous=NORMAL keeps what a killed process wrote, and may lose the end of it when the machine goes down
UNCLEAN_SECONDS = 600.0


def redeliver_last_minutes(settings: Settings) -> Replayed:
    """Before the server is up again: an event that came first, under a higher number, would make the lost ones stale.

    Raises Mistake when there is a store that does not answer.
    """
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).exists()):
        return Replayed(0, 0, 0)
    database = Database(settings.database_url, readers=1)
    try:
        migrate(settings.database_url)
        return database.write_sync(lambda session: replay_last(session, UNCLEAN_SECONDS))
    except TenureError as error:
        raise Mistake(f"Temporal stopped uncleanly, and its last minutes can't be delivered again: {error}") from None
    finally:
        database.close()
