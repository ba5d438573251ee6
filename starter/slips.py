"""A routing slip: what becomes of one received event, written into the transaction that routes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from domain.messages import LifecycleEvent
from store.cases import open_case
from store.inbox import add_delivery, mark_dead, mark_parked, mark_routed
from store.tables import CaseRow, DeliveryRow

START, TELL, FACT, RECORD = "start", "tell", "fact", "record"
"""What a delivery does: start the lifecycle, tell it as it is, learn a fact, or add a line to the timeline."""


@dataclass(frozen=True)
class Slip:
    """Of the inbox row `inbox_id`."""

    inbox_id: int

    def start(self, session: Session, contract: str) -> None:
        self._queue(session, [contract], START, None)

    def tell(self, session: Session, contract: str, told: LifecycleEvent) -> None:
        self._queue(session, [contract], TELL, told)

    def learn(self, session: Session, contracts: Sequence[str]) -> None:
        self._queue(session, contracts, FACT, None)

    def record(self, session: Session, contracts: Sequence[str]) -> None:
        self._queue(session, contracts, RECORD, None)

    def ask(self, session: Session, contracts: Sequence[str], *cases: CaseRow) -> None:
        """A person decides: a case, and a line in the timeline of each contract."""
        for case in cases:
            case.inbox_id = self.inbox_id
            open_case(session, case)
        self.record(session, contracts)

    def park(self, session: Session, waits_for: str) -> None:
        """It came before what it is about is known."""
        mark_parked(session, self.inbox_id, parked_for=waits_for, reason=f"waits until {waits_for} is known")

    def dead(self, session: Session, reason: str, *, problem: str) -> None:
        readable = reason[:1000].replace("\0", "?").encode(errors="replace").decode()  # it may repeat bad text
        mark_dead(session, self.inbox_id, readable, problem=problem)

    def was_refused(self, session: Session, contract: str) -> bool:
        """Whether a lifecycle refused what it was told of this event: then it was put back by a person."""
        refused = select(DeliveryRow.id).where(DeliveryRow.inbox_id == self.inbox_id, DeliveryRow.state == "refused")
        refused = refused.where(DeliveryRow.stream == contract)
        return session.exec(refused.limit(1)).first() is not None

    def _queue(self, session: Session, contracts: Sequence[str], kind: str, told: LifecycleEvent | None) -> None:
        for contract in contracts:
            payload = {} if told is None else told.model_dump(mode="json")
            add_delivery(session, self.inbox_id, contract, kind, payload)
        mark_routed(session, self.inbox_id)
