"""A contract that has taken another's place says so, in the transaction that publishes its activation."""

import json

from sqlmodel import Session

from domain.events import ContractSucceeded
from domain.succession import ENDING
from domain.view import LifecycleView
from store.database import insert_once
from store.tables import InboxRow

SOURCE = "tenure"


def tell_former(session: Session, view: LifecycleView) -> None:
    """Put it into the inbox, once, for each contract that ends with the start of this one."""
    if view.term != 1 or view.term_starts is None:
        return
    for former, how in view.former.items():
        if how not in ENDING:
            continue
        event_id = f"succeeded:{former}:{view.contract}"
        body = {
            "specversion": "1.0",
            "id": event_id,
            "source": "/tenure",
            "type": ContractSucceeded.type,
            "data": {"contract": former, "by": view.contract, "how": how, "on": view.term_starts.isoformat()},
        }
        row = InboxRow(
            source=SOURCE, event_id=event_id, type=ContractSucceeded.type, subject=former, payload=json.dumps(body)
        )
        insert_once(session, row, keys=("source", "event_id"))
