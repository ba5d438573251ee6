"""After a restore the ledger has forgotten its last minutes: an epoch marks what it can't know any more."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlmodel import Session, func, select, update

from store.database import change, now, take_turn
from store.settings import drop_setting, set_setting, settings_of
from store.tables import EffectRow, StreamRow

SEQ_GAP = 1_000_000
"""More events than any contract has had since a backup."""
EPOCH = ("epoch", "epoch_began", "epoch_remembers_until", "epoch_missing_in_doubt")


class Epoch(NamedTuple):
    """`began`: when the restore was declared. `remembers_until`: the last thing that the restored ledger saw.

    `missing_in_doubt`: whether a key without a row may have been sent in the time between the two.
    """

    number: int
    began: float
    remembers_until: float
    missing_in_doubt: bool


def read_epoch(session: Session) -> Epoch:
    return epoch_of(settings_of(session, EPOCH))


def epoch_of(found: Mapping[str, str]) -> Epoch:
    """What the settings named `EPOCH` say."""
    return Epoch(
        number=int(found.get("epoch", "0")),
        began=float(found.get("epoch_began", "0")),
        remembers_until=float(found.get("epoch_remembers_until", "0")),
        missing_in_doubt=bool(found.get("epoch_missing_in_doubt", "")),
    )


def begin_epoch(session: Session) -> int:
    """From now on every key that is not DONE, or is missing, counts as sent at this moment."""
    take_turn(session, "epoch")
    began = now(session)
    seen = session.exec(select(func.max(EffectRow.updated_at))).one()
    number = read_epoch(session).number + 1
    set_setting(session, "epoch", str(number))
    set_setting(session, "epoch_began", repr(began))
    set_setting(session, "epoch_remembers_until", repr(seen if seen is not None else began))
    set_setting(session, "epoch_missing_in_doubt", "yes")
    # lifecycles have heard numbers that the store has forgotten: what bore one of them again would be taken for stale
    change(session, update(StreamRow).values(last_seq=StreamRow.last_seq + SEQ_GAP))
    return number


def first_seq(session: Session) -> int:
    """After which number a stream begins of which the store knows nothing: its lifecycle may have heard some before."""
    return read_epoch(session).number * SEQ_GAP


def settle_epoch(session: Session) -> None:
    """Somebody has compared the outside systems with us: a missing key is a new one again."""
    drop_setting(session, "epoch_missing_in_doubt")


def under_epoch(row: EffectRow, epoch: Epoch) -> bool:
    """Carry a row of an older epoch over: unless it is DONE it becomes SENT. True when it was changed."""
    if row.epoch >= epoch.number:
        return False
    row.epoch = epoch.number
    if row.state == "DONE":
        return False
    # An idempotency key may have been used as early as the ledger's memory ends, whatever the row says.
    first = row.doubt_since or row.sent_at or epoch.remembers_until
    row.doubt_since = min(first, epoch.remembers_until)
    row.sent_at = max(row.sent_at or 0.0, epoch.began)
    row.state = "SENT"
    return True
