"""Finance's commands: approve or reject an order, hold or release a customer's credit. With --dry-run they say what
would happen, and change nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.calendar import civil_date
from domain.finance import approval, purchasing
from domain.finance import price_notice as notice
from domain.finance.commands import ApproveOrder, HoldCredit, PriceNoticeGiven, RejectOrder, ReleaseCredit
from domain.refused import Refused
from domain.terms import PurchaseOrder
from starter.cli.commands import Reason, show_answer, show_outcome
from starter.cli.running import Contract, Json, in_office, parse_date, show, user
from starter.mistakes import Mistake, Refusal

if TYPE_CHECKING:
    from domain.messages import CommandAnswer
    from domain.state import LifecycleState
    from starter.office import Office
    from starter.settling import Outcome

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


def register(app: typer.Typer) -> None:
    for command in (approve, reject, hold, release, po, price_notice):
        app.command()(command)


def approve(contract: Contract, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Approve an order that waits for finance, as it stands now."""

    def made(state: "LifecycleState") -> ApproveOrder:
        return ApproveOrder(revision=state.order_revision, by=user())

    def would(state: "LifecycleState", command: ApproveOrder) -> list[str]:
        approval.check_approve(state, command)
        return [f"would approve revision {command.revision}, although:", *_reasons(state)]

    _give(contract, "approve", made, would, dry_run=dry_run, as_json=as_json)


def reject(contract: Contract, reason: Reason, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Don't approve an order that waits for finance: it is to be corrected, or cancelled."""

    def made(state: "LifecycleState") -> RejectOrder:
        return RejectOrder(revision=state.order_revision, by=user(), reason=reason)

    def would(state: "LifecycleState", command: RejectOrder) -> list[str]:
        approval.check_reject(state, command)
        return [f"would reject revision {command.revision}, because of:", *_reasons(state)]

    _give(contract, "reject", made, would, dry_run=dry_run, as_json=as_json)


def hold(contract: Contract, reason: Reason, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Put the customer of a contract on credit hold: all its contracts with the same selling entity."""
    from starter import crediting

    _give_each(contract, crediting.hold, HoldCredit(by=user(), reason=reason), dry_run=dry_run, as_json=as_json)


def release(contract: Contract, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Release the credit hold that was set by hand. What the company's policy holds is released by itself."""
    from starter import crediting

    _give_each(contract, crediting.release, ReleaseCredit(by=user()), dry_run=dry_run, as_json=as_json)


def po(
    contract: Contract,
    number: Annotated[str, typer.Argument(help="The purchase order's number, as the customer gave it.")],
    limit: Annotated[str | None, typer.Option(help="What may be billed against it.")] = None,
    expires: Annotated[str | None, typer.Option(help="The last day on which it may be billed against.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Report a customer's purchase order: what waits for it goes on."""
    order = PurchaseOrder(number=number, limit=_amount(limit), expires_on=parse_date(expires) if expires else None)

    async def report(office: "Office") -> "Outcome | list[str]":
        life = await office.find(contract)
        if dry_run:
            state, view = await office.state(life), await office.view(life)
            today = civil_date(view.as_of or datetime.now(UTC), view.zone)
            try:
                return purchasing.preview(state, order, today)
            except Refused as refused:
                raise Refusal(str(refused)) from None
        data = {"contract": life.contract, **order.model_dump(mode="json", exclude_none=True)}
        return await office.outcome(await office.send("tenure.purchase_order.received.v1", data))

    answer = in_office(report)
    if isinstance(answer, list):
        show(as_json, {"would": answer}, lambda: print("\n".join(answer)))
    else:
        show_outcome(answer, as_json)


def price_notice(
    contract: Contract,
    on: Annotated[str | None, typer.Option(help="The day on which the customer was told; today when absent.")] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Report that the customer was told of the price increase for the next term."""

    def made(state: "LifecycleState") -> PriceNoticeGiven:
        return PriceNoticeGiven(by=user(), on=parse_date(on) if on else None)

    def would(state: "LifecycleState", command: PriceNoticeGiven) -> list[str]:
        today = civil_date(datetime.now(UTC) + timedelta(seconds=state.shift_seconds), state.zone)
        notice.check(state, command, today)
        return [f"would be told in time: the last day is {notice.cut_off(state)}"]

    _give(contract, "price_notice_given", made, would, dry_run=dry_run, as_json=as_json)


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = Decimal(text) if text is not None else None
    except InvalidOperation:
        amount = Decimal("NaN")
    if amount is not None and not (amount.is_finite() and amount > 0):
        raise Mistake(f"{text!r} is not an amount; write it as 12000.00")
    return amount


def _reasons(state: "LifecycleState") -> list[str]:
    return [f"  {reason.path}: {reason.message}" for reason in (state.approval.reasons if state.approval else ())]


def _give(
    contract: str,
    update: str,
    made: Callable[["LifecycleState"], Any],
    would: Callable[["LifecycleState", Any], list[str]],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give the command that is made of the running state; or only say what it would do, or why it would be refused."""

    async def give(office: "Office") -> "CommandAnswer | list[str]":
        from workflows.lifecycle import CustomerLifecycle

        life = await office.find(contract)
        state = await office.state(life)
        command = made(state)
        if dry_run:
            try:
                return would(state, command)
            except Refused as refused:
                raise Refusal(str(refused)) from None
        return await office.command(life, getattr(CustomerLifecycle, update), command)

    answer = in_office(give)
    if isinstance(answer, list):
        show(as_json, {"would": answer}, lambda: print("\n".join(answer)))
    else:
        show_answer(answer, as_json)


def _give_each(contract: str, what: Callable[..., Any], command: Any, *, dry_run: bool, as_json: bool) -> None:
    """Give a command to every contract of the customer."""

    async def give(office: "Office") -> dict[str, str]:
        answers: dict[str, str] = await what(office, await office.find(contract), command, dry_run=dry_run)
        return answers

    answers = in_office(give)
    show(as_json, answers, lambda: print("\n".join(f"{name}: {answer}" for name, answer in answers.items())))
