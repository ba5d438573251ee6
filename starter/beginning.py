"""The contracts that a won deal begins: one for each part of it, and what a later version of the deal does to them."""

from collections.abc import Mapping as Values
from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from domain import keys
from domain.document import apply_fixes, differences
from domain.events import UnusableEvent
from domain.facts import DEAL, Fact
from domain.intake import Deal
from domain.messages import OrderCorrected, Succession
from domain.splitting import Document, Placed, place, split
from domain.targets import ClockKind
from domain.urgency import NEW
from starter.slips import Slip
from store.cases import resolve_case
from store.clocks import start_clock
from store.facts import known_fact, learn
from store.inbox import mark_ignored, unpark
from store.lifecycles import add_lifecycle, follow, link
from store.orders import add_order, newest_order
from store.subjects import ended_of_account, open_of_account
from store.tables import CaseRow, EffectRow, LifecycleRow, utc_now

NO_NEWS = {"deal_version", "beside"}  # it moves with every save in the CRM; what the other contracts sell is theirs
ONE_OFF = "one_off"


def begin(
    session: Session,
    tenant: str,
    crm: str,
    document: Document,
    author: str,
    *,
    former: Sequence[LifecycleRow] = (),
    how: Succession = "replaces",
) -> dict[str, Document]:
    """The contracts of a deal's document, each with its order. `former`: what they follow, and `how`."""
    orders = {keys.contract_id(crm, str(document["deal_id"]), n): part for n, part in enumerate(split(document), 1)}
    for contract, order in orders.items():
        add_contract(session, tenant, contract, order, author)
    for life in former:
        by = next((contract for contract, order in orders.items() if _same_entity(order, life)), next(iter(orders)))
        follow(session, by, life.contract, how)
    return orders


def won_back(session: Session, account: str, document: Document) -> Sequence[LifecycleRow]:
    """The contract that a deal wins the customer back after: the last that ended, where none is live."""
    if is_one_off(document):
        return ()
    return [life for life in ended_of_account(session, account) if not _of_one_off(session, life.contract)][:1]


def live_of_account(session: Session, account: str) -> list[LifecycleRow]:
    """The open contracts of an account that another deal may change or renew: one-off orders are none."""
    return [life for life in open_of_account(session, account) if not _of_one_off(session, life.contract)]


def add_contract(session: Session, tenant: str, contract: str, document: Document, author: str) -> None:
    """The rows that a lifecycle begins with: itself, for ever, its first order revision, its deal as an alias."""
    deal, account = str(document["deal_id"]), str(document["account"]["id"])
    lifecycle = LifecycleRow(
        contract=contract,
        tenant=tenant,
        account=account,
        deal=deal,
        selling_entity=str(document.get("selling_entity") or ""),
        workflow_id=keys.lifecycle_id(tenant, contract),
        urgency=NEW,
        urgency_told=NEW,
    )
    add_lifecycle(session, lifecycle)
    add_order(session, contract, document, author)
    start_clock(session, ClockKind.ORDER_ACTIVATED, lifecycle, "", starts=utc_now(), at=utc_now())
    if contract.endswith("/1"):  # it finds the other parts as well
        link(session, "crm", "deal", deal, contract)
    for waits_for in (f"tenure:contract:{contract}", f"crm:account:{account}", f"crm:deal:{deal}"):
        unpark(session, waits_for)


def correct_order(session: Session, slip: Slip, contract: str, changes: Values[str, Any], author: str) -> None:
    """A new revision with what changed outside, of which the lifecycle is told."""
    slip.tell(session, contract, OrderCorrected(revision=revise(session, contract, changes, author)))


def revise(session: Session, contract: str, changes: Values[str, Any], author: str) -> int:
    """A new revision with what changed; what people have corrected here meanwhile stays. Returns its number."""
    order = newest_order(session, contract)
    if order is None:
        raise UnusableEvent(f"the contract {contract} has no order")
    try:
        document = apply_fixes(order.document, changes)
    except ValueError as error:
        raise UnusableEvent(f"the correction does not fit the order: {error}") from None
    return add_order(session, contract, document, author)


def is_activated(session: Session, contract: str) -> bool:
    """Whether the ERP has activated the order, as far as the ledger knows: from then on it owns the contract."""
    effect = session.get(EffectRow, keys.activation(contract))
    return effect is not None and effect.state == "DONE"


def is_one_off(document: Document) -> bool:
    terms = document.get("terms")
    return isinstance(terms, dict) and terms.get("kind") == ONE_OFF


def _of_one_off(session: Session, contract: str) -> bool:
    order = newest_order(session, contract)
    return order is not None and is_one_off(order.document)


def _same_entity(order: Document, life: LifecycleRow) -> bool:
    return str(order.get("selling_entity") or "") == life.selling_entity


