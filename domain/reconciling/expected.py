"""What the outside should hold of a contract: by its view, its order, the ledger, and what CS was told last."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from domain import keys
from domain.base import Frozen
from domain.ports import Health
from domain.standins import ELSEWHERE, is_real
from domain.view import LifecycleView, LineView, Stage

OVER = (Stage.ENDED, Stage.CANCELLED)


class ExpectedLine(Frozen):
    """`quantity` as it is now, `ordered` as it was sold. `billed_from`: None where billing has not started; `bills`
    is false where somebody else does, or the stage does not act."""

    id: str
    product: str
    quantity: Decimal
    ordered: Decimal | None
    unit_price: Decimal | None
    billed_from: date | None
    bills: bool = True


class Expected(Frozen):
    """`customer`, `subscription`, `company`, `opportunity`: ids outside, None where none of ours is known. `done`: keys
    of the ledger that are done. `under_way`: keys that are being worked on, or that wait for a person. `accounts`: the
    account, and those that it was before."""

    contract: str
    account: str
    deal: str
    selling_entity: str
    parent: str | None
    stage: Stage
    status: str
    sole: bool
    leg: str
    term: int
    starts: date | None
    ends: date | None
    decided: bool
    held: bool
    currency: str | None
    lines: tuple[ExpectedLine, ...]
    customer: str | None
    customer_key: str
    subscription: str | None
    company: str | None
    company_key: str
    opportunity: str | None
    health: Health | None
    effects: Mapping[str, str]
    done: frozenset[str]
    under_way: frozenset[str]
    connections: Mapping[str, str]
    accounts: frozenset[str]
    closed: bool = False
    renewed_until: date | None = None

    @property
    def activated(self) -> bool:
        return keys.activation(self.contract) in self.effects

    @property
    def over(self) -> bool:
        return self.closed or self.stage in OVER

    @property
    def renewed(self) -> bool:
        """Whether the ERP should hold the next term already."""
        return is_real(self.effects.get(keys.renewal(self.contract, self.term + 1)))

    def made(self, key: str) -> bool:
        """Whether an effect is done, and by us."""
        return is_real(self.effects.get(key))

    def unsettled(self, *kinds: str) -> bool:
        """Whether a step of one of these kinds is under way: what it is about is not compared now."""
        return any(key.partition(":")[0] in kinds for key in self.under_way)

    def connection(self, kind: str) -> str:
        return self.connections.get(kind, kind)


def expected(
    view: LifecycleView,
    document: Mapping[str, Any],
    *,
    ledger: Mapping[str, str],
    health: Health | None = None,
    sole: bool = True,
    homes: Mapping[str, str] = {},
    closed: bool = False,
) -> Expected:
    """`ledger`: the state of each key of the contract. `sole`: whether its deal has become no other contract. `homes`:
    the connection of each kind that serves a contract which names none. `closed`: whether the store has it as over."""
    contract, effects = view.contract, view.effects
    customer_key = _key(effects, keys.customer(view.account, view.selling_entity))
    company_key = _key(effects, keys.company(view.account))
    leg = keys.leg(contract, view.leg)
    ordered = {str(line.get("id")): line for line in document.get("lines") or [] if isinstance(line, dict)}
    return Expected(
        contract=contract,
        account=view.account,
        deal=view.deal,
        selling_entity=view.selling_entity,
        parent=view.parent_account,
        stage=view.stage,
        status=_status(view),
        sole=sole,
        leg=leg,
        term=view.term,
        starts=view.term_starts,
        ends=view.term_ends,
        decided=view.decision is not None,
        held=view.hold is not None,
        currency=document.get("currency"),
        lines=tuple(_line(view, leg, line, ordered.get(line.id, {})) for line in view.lines),
        customer=_real(effects, customer_key),
        customer_key=customer_key,
        subscription=view.subscription,
        renewed_until=view.renewed_until,
        company=_real(effects, company_key),
        company_key=company_key,
        opportunity=_real(effects, keys.renewal_opportunity(contract, view.term)),
        health=health,
        effects=effects,
        done=frozenset(key for key, state in ledger.items() if state == "DONE"),
        under_way=frozenset(
            (*view.pending, *(case.id for case in view.cases), *(k for k, s in ledger.items() if s in _OPEN))
        ),
        connections={**homes, **view.connections},
        accounts=frozenset((view.account, *view.moved_from)),
        closed=closed,
    )


_OPEN = ("CLAIMED", "SENT")


def _key(effects: Mapping[str, str], plain: str) -> str:
    """The key in the effects, which may have a scope after the plain one."""
    return next((key for key in effects if key == plain or key.startswith(f"{plain}@")), plain)


def _real(effects: Mapping[str, str], key: str) -> str | None:
    ref = effects.get(key)
    return ref if is_real(ref) else None


def _line(view: LifecycleView, leg: str, line: LineView, ordered: Mapping[str, Any]) -> ExpectedLine:
    stands = view.effects.get(keys.billing_start(leg, line.id, 1))
    return ExpectedLine(
        id=line.id,
        product=line.product,
        quantity=Decimal(line.quantity),
        ordered=_number(ordered.get("quantity")),
        unit_price=_number(ordered.get("unit_price")),
        billed_from=line.billing_starts,
        bills=line.billed_by is None and (stands is None or is_real(stands) or stands == ELSEWHERE),
    )


def _number(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def _status(view: LifecycleView) -> str:
    """The word on the CRM's deal, as the lifecycle tells it (domain/projection.py, status)."""
    if view.stage is Stage.CANCELLED:
        return "cancelled"
    if view.stage is Stage.ENDED:
        return "ended"
    if view.stage is Stage.ENDING:
        return "ending"
    if view.stage is Stage.ORDER_ACTIVATION:
        return "needs attention" if view.cases else "activating"
    renewed = keys.renewal(view.contract, view.term + 1) in view.effects
    return "renewed" if view.term > 1 or renewed else "active"
