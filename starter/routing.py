"""Routing: what each received event is about, decided in one transaction with everything that follows from it.

Closed-won deals pass intake here, so that two deals of one account can't both start a lifecycle.
"""

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import structlog
from sqlalchemy.exc import DataError, DBAPIError
from sqlmodel import Session, select

from domain import keys
from domain.company import Company
from domain.events import (
    DealClosedWon,
    DealLost,
    EventData,
    MilestoneCompleted,
    SupportCaseClosed,
    SupportCaseOpened,
    UnusableEvent,
    UsageReported,
    read_event,
)
from domain.expressions import UnusableRecord
from domain.intake import Deal, DealKind
from domain.mapping import Mapping, canonical, summary
from domain.messages import AmendmentWon, MilestoneReached, RenewalLost, RenewalWon
from starter.logs import where
from store.cases import open_case, resolve_case
from store.inbox import add_delivery, mark_dead, mark_ignored, mark_parked, mark_routed, next_received, unpark
from store.lifecycles import add_lifecycle, find_contract, link, open_of_account
from store.orders import add_order
from store.tables import CaseRow, InboxRow, LifecycleRow

LONGEST_ID = 200  # a workflow id may have 255 bytes on some servers

START, TELL, FACT = "start", "tell", "fact"

log = structlog.get_logger()


@dataclass(frozen=True)
class Router:
    """Routes received events. `crm` is the CRM connection's name, a part of every contract's id."""

    company: Company
    mapping: Mapping
    crm: str

    def route(self, session: Session, limit: int = 100) -> int:
        """Route the oldest received events; returns how many. One that can't be used becomes a dead letter."""
        rows = next_received(session, limit)
        for row in rows:
            try:
                with session.begin_nested():
                    self._route(session, row, read_event(json.loads(row.payload)).data)
            except DBAPIError as error:
                if not isinstance(error, DataError):
                    raise
                _dead(session, row, "it holds text or numbers that the store can't keep")
            except (UnusableEvent, UnusableRecord, json.JSONDecodeError) as error:
                _dead(session, row, str(error))
            except Exception as error:  # whatever is wrong with one event, those behind it must not wait for it
                log.error("event not routed", inbox_id=row.id, error=type(error).__name__, where=where(error))
                _dead(session, row, f"it could not be routed ({type(error).__name__})")
        return len(rows)

    def _route(self, session: Session, row: InboxRow, data: EventData) -> None:
        match data:
            case DealClosedWon() | DealLost():
                self._deal(session, row, data)
            case MilestoneCompleted():
                told = MilestoneReached(milestone=data.milestone, on=data.completed_on)
                named = str(data.contract)
                if session.get(LifecycleRow, named) is None:
                    _park(session, row, f"tenure:contract:{named}")
                else:
                    _queue(session, row, [named], TELL, told.model_dump(mode="json"))
            case SupportCaseOpened() | SupportCaseClosed() | UsageReported():
                contracts = [life.contract for life in open_of_account(session, data.account)]
                self._facts(session, row, contracts, f"crm:account:{data.account}")
            case _:
                subscription = str(getattr(data, "subscription", ""))
                contract = find_contract(session, "erp", "subscription", subscription)
                self._facts(session, row, [contract] if contract else [], f"erp:subscription:{subscription}")

    def _facts(self, session: Session, row: InboxRow, contracts: list[str], waits_for: str) -> None:
        if contracts:
            _queue(session, row, contracts, FACT, {})
        else:
            _park(session, row, waits_for)

    def _deal(self, session: Session, row: InboxRow, data: DealClosedWon | DealLost) -> None:
        """Intake: a won deal starts a lifecycle, or goes to the one whose contract it changes or renews."""
        deal = summary(data.record, self.mapping)
        contract = self._contract_of(session, deal)
        if isinstance(data, DealClosedWon) and deal.outcome != "won":
            raise UnusableEvent(f"the deal {deal.deal_id} is reported as won, but its record says {deal.outcome}")
        if deal.kind is DealKind.IGNORED or (isinstance(data, DealLost) and deal.kind is not DealKind.RENEWAL):
            mark_ignored(session, _id(row), f"a deal of kind {deal.kind.value} concerns no lifecycle")
        elif deal.kind is DealKind.NEW:
            self._new(session, row, data.record, deal, contract)
        elif contract is None:
            self._unlinked(session, row, deal)
        elif isinstance(data, DealLost):
            told = RenewalLost(opportunity=deal.deal_id)
            _queue(session, row, [contract], TELL, told.model_dump(mode="json"))
        else:
            renews = deal.kind is DealKind.RENEWAL
            won = self._renewal(data.record, deal) if renews else self._amendment(data.record, deal)
            link(session, "crm", "deal", deal.deal_id, contract)
            resolve_case(session, _deal_case(deal))
            _queue(session, row, [contract], TELL, won.model_dump(mode="json"))

    def _new(self, session: Session, row: InboxRow, record: dict[str, Any], deal: Deal, known: str | None) -> None:
        if known is not None:
            mark_ignored(session, _id(row), f"the deal {deal.deal_id} has its contract already: {known}")
            return
        if deal.account is None:
            raise UnusableEvent(f"the deal {deal.deal_id} names no account")
        if len(deal.deal_id) > LONGEST_ID:
            raise UnusableEvent(f"the deal's id has {len(deal.deal_id)} characters, more than {LONGEST_ID}")
        if live := open_of_account(session, deal.account):
            names = ", ".join(life.contract for life in live)
            reason = f"the account {deal.account} has a live contract ({names}) that the deal is not linked to"
            self._to_person(
                session, row, deal, reason, "link the deal in the CRM to the contract it changes, or renews"
            )
            return
        document = canonical(record, self.mapping)
        contract = add_contract(session, self.company.tenant, self.crm, document, "intake")
        resolve_case(session, _deal_case(deal))
        _queue(session, row, [contract], START, {})

    def _contract_of(self, session: Session, deal: Deal) -> str | None:
        """The contract that a deal, or a deal or contract it is linked to, is an alias of."""
        for alias in (deal.deal_id, *deal.linked):
            if contract := find_contract(session, "crm", "deal", alias):
                return contract
        return None

    def _unlinked(self, session: Session, row: InboxRow, deal: Deal) -> None:
        if deal.linked:
            _park(session, row, f"crm:deal:{deal.linked[0]}")
            return
        reason = f"the {deal.kind.value} deal {deal.deal_id} is linked to no contract"
        self._to_person(session, row, deal, reason, "link the deal in the CRM to the deal it changes, or renews")

    def _to_person(self, session: Session, row: InboxRow, deal: Deal, reason: str, mend: str) -> None:
        _dead(session, row, reason)
        case = CaseRow(
            id=_deal_case(deal),
            account=deal.account,
            kind="unlinked_deal",
            title=f"the won deal {deal.deal_id} belongs to no contract",
            reasons=[reason],
            actor="ops",
            mend=f"{mend}; then tenure event {_id(row)} --again --payload FILE",
        )
        open_case(session, case)

    def _amendment(self, record: dict[str, Any], deal: Deal) -> AmendmentWon:
        changes = self._by_product(record, deal)
        if not changes:
            raise UnusableEvent(f"the expansion deal {deal.deal_id} has no lines with a product")
        return AmendmentWon(deal=deal.deal_id, mode=deal.quantities, changes=changes)

    def _renewal(self, record: dict[str, Any], deal: Deal) -> RenewalWon:
        """A renewal deal without lines renews the contract as it stands."""
        return RenewalWon(opportunity=deal.deal_id, quantities=self._by_product(record, deal))

    def _by_product(self, record: dict[str, Any], deal: Deal) -> dict[str, Decimal]:
        quantities: dict[str, Decimal] = {}
        for line in canonical(record, self.mapping)["lines"]:
            if product := line.get("product"):
                quantities[product] = quantities.get(product, Decimal()) + _quantity(line.get("quantity"), deal)
        return quantities


