"""Intake: what a won, corrected, reopened or lost deal means for contracts, in the transaction that routes it."""

from collections.abc import Mapping as Values
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlmodel import Session

from domain import keys
from domain.company import Company
from domain.document import apply_fixes, differences
from domain.events import DealClosedWon, DealCorrected, DealLost, DealReopened, UnusableEvent
from domain.facts import DEAL, Fact
from domain.intake import Deal, DealKind
from domain.mapping import Mapping, canonical, summary
from domain.messages import AmendmentWon, OrderCorrected, RenewalLost, RenewalWon
from starter.slips import Slip
from store.cases import open_case, resolve_case
from store.facts import known_fact, learn
from store.inbox import mark_ignored, reconsider, unpark
from store.lifecycles import add_lifecycle, find_contract, link
from store.orders import add_order, newest_order
from store.subjects import open_of_account
from store.tables import CaseRow, EffectRow, LifecycleRow

NO_NEWS = {"deal_version"}  # it moves with every save in the CRM
LONGEST_ID = 200  # a workflow id may have 255 bytes on some servers

DealEvent = DealClosedWon | DealCorrected | DealReopened | DealLost


@dataclass(frozen=True)
class Intake:
    """`crm` is the CRM connection's name, a part of every contract's id."""

    company: Company
    mapping: Mapping
    crm: str

    def take(self, session: Session, slip: Slip, event: DealEvent) -> None:
        """Find what a deal is, and hand it to the contract that it starts, changes or decides on."""
        deal = summary(event.record, self.mapping)
        contract = self._contract_of(session, deal)
        if isinstance(event, DealClosedWon) and deal.outcome != "won":
            raise UnusableEvent(f"the deal {deal.deal_id} is reported as won, but its record says {deal.outcome}")
        if deal.kind is DealKind.IGNORED:
            mark_ignored(session, slip.inbox_id, "a deal of kind ignored concerns no lifecycle")
        elif deal.kind is DealKind.NEW:
            self._new_business(session, slip, event, deal, contract)
        elif isinstance(event, DealLost) and deal.kind is DealKind.EXPANSION:
            mark_ignored(session, slip.inbox_id, "a lost deal of kind expansion concerns no lifecycle")
        elif deal.outcome == "open":
            mark_ignored(session, slip.inbox_id, f"the {deal.kind.value} deal {deal.deal_id} is not closed")
        elif contract is None:
            self._unlinked(session, slip, deal)
        elif deal.outcome == "lost":
            slip.tell(session, contract, RenewalLost(opportunity=deal.deal_id))
        else:
            renews = deal.kind is DealKind.RENEWAL
            told = self._renewal(event.record, deal) if renews else self._amendment(event.record, deal)
            link(session, "crm", "deal", deal.deal_id, contract)
            resolve_case(session, _unlinked_case(deal))
            slip.tell(session, contract, told)

    # ── new business ────────────────────────────────────────────────────────────────────────────────────────────

    def _new_business(self, session: Session, slip: Slip, event: DealEvent, deal: Deal, contract: str | None) -> None:
        if contract is not None:
            self._again(session, slip, event.record, deal, contract)
        elif isinstance(event, DealLost):
            mark_ignored(session, slip.inbox_id, "a lost deal of kind new concerns no lifecycle")
        elif deal.outcome != "won":
            slip.park(session, f"crm:deal:{deal.deal_id}")
        else:
            self._begin(session, slip, event.record, deal)

    def _begin(self, session: Session, slip: Slip, record: dict[str, Any], deal: Deal) -> None:
        if deal.account is None:
            raise UnusableEvent(f"the deal {deal.deal_id} names no account")
        if len(deal.deal_id) > LONGEST_ID:
            raise UnusableEvent(f"the deal's id has {len(deal.deal_id)} characters, more than {LONGEST_ID}")
        if live := open_of_account(session, deal.account):
            names = ", ".join(life.contract for life in live)
            reason = f"the account {deal.account} has a live contract ({names}) that the deal is not linked to"
            self._to_person(
                session, slip, deal, reason, "link the deal in the CRM to the contract it changes, or renews"
            )
            return
        document = canonical(record, self.mapping)
        contract = add_contract(session, self.company.tenant, self.crm, document, "intake")
        learn(session, contract, _as_fact(deal, document))
        resolve_case(session, _unlinked_case(deal))
        slip.start(session, contract)
        # that it was lost may have come before that it was won, and concerned nobody then
        reconsider(session, [DealLost.type], deal.deal_id)

    def _again(self, session: Session, slip: Slip, record: dict[str, Any], deal: Deal, contract: str) -> None:
        """A deal that has its contract already was reported once more: it may have changed since."""
        document = canonical(record, self.mapping)
        known = known_fact(session, contract, DEAL, deal.deal_id)
        # what is changed while a deal is not won counts when it is won again
        taken = document if deal.outcome == "won" or known is None else known.data["order"]
        if not learn(session, contract, _as_fact(deal, taken)):
            self._nothing_new(session, slip, deal, contract)
            return
        if deal.outcome != "won":
            slip.ask(session, [contract], _withdrawn(contract, deal))
            return
        resolve_case(session, _withdrawn(contract, deal).id)
        changes = differences(known.data["order"], document) if known else {}
        if not changes.keys() - NO_NEWS:
            self._nothing_new(session, slip, deal, contract)
        elif is_activated(session, contract):
            slip.ask(session, [contract], _differs(contract, deal, changes))
        else:
            correct_order(session, slip, contract, changes, "intake")

    def _nothing_new(self, session: Session, slip: Slip, deal: Deal, contract: str) -> None:
        order = newest_order(session, contract)
        if order is not None and slip.was_refused(session):
            # the correction is kept since the first try, and told once more
            slip.tell(session, contract, OrderCorrected(revision=order.revision))
        else:
            mark_ignored(session, slip.inbox_id, f"the deal {deal.deal_id} has its contract already: {contract}")

    # ── linked deals ────────────────────────────────────────────────────────────────────────────────────────────

    def _contract_of(self, session: Session, deal: Deal) -> str | None:
        """The contract that a deal, or a deal or contract it is linked to, is an alias of."""
        for alias in (deal.deal_id, *deal.linked):
            if contract := find_contract(session, "crm", "deal", alias):
                return contract
        return None

    def _unlinked(self, session: Session, slip: Slip, deal: Deal) -> None:
        if deal.linked:
            slip.park(session, f"crm:deal:{deal.linked[0]}")
            return
        reason = f"the {deal.kind.value} deal {deal.deal_id} is linked to no contract"
        self._to_person(session, slip, deal, reason, "link the deal in the CRM to the deal it changes, or renews")

    def _to_person(self, session: Session, slip: Slip, deal: Deal, reason: str, mend: str) -> None:
        slip.dead(session, reason, problem="unlinked_deal")
        case = CaseRow(
            id=_unlinked_case(deal),
            account=deal.account,
            kind="unlinked_deal",
            problem="unlinked_deal",
            inbox_id=slip.inbox_id,
            title=f"the won deal {deal.deal_id} belongs to no contract",
            reasons=[reason],
            actor="ops",
            mend=f"{mend}; then tenure event {slip.inbox_id} --again --payload FILE",
        )
        open_case(session, case)

    def _amendment(self, record: dict[str, Any], deal: Deal) -> AmendmentWon:
        changes = self._by_product(record, deal)
        if not changes.keys() - NO_NEWS:
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


