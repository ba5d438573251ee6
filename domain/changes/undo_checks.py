"""What stands in the way of taking back: an end that the ERP is at, a move that left the change behind, and what was
never done."""

from datetime import date

from domain import keys
from domain.changes.kinds import AmendAtRenewal, ChangeRecord, Move, Pause, Resume, Undo
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription


def check_undo(state: LifecycleState, change: Undo) -> None:
    """Raises Refused. A change that is unknown, or undone already, is left to `undo` itself."""
    record = next((each for each in state.changes if each.id == change.change), None)
    if record is None or record.undone_by is not None:
        return
    if not isinstance(record.change, Pause | Resume | AmendAtRenewal):
        check_not_ending(state)
    _reaches_back(state, record)
    _was_done(state, record)


def check_not_ending(state: LifecycleState) -> None:
    """Once the end is asked of the ERP, it is made: what is taken back then would be taken back here alone."""
    ending = keys.ending(state.leg_id)
    if ending in state.effects:
        raise Refused("the subscription is ended already; win the customer back with a new deal")
    if ending in state.doubts or any(step.key == ending for step in state.queue):
        raise Refused("the ERP is ending the subscription at this moment; win the customer back with a new deal")


def _reaches_back(state: LifecycleState, record: ChangeRecord) -> None:
    """The subscription of a leg knows nothing of the days before it."""
    moved = _arrival(state)
    if moved is None or state.changes.index(moved) < state.changes.index(record):
        return
    begins = _day(moved)
    waiting = {step.key for step in state.queue}
    for step in record.steps:
        if isinstance(step, AmendSubscription) and step.key not in waiting and step.effective < begins:
            raise Refused(
                f"{record.id} was effective on {step.effective}, before the contract moved on {begins}: the "
                f"subscription there does not reach so far back; amend it on a day"
            )


def _was_done(state: LifecycleState, record: ChangeRecord) -> None:
    """What is undone before the ERP has it, is never asked of the ERP: no undo of the undo makes it so."""
    if not isinstance(record.change, Undo) or record.steps:
        return
    target = next(each for each in state.changes if each.id == record.change.change)
    if any(step.key not in state.effects for step in target.steps):
        raise Refused(f"the ERP never had {target.id}: make the change anew")


def _arrival(state: LifecycleState) -> ChangeRecord | None:
    """The move that brought the contract to its present leg."""
    moves = [each for each in state.changes if isinstance(each.change, Move) and each.undone_by is None]
    return moves[state.leg - 2] if 1 < state.leg <= len(moves) + 1 else None


def _day(moved: ChangeRecord) -> date:
    return moved.change.on or moved.on if isinstance(moved.change, Move) else moved.on
