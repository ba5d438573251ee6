"""The customer's purchase order: waited for before billing, and at a renewal that it does not cover (ADR 0024).

A wait never costs the customer its service, nor the company its billing: it ends with the last day on which the step
can still be done in time, and the open case goes on asking.
"""

from datetime import date, datetime, timedelta

from domain import calendar
from domain.finance.coming import Coming
from domain.order import OrderVerdict
from domain.refused import Refused
from domain.state import LifecycleState, OpenCase
from domain.terms import ContractKind, PurchaseOrder
from domain.view import CaseView

PURCHASE_ORDER_CASE = "purchase-order"
CHANGED_CASE = "purchase-order-changed"
DAY = timedelta(days=1)


def ordered(state: LifecycleState, verdict: OrderVerdict) -> None:
    """What the order's check says of it. One that came meanwhile is not forgotten."""
    named = verdict.sheet.purchase_order if verdict.sheet else None
    state.purchase_order, state.purchase_order_days = named or state.purchase_order, verdict.purchase_order_days


def needed(state: LifecycleState) -> bool:
    """Whether billing needs one at all. A reseller has its own, and an order that was checked before there were waits
    went on without."""
    terms = state.known.terms
    ours = terms.purchase_order_required and terms.kind is not ContractKind.RESELLER
    return ours and state.purchase_order_days is not None


def lacking_since(state: LifecycleState) -> date | None:
    """The first day on which there is none to bill against: that of the activation, or the one after the last one's
    expiry, which may be ahead."""
    if state.activated_on is None or not needed(state):
        return None
    if state.purchase_order is None:
        return state.activated_on
    expires = state.purchase_order.expires_on
    return expires + DAY if expires else None


def holds_billing(state: LifecycleState, today: date) -> bool:
    """Whether lines that may be billed wait for it. On the contract's last day they are billed all the same."""
    since = lacking_since(state)
    last = billed_without(state)
    return since is not None and since <= today and (last is None or today < last)


def billed_without(state: LifecycleState) -> date | None:
    """The day on which billing starts without a purchase order: the last one of a contract that ends."""
    return state.ends_on - DAY if state.ends_on else None


def or_last_day(state: LifecycleState, day: datetime | None, today: date) -> datetime | None:
    """When time alone may let a line be billed: on `day`, or without a purchase order when the contract ends."""
    last = billed_without(state)
    if last is None or last <= today or not holds_billing(state, today):
        return day
    instant = calendar.start_of_day(last, state.zone)
    return min(day, instant) if day else instant


def covers_next_term(state: LifecycleState) -> bool:
    """Whether the next term can be billed against what there is, to its last day."""
    following = state.term_number(state.term + 1)
    if following is None or not needed(state):
        return True
    if state.purchase_order is None:
        return False
    expires = state.purchase_order.expires_on
    return expires is None or expires >= (following.ends - DAY if following.ends else following.starts)


def renewed_without(state: LifecycleState) -> datetime | None:
    """The instant at which the renewal goes to the ERP without one: the running term's last day. A lapse of what the
    customer may use would be worse than an invoice that is paid late."""
    term = state.term_now()
    return calendar.start_of_day(term.ends - DAY, state.zone) if term and term.ends else None


def coming(state: LifecycleState) -> list[Coming]:
    """The day on which a purchase order that has not come becomes somebody's case."""
    since = lacking_since(state)
    unbilled = state.sheet is not None and any(line.id not in state.billing for line in state.sheet.lines)
    if since is None or not unbilled or since.isoformat() in state.purchase_orders_asked:
        return []
    at = calendar.start_of_day(since + (state.purchase_order_days or 0) * DAY, state.zone)

    def come(state: LifecycleState, now: datetime) -> None:
        state.purchase_orders_asked = [*state.purchase_orders_asked, since.isoformat()]
        _ask(state, _billing(state, since), now)

    return [Coming(at, "a purchase order is missing", come)]


def ask_for_renewal(state: LifecycleState, now: datetime) -> None:
    """The next term's purchase order is missing: a case at once, since the days are counted."""
    following = state.term_number(state.term + 1)
    if following is None or covers_next_term(state):
        return
    had = state.purchase_order
    why = f"{had.number} expires on {had.expires_on}" if had else "there is none"
    reason = f"{why}, and term {following.number} runs from {following.starts} to {following.ends or 'its notice'}"
    _ask(state, reason, now)


