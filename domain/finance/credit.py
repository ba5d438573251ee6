"""The credit hold of a customer: set and released by the company's policy, or by hand. ADR 0024 says what it holds up.

Both causes are kept apart: what a person has put on hold, only a person releases.
"""

from domain.finance.commands import HoldCredit, ReleaseCredit
from domain.refused import Refused
from domain.state import LifecycleState


def overdue(state: LifecycleState, invoices: tuple[str, ...]) -> None:
    """The policy's part: the customer's invoices that are overdue for too long; none releases what it has set."""
    state.held_for = invoices
    _settle(state)


def check_hold(state: LifecycleState, command: HoldCredit) -> None:
    if state.closed or state.cancelled is not None:
        raise Refused("the lifecycle is closed")
    if not command.reason.strip():
        raise Refused("a hold needs a reason")
    if state.held_by_hand is not None and state.held_by_hand != words(command):
        raise Refused(f"it is on hold by hand already: {state.held_by_hand}")


def hold(state: LifecycleState, command: HoldCredit) -> None:
    state.held_by_hand = words(command)
    _settle(state)


def check_release(state: LifecycleState, command: ReleaseCredit) -> None:
    if state.held_by_hand is not None:
        return
    if state.held_for:
        names = ", ".join(state.held_for)
        raise Refused(f"the policy holds it for {names}: it is released by itself once they are paid, or disputed")
    raise Refused("it is not on hold")


def release(state: LifecycleState, command: ReleaseCredit) -> None:
    """Released by hand. It stays on hold where the policy says so too."""
    state.held_by_hand = None
    _settle(state)


def words(command: HoldCredit) -> str:
    return f"{command.reason} ({command.by})"


def _settle(state: LifecycleState) -> None:
    policy = f"overdue for too long: {', '.join(state.held_for)}" if state.held_for else None
    state.hold = state.held_by_hand or policy
