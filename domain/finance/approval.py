"""Finance's approval of an order: asked by its check, and given, refused or asked anew before the ERP hears of it."""

from datetime import date, datetime

from domain.finance.commands import ApproveOrder, RejectOrder
from domain.finance.records import Approval
from domain.order import Reason
from domain.refused import Refused
from domain.state import LifecycleState, OpenCase
from domain.view import CaseView

APPROVAL_CASE = "approval"


def asked(state: LifecycleState, reasons: tuple[Reason, ...], now: datetime) -> None:
    """The order's check names why it needs approval. What was approved for the same reasons stays approved."""
    state.cases.pop(APPROVAL_CASE, None)
    former = state.approval
    if former is not None and former.given and former.reasons == reasons:
        former.revision = state.order_revision
        return
    state.approval = Approval(revision=state.order_revision, reasons=reasons) if reasons else None
    if reasons:
        state.cases[APPROVAL_CASE] = _case(state, reasons, now)


def withdrawn(state: LifecycleState) -> None:
    """The order is being corrected: what waits for approval is not what will be asked for."""
    state.cases.pop(APPROVAL_CASE, None)
    if state.approval is not None and not state.approval.given:
        state.approval = None


def check_approve(state: LifecycleState, command: ApproveOrder | RejectOrder) -> None:
    """Raises Refused where nothing waits, where it is not what was looked at, or where nobody says who decides."""
    if not command.by.strip():
        raise Refused("an approval needs to say who gives it")
    if state.cancelled is not None:
        raise Refused("the order is cancelled")
    if command.revision != state.order_revision:
        raise Refused(
            f"the order is at revision {state.order_revision} now, not at {command.revision}: look at it once more"
        )
    if state.approval is None or state.sheet is None:
        raise Refused("the order waits for no approval")
    if state.approval.given:
        raise Refused(f"the order is approved already ({state.approval.approved_by})")


def check_reject(state: LifecycleState, command: RejectOrder) -> None:
    check_approve(state, command)
    if not command.reason.strip():
        raise Refused("a rejection needs a reason, by which the order can be corrected")


def approve(state: LifecycleState, command: ApproveOrder, today: date) -> None:
    """The activation goes on."""
    if state.approval is not None:
        state.approval.approved_by, state.approval.rejected_by, state.approval.on = command.by, None, today
    state.cases.pop(APPROVAL_CASE, None)


def reject(state: LifecycleState, command: RejectOrder, today: date, now: datetime) -> None:
    """Sales corrects the order, or it is cancelled. Finance may still think better of it."""
    if state.approval is None:
        return
    state.approval.rejected_by, state.approval.on = command.by, today
    case = _case(state, state.approval.reasons, now)
    case.view.kind, case.view.actor = "rejected_by_finance", "ops"
    case.view.title = f"finance does not approve the order: {command.reason} ({command.by})"
    case.view.mend = f"tenure fix {state.contract} --set …, or tenure cancel {state.contract} --reason …"
    state.cases[APPROVAL_CASE] = case


def _case(state: LifecycleState, reasons: tuple[Reason, ...], now: datetime) -> OpenCase:
    return OpenCase(
        view=CaseView(
            id=APPROVAL_CASE,
            kind="approval",
            title="the order waits for finance's approval",
            reasons=[f"{reason.path}: {reason.message}" for reason in reasons],
            opened_at=now,
            actor="finance",
            mend=f"tenure approve {state.contract}, or tenure reject {state.contract} --reason …, "
            f"or tenure cancel {state.contract} --reason …",
        )
    )
