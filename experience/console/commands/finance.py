"""Finance's commands: an order that waits for approval, a customer's credit, a purchase order."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.access import Permission
from domain.calendar import civil_date
from domain.finance import approval, purchasing
from domain.finance.commands import ApproveOrder, HoldCredit, RejectOrder, ReleaseCredit
from domain.refused import Refused
from domain.state import LifecycleState
from domain.terms import PurchaseOrder
from domain.view import LifecycleView, Stage
from experience.console.commands.command import Command, Field, Given, Preview
from starter import crediting
from starter.mistakes import Mistake, Refusal
from starter.office import Office

OVER = (Stage.ENDED, Stage.CANCELLED)
REASON = Field("reason", "Why", required=True, hint="kept with the contract")


def _waits(view: LifecycleView) -> bool:
    return view.approval is not None and not view.approval.given


def _decision(
    name: str,
    title: str,
    says: str,
    word: str,
    fields: tuple[Field, ...],
    made: Callable[[LifecycleState, Given], Any],
    check: Callable[[LifecycleState, Any], None],
) -> Command:
    """A decision on an order that waits for finance: always on the revision that was looked at."""

    async def preview(office: Office, given: Given) -> Preview:
        state = await office.state(given.life)
        command = made(state, given)
        try:
            check(state, command)
        except Refused as refused:
            raise Refusal(str(refused)) from None
        reasons = state.approval.reasons if state.approval else ()
        listed = (f"{reason.path}: {reason.message}" for reason in reasons)
        return Preview((f"revision {command.revision} is {word}:", *listed))

    async def act(office: Office, given: Given) -> str:
        return (await office.give(given.life, name, made(await office.state(given.life), given))).message

    return Command(name, title, says, Permission.BILLING_APPROVE, _waits, lambda view: fields, preview, act)


def _of_customer(
    name: str,
    title: str,
    says: str,
    fits: Callable[[LifecycleView], bool],
    fields: tuple[Field, ...],
    made: Callable[[Given], Any],
    what: Callable[..., Awaitable[dict[str, str]]],
) -> Command:
    """A command that is the customer's: for each of its contracts with the same selling entity."""

    async def give(office: Office, given: Given, *, dry_run: bool) -> tuple[str, ...]:
        answers = await what(office, given.life, made(given), dry_run=dry_run)
        return tuple(f"{contract}: {answer}" for contract, answer in answers.items())

    async def preview(office: Office, given: Given) -> Preview:
        return Preview(await give(office, given, dry_run=True))

    async def act(office: Office, given: Given) -> str:
        return "; ".join(await give(office, given, dry_run=False))

    return Command(name, title, says, Permission.BILLING_HOLD, fits, lambda view: fields, preview, act)


def _hold(given: Given) -> HoldCredit:
    return HoldCredit(by=given.by, reason=given.needed("reason", "a reason"))


def _release(given: Given) -> ReleaseCredit:
    return ReleaseCredit(by=given.by)


def _order(given: Given) -> PurchaseOrder:
    limit: Decimal | None = None
    if said := given.text("limit"):
        try:
            limit = Decimal(said)
        except InvalidOperation:
            limit = Decimal("NaN")
        if not (limit.is_finite() and limit > 0):
            raise Mistake(f"{said!r} is not an amount; write it as 12000.00")
    return PurchaseOrder(number=given.needed("number", "the number"), limit=limit, expires_on=given.day("expires"))


async def _preview_order(office: Office, given: Given) -> Preview:
    order, state = _order(given), await office.state(given.life)
    today = civil_date(datetime.now(UTC) + timedelta(seconds=state.shift_seconds), given.view.zone)
    try:
        return Preview(tuple(purchasing.preview(state, order, today)))
    except Refused as refused:
        raise Refusal(str(refused)) from None


async def _report_order(office: Office, given: Given) -> str:
    order = _order(given)
    data = {"contract": given.life.contract, **order.model_dump(mode="json", exclude_none=True)}
    sent = await office.send("tenure.purchase_order.received.v1", data, event_id=f"console:{given.id}")
    outcome = await office.outcome(sent)
    if outcome.unused:
        raise Refusal(outcome.reason or "; ".join(outcome.answers.values()))
    return f"the purchase order {order.number} is reported"


FINANCE = (
    _decision(
        "approve",
        "Approve the order",
        "The order is approved as it stands now, and its activation goes on.",
        "approved, although",
        (),
        lambda state, given: ApproveOrder(revision=state.order_revision, by=given.by),
        approval.check_approve,
    ),
    _decision(
        "reject",
        "Reject the order",
        "The order is not approved: it is to be corrected, or cancelled.",
        "not approved, because of",
        (REASON,),
        lambda state, given: RejectOrder(
            revision=state.order_revision, by=given.by, reason=given.needed("reason", "a reason")
        ),
        approval.check_reject,
    ),
    _of_customer(
        "hold",
        "Hold credit",
        "The customer gets nothing more on credit: all its contracts with the same selling entity.",
        lambda view: view.stage not in OVER and not view.hold,
        (REASON,),
        _hold,
        crediting.hold,
    ),
    _of_customer(
        "release",
        "Release the credit hold",
        "What was held by hand is released; what the policy holds is released by itself.",
        lambda view: view.stage not in OVER and bool(view.hold),
        (),
        _release,
        crediting.release,
    ),
    Command(
        "po",
        "Report a purchase order",
        "The customer's purchase order has come: what waits for it goes on.",
        Permission.BILLING_HOLD,
        lambda view: view.stage not in OVER,
        lambda view: (
            Field("number", "Number", required=True, hint="as the customer gave it"),
            Field("limit", "What may be billed against it", "number"),
            Field("expires", "Last day", "date"),
        ),
        _preview_order,
        _report_order,
    ),
)