def add_contract(session: Session, tenant: str, crm: str, document: dict[str, Any], author: str) -> str:
    """The rows that a lifecycle begins with: itself, for ever, its first order revision, its deal as an alias."""
    deal, account = str(document["deal_id"]), str(document["account"]["id"])
    contract = keys.contract_id(crm, deal)
    lifecycle = LifecycleRow(
        contract=contract,
        tenant=tenant,
        account=account,
        deal=deal,
        selling_entity=str(document.get("selling_entity") or ""),
        workflow_id=keys.lifecycle_id(tenant, contract),
    )
    add_lifecycle(session, lifecycle)
    add_order(session, contract, document, author)
    link(session, "crm", "deal", deal, contract)
    for waits_for in (f"tenure:contract:{contract}", f"crm:account:{account}", f"crm:deal:{deal}"):
        unpark(session, waits_for)
    return contract


def begin_lifecycle(session: Session, tenant: str, crm: str, document: dict[str, Any]) -> str:
    """Start from an order document instead of a deal. The same deal again changes nothing; returns the contract.

    ValueError when the document names no deal or account, or the account has another live contract.
    """
    named = document.get("account")
    deal, account = document.get("deal_id"), named.get("id") if isinstance(named, dict) else None
    if not all(isinstance(name, str) and name and name.isprintable() for name in (deal, account)):
        raise ValueError("an order needs a deal_id and an account.id, both text, to start from")
    if known := find_contract(session, "crm", "deal", str(deal)):
        return known
    if live := open_of_account(session, str(account)):
        raise ValueError(f"the account {account} has a live contract already: {live[0].contract}")
    contract = add_contract(session, tenant, crm, document, "cli")
    row = InboxRow(source="cli", event_id=f"start:{contract}", type="tenure.start", subject=contract, payload="{}")
    row.state = "routed"
    session.add(row)
    session.flush()
    add_delivery(session, _id(row), contract, START, {})
    return contract


def unpark_linked(session: Session) -> int:
    """The sweep: put back whatever waits for an alias that exists by now."""
    freed = 0
    waiting = select(InboxRow.parked_for).where(InboxRow.state == "parked").distinct().limit(1000)
    for waits_for in session.exec(waiting):
        system, kind, foreign_id = (waits_for or "::").split(":", 2)
        if find_contract(session, system, kind, foreign_id):
            freed += unpark(session, waits_for or "")
    return freed


def _quantity(value: object, deal: Deal) -> Decimal:
    try:
        quantity = Decimal(str(value))
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not quantity.is_finite():
        raise UnusableEvent(f"the expansion deal {deal.deal_id} has a line without a quantity")
    return quantity


def _queue(session: Session, row: InboxRow, contracts: list[str], kind: str, payload: dict[str, Any]) -> None:
    for contract in contracts:
        add_delivery(session, _id(row), contract, kind, payload)
    mark_routed(session, _id(row))


def _park(session: Session, row: InboxRow, waits_for: str) -> None:
    mark_parked(session, _id(row), parked_for=waits_for, reason=f"waits until {waits_for} is known")


def _dead(session: Session, row: InboxRow, reason: str) -> None:
    bindable = reason[:1000].replace("\0", "?").encode(errors="replace").decode()  # the reason may repeat bad text
    mark_dead(session, _id(row), bindable)


def _deal_case(deal: Deal) -> str:
    return f"deal:{deal.deal_id}"


def _id(row: InboxRow) -> int:
    if row.id is None:
        raise ValueError("an inbox row that was never stored")
    return row.id
