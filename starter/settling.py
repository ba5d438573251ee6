"""What becomes of an event: its own state, and what each lifecycle answered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from starter.mistakes import Mistake, Unanswered
from store.database import Database
from store.tables import DeliveryRow, InboxRow


@dataclass(frozen=True)
class Outcome:
    """What became of an event: its inbox row's state, and the answer of each lifecycle that it concerned."""

    inbox_id: int
    state: str
    reason: str
    answers: dict[str, str]

    @property
    def unused(self) -> bool:
        return self.state in ("dead", "parked") or any("refused" in answer for answer in self.answers.values())


async def outcome_of(database: Database, inbox_id: int, *, seconds: float = 15.0) -> Outcome:
    """Wait until an event is settled. Raises Mistake when it still waits after `seconds`: it is not lost."""
    give_up = asyncio.get_running_loop().time() + seconds
    while True:
        found, settled = await database.read(lambda session: _look(session, inbox_id))
        if settled:
            return found
        if asyncio.get_running_loop().time() > give_up:
            raise Unanswered(f"event {inbox_id} is kept and waits for the dispatcher; `tenure status` tells why")
        await asyncio.sleep(0.05)


async def outcomes_of(database: Database, inbox_ids: Sequence[int], *, seconds: float = 15.0) -> Sequence[Outcome]:
    """Wait for several; those that still wait after `seconds` are told with the state that they are in."""
    give_up = asyncio.get_running_loop().time() + seconds
    while True:
        found = await database.read(lambda session: [_look(session, each) for each in inbox_ids])
        if all(settled for _, settled in found) or asyncio.get_running_loop().time() > give_up:
            return [outcome for outcome, _ in found]
        await asyncio.sleep(0.1)


def _look(session: Session, inbox_id: int) -> tuple[Outcome, bool]:
    row = session.get(InboxRow, inbox_id)
    if row is None:
        raise Mistake(f"there is no event {inbox_id}")
    deliveries = session.exec(select(DeliveryRow).where(DeliveryRow.inbox_id == inbox_id)).all()
    answers = {each.stream: f"{each.state}{f': {each.answer}' if each.answer else ''}" for each in deliveries}
    settled = row.state not in ("received", "hint") and all(delivery.state != "pending" for delivery in deliveries)
    return Outcome(inbox_id, row.state, row.reason, answers), settled
