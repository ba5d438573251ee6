"""A contract's stream: one dispatcher at a time holds it, numbers its events and delivers them in that order."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlmodel import Session, col, func, select, update

from store.database import Database, change, db_now, insert_once
from store.epoch import first_seq
from store.tables import DeliveryRow, StreamRow

_PENDING = select(DeliveryRow.id).where(DeliveryRow.state == "pending").limit(1)
_LIVE = select(StreamRow.stream).where(col(StreamRow.lease_until) > db_now())
_READY = (
    select(DeliveryRow.stream)
    .where(DeliveryRow.state == "pending", col(DeliveryRow.stream).not_in(_LIVE))
    .group_by(DeliveryRow.stream)
    .order_by(func.min(col(DeliveryRow.id)))
)


class Answer(NamedTuple):
    """What became of one delivery. `recorded`: it woke nobody; `refused`: `text` says why."""

    state: Literal["delivered", "recorded", "refused"]
    text: str = ""


class Streams:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def ready(self, limit: int = 50) -> Sequence[str]:
        """Streams with pending deliveries and no live lease, the longest waiting first."""
        if not await self._db.any(_PENDING):
            return []
        return await self._db.read(lambda session: session.exec(_READY.limit(limit)).all())

    async def lease(self, stream: str, owner: str, seconds: float) -> int | None:
        """The fence of a new lease, or None while any lease lives, be it the owner's own."""
        return await self._db.write(lambda session: lease(session, stream, owner, seconds))

    async def renew(self, stream: str, fence: int, seconds: float) -> bool:
        """False: the lease ran out and somebody else has the stream. What this owner still does is ignored."""
        statement = update(StreamRow).where(*_ours(stream, fence)).values(lease_until=db_now() + seconds)
        return await self._db.write(lambda session: change(session, statement)) == 1

    async def release(self, stream: str, fence: int) -> None:
        statement = update(StreamRow).where(*_ours(stream, fence)).values(lease_until=0.0, owner="")
        await self._db.write(lambda session: change(session, statement))

    async def number(self, stream: str, fence: int, limit: int = 100) -> Sequence[DeliveryRow]:
        """The pending deliveries in the order of their seq, new ones numbered now. Empty when the fence is not ours."""
        return await self._db.write(lambda session: number(session, stream, fence, limit))

    async def finish(self, stream: str, fence: int, answers: Mapping[int, Answer]) -> bool:
        """Answers by seq. False, and nothing is marked, when the fence is not ours any more."""
        return await self._db.write(lambda session: finish(session, stream, fence, answers))


def lease(session: Session, stream: str, owner: str, seconds: float) -> int | None:
    free = (col(StreamRow.stream) == stream, col(StreamRow.lease_until) <= db_now())
    values = {"owner": owner, "fence": StreamRow.fence + 1, "lease_until": db_now() + seconds}
    take = update(StreamRow).where(*free).values(**values)
    if change(session, take) == 0:
        if not insert_once(session, StreamRow(stream=stream, last_seq=first_seq(session)), keys=("stream",)):
            return None
        change(session, take)
    return session.exec(select(StreamRow.fence).where(StreamRow.stream == stream)).one()


def number(session: Session, stream: str, fence: int, limit: int = 100) -> Sequence[DeliveryRow]:
    held = _held(session, stream, fence)
    if held is None:
        return []
    pending = select(DeliveryRow).where(DeliveryRow.stream == stream, DeliveryRow.state == "pending")
    unnumbered = pending.where(col(DeliveryRow.seq).is_(None)).order_by(col(DeliveryRow.inbox_id), col(DeliveryRow.id))
    for row in session.exec(unnumbered):
        held.last_seq += 1
        row.seq = held.last_seq
    session.flush()
    return session.exec(pending.order_by(col(DeliveryRow.seq)).limit(limit)).all()


def finish(session: Session, stream: str, fence: int, answers: Mapping[int, Answer]) -> bool:
    if _held(session, stream, fence) is None:
        return False
    for seq, answer in answers.items():
        row = update(DeliveryRow).where(
            col(DeliveryRow.stream) == stream, col(DeliveryRow.seq) == seq, col(DeliveryRow.state) == "pending"
        )
        change(session, row.values(state=answer.state, answer=answer.text, settled_at=db_now()))
    return True


def _held(session: Session, stream: str, fence: int) -> StreamRow | None:
    return session.exec(select(StreamRow).where(*_ours(stream, fence)).with_for_update()).one_or_none()


def _ours(stream: str, fence: int) -> tuple[Any, Any]:
    return StreamRow.stream == stream, StreamRow.fence == fence