def check(state: LifecycleState, received: PurchaseOrder, today: date) -> None:
    if received.expires_on is not None and received.expires_on < today:
        raise Refused(f"the purchase order {received.number} expired on {received.expires_on}")
    if received.limit is not None and not (received.limit.is_finite() and received.limit > 0):
        raise Refused(f"the purchase order's limit is {received.limit}; it must be more than zero")


def received(state: LifecycleState, order: PurchaseOrder, today: date) -> None:
    """It has come: what waits for it goes on. Raises Refused for one that nothing can be billed against."""
    check(state, order, today)
    former, waits, state.purchase_order = state.purchase_order, _renewal_waits(state), order
    changed = former is None or former.number != order.number
    if changed and state.billing and not waits and unknown_to_erp(state):
        _tell_by_hand(state, order, today)
    if state.activated_on is None or not (holds_billing(state, today) or _renewal_waits(state)):
        settled(state)


def settled(state: LifecycleState) -> None:
    state.cases.pop(PURCHASE_ORDER_CASE, None)


def unknown_to_erp(state: LifecycleState) -> str | None:
    """The number that came after the ERP's subscription was made: billing starts and renewals tell it."""
    sold, now = state.known.purchase_order, state.purchase_order
    return now.number if now is not None and (sold is None or sold.number != now.number) else None


def preview(state: LifecycleState, order: PurchaseOrder, today: date) -> list[str]:
    """What would go on if it had come, in words. Raises Refused."""
    if state.closed or state.cancelled is not None:
        raise Refused("the lifecycle is closed")
    after = state.model_copy(deep=True)
    received(after, order, today)
    if state.activated_on is None:
        return [f"the order would be activated with the purchase order {order.number}"]
    lines = [line.id for line in state.known.lines if line.id not in state.billing and state.line_starts(line, today)]
    words = []
    if lines and holds_billing(state, today) and not holds_billing(after, today):
        words.append(f"billing of {', '.join(lines)} would start")
    if _renewal_waits(state) and not _renewal_waits(after):
        words.append(f"the renewal into term {state.term + 1} would go to the ERP")
    return words or ["nothing waits for it; it would be kept for what is billed from now on"]


def _renewal_waits(state: LifecycleState) -> bool:
    decided = state.decision is not None and state.decision.outcome == "renew" and not state.renewed
    return decided and not covers_next_term(state)


def _billing(state: LifecycleState, since: date) -> str:
    waiting = ", ".join(line.id for line in state.known.lines if line.id not in state.billing)
    return f"billing of {waiting} lacks one since {since}"


def _ask(state: LifecycleState, reason: str, now: datetime) -> None:
    """One case for all that waits; asked once more, as after continue-as-new, it stays as it is."""
    former = state.cases.get(PURCHASE_ORDER_CASE)
    state.cases[PURCHASE_ORDER_CASE] = OpenCase(
        view=CaseView(
            id=PURCHASE_ORDER_CASE,
            kind="purchase_order",
            title="the customer's purchase order is missing",
            reasons=list(dict.fromkeys([*(former.view.reasons if former else []), reason])),
            opened_at=former.view.opened_at if former else now,
            actor="finance",
            mend=f"tenure po {state.contract} NUMBER [--limit AMOUNT] [--expires DATE]",
        )
    )


def _tell_by_hand(state: LifecycleState, order: PurchaseOrder, today: date) -> None:
    """What is billed already names the former one, or none, until the ERP is told: no billing start nor renewal is due
    that would tell it."""
    state.cases[CHANGED_CASE] = OpenCase(
        view=CaseView(
            id=CHANGED_CASE,
            kind="purchase_order_changed",
            title=f"what is billed must name the purchase order {order.number} from now on",
            reasons=[f"the subscription {state.subscription} is billed already, and the ERP does not know of it"],
            opened_at=calendar.start_of_day(today, state.zone),
            actor="finance",
            mend=f"put {order.number} on the subscription in the ERP; tenure fix {state.contract} --retry "
            f"{CHANGED_CASE} puts this away",
        )
    )
