"""Intake: what a won, corrected, reopened or lost deal means for contracts, in the transaction that routes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlmodel import Session

from domain.company import Company
from domain.events import DealClosedWon, DealCorrected, DealLost, DealReopened, UnusableEvent
from domain.intake import STARTING, SUCCEEDING, Deal, DealKind
from domain.mapping import Mapping, canonical, summary
from domain.messages import LONGEST_TERM, AmendmentWon, RenewalLost, RenewalWon, Succession
from domain.splitting import Document
from starter.beginning import ONE_OFF, Again, as_fact, begin, live_of_account, won_back
from starter.slips import Slip
from store.cases import open_case, resolve_case
from store.facts import learn
from store.inbox import mark_ignored, reconsider
from store.lifecycles import contracts_of_deal, link
from store.orders import newest_order
from store.subjects import surviving
from store.tables import CaseRow, LifecycleRow

LONGEST_ID = 200  # a workflow id may have 255 bytes on some servers
OF_RENEWAL = ("renewal_months", "auto_renew")  # a mapping has one rule for all deals; what is one-off never renews
LINK_TO_CONTRACT = "link the deal in the CRM to the contract it changes, or renews"

DealEvent = DealClosedWon | DealCorrected | DealReopened | DealLost


@dataclass(frozen=True)
class Intake:
    """`crm` is the CRM connection's name, a part of every contract's id."""

    company: Company
    mapping: Mapping
    crm: str

    def take(self, session: Session, slip: Slip, event: DealEvent) -> None:
        """Find what a deal is, and hand it to the contracts that it starts, changes or decides on."""
        deal = summary(event.record, self.mapping)
        kind = deal.kind.value.replace("_", "-")
        if isinstance(event, DealClosedWon) and deal.outcome != "won":
            raise UnusableEvent(f"the deal {deal.deal_id} is reported as won, but its record says {deal.outcome}")
        if deal.kind is DealKind.IGNORED:
            mark_ignored(session, slip.inbox_id, "a deal of kind ignored concerns no lifecycle")
        elif deal.kind in STARTING:
            self._new_business(session, slip, event, deal)
        elif isinstance(event, DealLost) and deal.kind is not DealKind.RENEWAL:
            mark_ignored(session, slip.inbox_id, f"a lost deal of kind {kind} concerns no lifecycle")
        elif deal.outcome == "open":
            mark_ignored(session, slip.inbox_id, f"the {kind} deal {deal.deal_id} is not closed")
        elif contracts := self._concerned(session, deal):
            self._linked(session, slip, event.record, deal, contracts)
        else:
            self._unlinked(session, slip, deal)

    # ── new business ────────────────────────────────────────────────────────────────────────────────────────────

    def _new_business(self, session: Session, slip: Slip, event: DealEvent, deal: Deal) -> None:
        if contracts := contracts_of_deal(session, deal.deal_id):
            document = self._document(session, event.record, deal)
            Again(session, slip, deal, contracts).take(document, self.company.tenant)
        elif isinstance(event, DealLost):
            kind = deal.kind.value.replace("_", "-")
            mark_ignored(session, slip.inbox_id, f"a lost deal of kind {kind} concerns no lifecycle")
        elif deal.outcome != "won":
            slip.park(session, f"crm:deal:{deal.deal_id}")
        else:
            self._begin(session, slip, event.record, deal)

    def _begin(self, session: Session, slip: Slip, record: dict[str, Any], deal: Deal) -> None:
        if deal.account is None:
            raise UnusableEvent(f"the deal {deal.deal_id} names no account")
        if len(deal.deal_id) > LONGEST_ID:
            raise UnusableEvent(f"the deal's id has {len(deal.deal_id)} characters, more than {LONGEST_ID}")
        document = self._document(session, record, deal)
        former: Sequence[LifecycleRow] = ()
        how: Succession = "wins_back"
        if deal.kind in SUCCEEDING:
            former = [session.get_one(LifecycleRow, each) for each in self._of_links(session, deal)]
            if not former:
                self._unlinked(session, slip, deal)
                return
            if not all(life.closed for life in former):
                former = [life for life in former if not life.closed]
                how = "replaces" if deal.kind is DealKind.REPLACEMENT else "converts"
        elif deal.kind is DealKind.NEW:
            if live := live_of_account(session, deal.account):
                names = ", ".join(life.contract for life in live)
                reason = f"the account {deal.account} has a live contract ({names}) that the deal is not linked to"
                self._to_person(session, slip, deal, reason, LINK_TO_CONTRACT)
                return
            former = won_back(session, deal.account, document)
        orders = begin(session, self.company.tenant, self.crm, document, "intake", former=former, how=how)
        for contract, order in orders.items():
            learn(session, contract, as_fact(deal, order))
            slip.start(session, contract)
        resolve_case(session, _unlinked_case(deal))
        # that it was lost may have come before that it was won, and concerned nobody then
        reconsider(session, [DealLost.type], deal.deal_id)

    def _document(self, session: Session, record: dict[str, Any], deal: Deal) -> Document:
        """The deal's document; its account is the one that it is part of now."""
        document = canonical(record, self.mapping)
        if deal.account is not None:
            document["account"] = {**document.get("account", {}), "id": surviving(session, deal.account)}
        if deal.kind is DealKind.ONE_OFF:
            terms = document.get("terms", {})
            document["terms"] = {name: terms[name] for name in terms if name not in OF_RENEWAL} | {"kind": ONE_OFF}
        return document

    # ── linked deals ────────────────────────────────────────────────────────────────────────────────────────────

    def _concerned(self, session: Session, deal: Deal) -> list[str]:
        """The contracts that a deal changes or decides on: those it is an alias of itself, which a renewal opportunity
        of ours is of just one, else those it is linked to.
        """
        own = contracts_of_deal(session, deal.deal_id)
        contracts = own or self._of_links(session, deal)
        still = [each for each in contracts if not session.get_one(LifecycleRow, each).closed]
        return still or contracts

    def _of_links(self, session: Session, deal: Deal) -> list[str]:
        """The contracts of the first link that is known: a deal's, or a contract's id of ours."""
        for alias in deal.linked:
            if contracts := contracts_of_deal(session, alias):
                return contracts
            if session.get(LifecycleRow, alias) is not None:
                return [alias]
        return []

    def _linked(
        self, session: Session, slip: Slip, record: dict[str, Any], deal: Deal, contracts: Sequence[str]
    ) -> None:
        if deal.outcome == "lost":
            resolve_case(session, _unlinked_case(deal))
            for contract in contracts:
                slip.tell(session, contract, RenewalLost(opportunity=deal.deal_id))
            return
        quantities = self._by_product(record, deal)
        if deal.kind is not DealKind.RENEWAL and not quantities and deal.ends is None:
            raise UnusableEvent(f"the {deal.kind.value} deal {deal.deal_id} has no lines with a product")
        if unclear := _unclear(session, contracts, quantities):
            self._to_person(
                session, slip, deal, unclear, "link the deal in the CRM to the one contract that it concerns"
            )
            return
        if len(contracts) == 1:
            link(session, "crm", "deal", deal.deal_id, contracts[0])
        resolve_case(session, _unlinked_case(deal))
        for contract in contracts:
            sold = _products(session, contract)
            of_it = {name: each for name, each in quantities.items() if len(contracts) == 1 or name in sold}
            if of_it or not quantities:
                renews = deal.kind is DealKind.RENEWAL
                told = self._renewal(record, deal, of_it) if renews else self._amendment(deal, of_it)
                slip.tell(session, contract, told)

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

    def _amendment(self, deal: Deal, changes: dict[str, Decimal]) -> AmendmentWon:
        return AmendmentWon(
            deal=deal.deal_id, mode=deal.quantities, changes=changes, effective=deal.effective, ends=deal.ends
        )

    def _renewal(self, record: dict[str, Any], deal: Deal, quantities: dict[str, Decimal]) -> RenewalWon:
        """A renewal deal without lines renews the contract as it stands; one without a length, as long as agreed."""
        months = canonical(record, self.mapping).get("terms", {}).get("initial_months")
        length = months if isinstance(months, int) and 1 <= months <= LONGEST_TERM else None
        return RenewalWon(opportunity=deal.deal_id, quantities=quantities, months=length)

    def _by_product(self, record: dict[str, Any], deal: Deal) -> dict[str, Decimal]:
        quantities: dict[str, Decimal] = {}
        for line in canonical(record, self.mapping)["lines"]:
            if product := line.get("product"):
                quantities[product] = quantities.get(product, Decimal()) + _quantity(line.get("quantity"), deal)
        return quantities


def _unclear(session: Session, contracts: Sequence[str], quantities: dict[str, Decimal]) -> str | None:
    """Why it can't be told which of several contracts each product belongs to."""
    if len(contracts) == 1:
        return None
    for product in quantities:
        selling = [contract for contract in contracts if product in _products(session, contract)]
        if len(selling) != 1:
            which = ", ".join(selling or contracts)
            return f"{product} is sold by {'several' if selling else 'none'} of the deal's contracts ({which})"
    return None


def _products(session: Session, contract: str) -> set[str]:
    order = newest_order(session, contract)
    lines = order.document.get("lines") if order else None
    return {str(line.get("product")) for line in (lines if isinstance(lines, list) else []) if isinstance(line, dict)}


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