def correct_order(session: Session, slip: Slip, contract: str, changes: Values[str, Any], author: str) -> None:
    """A new revision with what changed outside; what people have corrected here meanwhile stays."""
    order = newest_order(session, contract)
    if order is None:
        raise UnusableEvent(f"the contract {contract} has no order")
    try:
        document = apply_fixes(order.document, changes)
    except ValueError as error:
        raise UnusableEvent(f"the correction does not fit the order: {error}") from None
    revision = add_order(session, contract, document, author)
    slip.tell(session, contract, OrderCorrected(revision=revision))


def is_activated(session: Session, contract: str) -> bool:
    """Whether the ERP has activated the order, as far as the ledger knows: from then on it owns the contract."""
    effect = session.get(EffectRow, keys.activation(contract))
    return effect is not None and effect.state == "DONE"


def _as_fact(deal: Deal, document: dict[str, Any]) -> Fact:
    return Fact(DEAL, deal.deal_id, deal.version, {"outcome": deal.outcome, "order": document})


def _withdrawn(contract: str, deal: Deal) -> CaseRow:
    return CaseRow(
        id=f"deal-withdrawn:{contract}",
        contract=contract,
        account=deal.account,
        kind="deal_withdrawn",
        problem="deal_withdrawn",
        title=f"the won deal {deal.deal_id} is {deal.outcome} in the CRM now",
        reasons=["what was begun for it goes on until a person decides"],
        actor="ops",
        mend=f"win the deal again in the CRM; or tenure cancel {contract}, tenure end {contract}",
    )


def _differs(contract: str, deal: Deal, changes: Values[str, Any]) -> CaseRow:
    return CaseRow(
        id=f"deal-differs:{contract}",
        contract=contract,
        account=deal.account,
        kind="deal_differs",
        problem="deal_differs",
        title=f"the deal {deal.deal_id} was changed after its order was activated",
        reasons=[f"it differs in {path}" for path in changes],
        actor="ops",
        mend="from activation on the ERP owns the contract: win an amendment in the CRM, or change the deal back",
    )


def _quantity(value: object, deal: Deal) -> Decimal:
    try:
        quantity = Decimal(str(value))
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not quantity.is_finite():
        raise UnusableEvent(f"the {deal.kind.value} deal {deal.deal_id} has a line without a quantity")
    return quantity


def _unlinked_case(deal: Deal) -> str:
    return f"deal:{deal.deal_id}"