class Again:
    """A deal that has its contracts already was reported once more: it may have changed since."""

    def __init__(self, session: Session, slip: Slip, deal: Deal, contracts: Sequence[str]) -> None:
        self._session, self._slip, self._deal = session, slip, deal
        self._contracts = {int(contract.rpartition("/")[2]): contract for contract in contracts}
        self._acted = False

    def take(self, document: Document, tenant: str) -> None:
        """What became of each part; `document` is the deal as it is now."""
        session, won = self._session, self._deal.outcome == "won"
        known = {number: self._known(contract) for number, contract in self._contracts.items()}
        placed = place(split(document), {number: order for number, order in known.items() if order})
        if not won:
            self._withdrawn(known)
        elif self._learnt(placed, known):
            for contract in self._contracts.values():
                resolve_case(session, withdrawn(contract, self._deal).id)
            self._changed(placed, known, tenant)
        if not self._acted:
            self._nothing_new()

    def _known(self, contract: str) -> Document | None:
        known = known_fact(self._session, contract, DEAL, self._deal.deal_id)
        return None if known is None else known.data["order"]

    def _withdrawn(self, known: Values[int, Document | None]) -> None:
        # what is changed while a deal is not won counts when it is won again
        for number, contract in self._contracts.items():
            if learn(self._session, contract, as_fact(self._deal, known[number] or {})):
                self._ask(withdrawn(contract, self._deal))

    def _learnt(self, placed: Placed, known: Values[int, Document | None]) -> bool:
        """Keep each part as it is now. False when nothing is new: the deal is the one that is known, or older."""
        parts = {number: placed.documents.get(number, {}) for number in self._contracts}
        new = [
            learn(self._session, self._contracts[number], as_fact(self._deal, part or known[number] or {}))
            for number, part in parts.items()
        ]
        return any(new)

    def _changed(self, placed: Placed, known: Values[int, Document | None], tenant: str) -> None:
        session, deal = self._session, self._deal
        live = {number for number, contract in self._contracts.items() if is_activated(session, contract)}
        # of a line that moves, neither part may be changed once one of them is live
        held = placed.moved if placed.moved & live else frozenset[int]()
        for number, document in placed.documents.items():
            contract, was = self._contracts.get(number), known.get(number)
            if contract is None:
                self._another(number, document, tenant, live)
                continue
            changes = differences(was, document) if was else {}
            if not {path.partition("[")[0] for path in changes} - NO_NEWS:
                continue
            if number in live or number in held:
                self._ask(differs(contract, deal, [f"it differs in {path}" for path in changes]))
            else:
                correct_order(session, self._slip, contract, changes, "intake")
                self._acted = True
        for number in placed.gone:
            self._ask(differs(self._contracts[number], deal, ["the deal has no line of this contract any more"]))

    def _another(self, number: int, document: Document, tenant: str, live: set[int]) -> None:
        """The deal has become one contract more: that begins, unless the others are live."""
        first = self._contracts[min(self._contracts)]
        contract = f"{first.rpartition('/')[0]}/{number}"
        if live:
            lines = ", ".join(str(line.get("id")) for line in document["lines"])
            self._ask(differs(first, self._deal, [f"it has lines of another contract now: {lines}"]))
            return
        add_contract(self._session, tenant, contract, document, "intake")
        learn(self._session, contract, as_fact(self._deal, document))
        self._slip.start(self._session, contract)
        self._acted = True

    def _ask(self, case: CaseRow) -> None:
        self._slip.ask(self._session, [case.contract or ""], case)
        self._acted = True

    def _nothing_new(self) -> None:
        """The correction is kept since the first try, and told once more where it was refused."""
        refused = [each for each in self._contracts.values() if self._slip.was_refused(self._session, each)]
        for contract in refused:
            order = newest_order(self._session, contract)
            self._slip.tell(self._session, contract, OrderCorrected(revision=order.revision if order else 1))
        if not refused:
            has = ", ".join(self._contracts.values())
            reason = f"the deal {self._deal.deal_id} has its contract already: {has}"
            mark_ignored(self._session, self._slip.inbox_id, reason)


def as_fact(deal: Deal, document: Document) -> Fact:
    """What is known of a deal, and of the part of it that is a contract's."""
    return Fact(DEAL, deal.deal_id, deal.version, {"outcome": deal.outcome, "order": document})


def withdrawn(contract: str, deal: Deal) -> CaseRow:
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


def differs_id(contract: str) -> str:
    """Of the case that a deal was changed after its order was activated."""
    return f"deal-differs:{contract}"


def differs(contract: str, deal: Deal, reasons: list[str]) -> CaseRow:
    return CaseRow(
        id=differs_id(contract),
        contract=contract,
        account=deal.account,
        kind="deal_differs",
        problem="deal_differs",
        title=f"the deal {deal.deal_id} was changed after its order was activated",
        reasons=reasons,
        actor="ops",
        mend="from activation on the ERP owns the contract: win an amendment in the CRM, or change the deal back",
    )
