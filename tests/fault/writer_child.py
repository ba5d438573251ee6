"""A process that writes events, and counts them in a read-then-write; prints each event id once it is durable.

Arguments: store url, source, number of events.
"""

import sys

from sqlmodel import Session

from store.database import Database, insert_once, take_turn
from store.settings import set_setting, setting
from store.tables import InboxRow

url, source, events = sys.argv[1:]
database = Database(url)


def write(event: str) -> None:
    def accept(session: Session) -> None:
        take_turn(session, "counting")
        count = int(setting(session, "n", "0"))
        row = InboxRow(source=source, event_id=event, type="t", subject="s", payload="{}")
        insert_once(session, row, keys=("source", "event_id"))
        set_setting(session, "n", str(count + 1))

    database.write_sync(accept)


for number in range(int(events)):
    write(f"{source}-{number}")
    print(f"{source}-{number}", flush=True)  # noqa: T201
database.close()
