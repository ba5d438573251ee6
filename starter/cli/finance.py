"""Finance's commands: approve or reject an order, hold or release a customer's credit. With --dry-run they say what
would happen, and change nothing."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.finance import approval, credit
from domain.finance.commands import ApproveOrder, HoldCredit, RejectOrder, ReleaseCredit
from domain.refused import Refused
from starter.cli.commands import Reason, show_answer
from starter.cli.running import Contract, Json, in_office, show, user
from starter.mistakes import Refusal

if TYPE_CHECKING:
    from domain.messages import CommandAnswer
    from domain.state import LifecycleState
    from starter.office import Office

Would = Callable[["LifecycleState"], str | None]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


def register(app: typer.Typer) -> None:
    for command in (approve, reject, hold, release):
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
    command = HoldCredit(by=user(), reason=reason)

    def would(state: "LifecycleState") -> str | None:
        credit.check_hold(state, command)
        return None if state.held_by_hand == credit.words(command) else f"would be on credit hold: {reason}"

    _give_each(contract, "hold", command, would, dry_run=dry_run, as_json=as_json)


def release(contract: Contract, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Release the credit hold that was set by hand. What the company's policy holds is released by itself."""
    command = ReleaseCredit(by=user())

    def would(state: "LifecycleState") -> str | None:
        credit.check_release(state, command)
        still = f"; the policy still holds it for {', '.join(state.held_for)}" if state.held_for else ""
        return f"would be released ({state.held_by_hand}){still}"

    _give_each(contract, "release", command, would, dry_run=dry_run, as_json=as_json)


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


def _give_each(contract: str, update: str, command: Any, would: Would, *, dry_run: bool, as_json: bool) -> None:
    """Give a command to every contract of the customer."""

    async def give(office: "Office") -> dict[str, str]:
        from starter.customers import command_customer

        life = await office.find(contract)
        return await command_customer(office, life, update, command, would, dry_run=dry_run)

    answers = in_office(give)
    show(as_json, answers, lambda: print("\n".join(f"{name}: {answer}" for name, answer in answers.items())))
