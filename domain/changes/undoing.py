"""The inverse of a change: the facts that it touched are put back, and the outside is told, or it says why it can't."""

from collections.abc import Collection

from domain import keys
from domain.changes.facts import facts_of, put_back
from domain.changes.kinds import ChangeRecord, GiveNotice, Renew, Terminate, Undo
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import AmendSubscription, ChangeTerm, Step


def undo(state: LifecycleState, change: Undo, name: str, performing: Collection[str]) -> None:
    """`performing`: the keys of steps that are under way. Raises Refused with what stands in the way."""
    record = next((each for each in state.changes if each.id == change.change), None)
    if record is None:
        known = ", ".join(each.id for each in state.changes if each.undone_by is None) or "none was made"
        raise Refused(f"there is no change {change.change!r}; changes: {known}")
    if record.undone_by is not None:
        raise Refused(f"{change.change} was undone already, by {record.undone_by}")
    _untouched_since(state, record)
    inverse = _inverse(state, record, name, performing)
    put_back(state, record.before, absent=record.after.keys() - record.before.keys())
    state.queue += inverse
    _mark(state, record, name)


def given_up(state: LifecycleState, step: Step) -> None:
    """What was changed with a step that is dropped is as it was before, as far as nothing was built on it. Quantities
    that were there before are `outcomes.amendment_dropped`'s: a later amendment has to hear of them."""
    asked = [each for each in state.changes if any(of.key == step.key for of in each.steps)]
    record = asked[0] if asked else None
    if record is None or record.undone_by is not None:
        return
    now = facts_of(state)
    stand = {path for path, value in record.after.items() if now.get(path) == value}
    stand -= {path for path in record.before if path.startswith("quantities/")}
    gone = {path for path in record.before.keys() - record.after.keys() if path not in now}
    back = {path: value for path, value in record.before.items() if path in stand | gone}
    put_back(state, back, absent=stand - record.before.keys())
    _mark(state, record, "given up")


def _mark(state: LifecycleState, record: ChangeRecord, undone_by: str | None) -> None:
    """A change stands or is undone; what an undo took back stands where the undo does not, and the other way round."""
    record.undone_by = undone_by
    if isinstance(record.change, Undo):
        target = next(each for each in state.changes if each.id == record.change.change)
        _mark(state, target, record.id if undone_by is None else None)


def _newest_revision(state: LifecycleState) -> int:
    """Of the order document: each revision holds the lines of those before."""
    amended = [step.revision for each in state.changes for step in each.steps if isinstance(step, AmendSubscription)]
    return max([state.order_revision, *(revision for revision in amended if revision is not None)])


def _untouched_since(state: LifecycleState, record: ChangeRecord) -> None:
    now = facts_of(state)
    moved_on = [path for path, value in record.after.items() if now.get(path) != value]
    moved_on += [path for path in record.before.keys() - record.after.keys() if path in now]
    if not moved_on:
        return
    after = state.changes[state.changes.index(record) + 1 :]
    stand = [each for each in after if each.undone_by is None and not isinstance(each.change, Undo)]
    later = [each.id for each in stand if set(moved_on) & set(each.after)]
    what = f"{', '.join(later)} builds on it: undo that first" if later else "the contract has moved on since"
    raise Refused(f"{record.id} can't be undone: {what}")


def _inverse(state: LifecycleState, record: ChangeRecord, name: str, performing: Collection[str]) -> list[Step]:
    """The steps that take back what was done outside; none where nothing was done yet."""
    asked = {step.key for step in record.steps} | _asked_later(state, record)
    if state.between_legs:
        raise Refused("it is moving at this moment; move it back when it has arrived")
    if isinstance(record.change, Renew) and state.renewed:
        raise Refused(f"the ERP holds term {state.term + 1} already; end it for cause, or with that term")
    if asked & state.doubts.keys():
        raise Refused("nobody knows whether the ERP has it; settle its case first")
    waiting = asked & {step.key for step in state.queue}
    if waiting & (state.cases.keys() | set(performing)):
        raise Refused("the ERP is at it: wait until it is done, or give it up with tenure fix --retry … --drop")
    state.queue = [step for step in state.queue if step.key not in waiting]
    return [_back(state, step, name) for step in record.steps if step.key not in waiting]


def _asked_later(state: LifecycleState, record: ChangeRecord) -> set[str]:
    """What the tracks ask for because of what was decided."""
    match record.change:
        case Renew():
            return {keys.renewal(state.contract, state.term + 1)}
        case GiveNotice() | Terminate():
            return {keys.ending(state.leg_id)}
    return set()


def _back(state: LifecycleState, step: Step, name: str) -> Step:
    """Of the subscription that runs now: after a move it is not the one that the step was made for."""
    match step:
        case AmendSubscription() if billed := [line for line in step.added if line in state.billing]:
            raise Refused(f"billing of line {', '.join(billed)} has started; remove it with tenure amend --remove")
        case AmendSubscription():
            return AmendSubscription(
                key=keys.amendment(state.contract, name),
                subscription=state.subscription or "",
                effective=step.effective,
                quantities=step.former,
                former=step.quantities,
                revision=_newest_revision(state) if step.removed else None,
                added=step.removed,  # with the day of their removal, the ERP takes that back
                removed=step.added,
            )
        case ChangeTerm():
            return ChangeTerm(
                key=keys.term_change(state.contract, name),
                subscription=state.subscription or "",
                ends=step.former,
                former=step.ends,
                reason=f"{step.reason}: undone",
            )
    raise Refused(f"{step.do} can't be taken back")
