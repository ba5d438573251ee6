"""Routing: what each received event is about, decided in one transaction with everything that follows from it.

Closed-won deals pass intake here, so that two deals of one account can't both start a lifecycle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy.exc import DataError, DBAPIError
from sqlmodel import Session, select

from domain.company import Company
from domain.document import value_at
from domain.events import (
    AccountMerged,
    DealClosedWon,
    DealCorrected,
    DealLost,
    DealReopened,
    EventData,
    UnusableEvent,
)
from domain.expressions import UnusableRecord
from domain.mapping import Mapping
from domain.mediation import Asks, Corrects, Keeps, Records, Tells, treatment
from domain.messages import PurchaseOrderReceived
from domain.routes import Landscape
from starter.beginning import begin, correct_order, is_activated, is_one_off, live_of_account, revise, won_back
from starter.intake import Intake
from starter.logs import where
from starter.slips import FACT, START, TELL, Slip
from starter.sources.reading import Hint, Ignored, Sources, Unreadable, Usable
from store.dead_letters import resolve_moot
from store.inbox import add_delivery, mark_hint, mark_ignored, next_received, unpark
from store.lifecycles import find_contract
from store.orders import newest_order
from store.subjects import concerned, known, merge_account, specific, surviving
from store.tables import CaseRow, InboxRow, LifecycleRow

__all__ = ["FACT", "START", "TELL", "Router", "begin_lifecycle", "unpark_known"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Router:
    """Routes received events, which `sources` read. `crm`: the CRM connection's name, a part of every contract's id."""

    company: Company
    mapping: Mapping
    crm: str
    sources: Sources = field(default_factory=Sources)
    landscape: Landscape = field(default_factory=Landscape)

    def route(self, session: Session, limit: int = 100) -> int:
        """Route the oldest received events; returns how many. One that can't be used becomes a dead letter."""
        rows = next_received(session, limit)
        for row in rows:
            slip = Slip(_id(row))
            try:
                with session.begin_nested():
                    self._read(session, slip, row)
                    resolve_moot(session, row, self.mapping, self.sources.event)
            except DBAPIError as error:
                if not isinstance(error, DataError):
                    raise
                slip.dead(session, "it holds text or numbers that the store can't keep", problem="unkeepable")
            except Unreadable as error:
                slip.dead(session, str(error), problem=error.problem)
            except (UnusableEvent, UnusableRecord) as error:
                slip.dead(session, str(error), problem="unusable")
            except Exception as error:  # whatever is wrong with one event, those behind it must not wait for it
                log.error("event not routed", inbox_id=row.id, error=type(error).__name__, where=where(error))
                slip.dead(session, f"it could not be routed ({type(error).__name__})", problem="unroutable")
        return len(rows)

    def _read(self, session: Session, slip: Slip, row: InboxRow) -> None:
        """By the source's configuration of this moment: a dead letter may be usable by now."""
        match self.sources.read(row.source, row.payload):
            case Usable(event):
                if event.deprecation:
                    log.warning("deprecated event", source=row.source, reason=event.deprecation)
                self._route(session, slip, event.data, self.sources.connection_of(row.source))
            case Hint(kind, record):
                mark_hint(session, slip.inbox_id, kind, record)
            case Ignored(reason):
                mark_ignored(session, slip.inbox_id, reason)

    def _route(self, session: Session, slip: Slip, event: EventData, connection: str | None) -> None:
        does = treatment(event)
        if isinstance(event, DealClosedWon | DealCorrected | DealReopened | DealLost):
            Intake(self.company, self.mapping, self.crm).take(session, slip, event)
            return
        contracts = concerned(session, event.subjects(), self.landscape, connection)
        if not contracts:
            slip.park(session, specific(event.subjects()[0], self.landscape, connection))
            return
        match does:
            case Tells():
                for contract in contracts:
                    slip.tell(session, contract, does.told(event))
            case Keeps():
                slip.learn(session, contracts)
            case Corrects():
                for contract in contracts:
                    _correct(session, slip, contract, does, event)
            case Asks():
                if isinstance(event, AccountMerged):
                    merge_account(session, event.account, event.into)
                slip.ask(session, contracts, *(_question(session, does, event, contract) for contract in contracts))
            case Records():
                slip.record(session, contracts)


def begin_lifecycle(session: Session, tenant: str, crm: str, document: dict[str, Any]) -> str:
    """Start from an order document instead of a deal. The same deal again changes nothing; returns the contract, the
    first of several.

    ValueError when the document names no deal or account, or the account has another live contract.
    """
    named = document.get("account")
    deal, account = document.get("deal_id"), named.get("id") if isinstance(named, dict) else None
    if not all(isinstance(name, str) and name and name.isprintable() for name in (deal, account)):
        raise ValueError("an order needs a deal_id and an account.id, both text, to start from")
    if found := find_contract(session, "crm", "deal", str(deal)):
        return found
    account = surviving(session, str(account))
    if not is_one_off(document) and (live := live_of_account(session, account)):
        raise ValueError(f"the account {account} has a live contract already: {live[0].contract}")
    document = {**document, "account": {**document["account"], "id": account}}
    former = won_back(session, account, document)
    contracts = list(begin(session, tenant, crm, document, "cli", former=former, how="wins_back"))
    for contract in contracts:
        row = InboxRow(source="cli", event_id=f"start:{contract}", type="tenure.start", subject=contract, payload="{}")
        row.state = "routed"
        session.add(row)
        session.flush()
        add_delivery(session, _id(row), contract, START, {})
    return contracts[0]


def unpark_known(session: Session, landscape: Landscape | None = None) -> int:
    """The sweep: put back whatever waits for an alias that finds a contract by now."""
    waiting: Sequence[str | None] = session.exec(
        select(InboxRow.parked_for).where(InboxRow.state == "parked").distinct().limit(1000)
    ).all()
    systems = landscape or Landscape()
    return sum(unpark(session, alias) for alias in waiting if alias and known(session, alias, systems))


def _correct(session: Session, slip: Slip, contract: str, does: Corrects, event: EventData) -> None:
    order, value = newest_order(session, contract), does.value(event)
    stands = value_at(order.document, does.path) if order else None
    told = does.told(event) if does.told else None
    if is_activated(session, contract):
        if told is None:
            slip.record(session, [contract])
            return
        if order is not None and stands is None:
            revise(session, contract, {does.path: value}, "intake")  # whoever reads the order finds it there, too
        slip.tell(session, contract, told)
    elif order is not None and (stands == value or (isinstance(stands, dict) and stands.get("number") == value)):
        slip.record(session, [contract])
    elif isinstance(told, PurchaseOrderReceived):
        # billing waits for it, whether or not the order can still name it
        revision = revise(session, contract, {does.path: value}, "intake")
        slip.tell(session, contract, told.model_copy(update={"revision": revision}))
    else:
        correct_order(session, slip, contract, {does.path: value}, "intake")


def _question(session: Session, asks: Asks, event: EventData, contract: str) -> CaseRow:
    """One case per kind and contract: what comes later renews it."""
    life = session.get_one(LifecycleRow, contract)
    return CaseRow(
        id=f"{asks.kind}:{contract}",
        contract=contract,
        account=life.account,
        kind=asks.kind,
        problem=asks.kind,
        title=asks.title,
        reasons=[asks.why(event)],
        actor=asks.actor,
        mend=asks.mend.format(**{**event.model_dump(mode="json"), "contract": contract}),
    )


def _id(row: InboxRow) -> int:
    if row.id is None:
        raise ValueError("an inbox row that was never stored")
    return row.id
