"""One change at a time, against the state that the former one left: checked, applied, recorded. And its preview."""

from collections.abc import Collection
from datetime import date
from typing import Any

from domain import calendar, commands, keys, outcomes
from domain.base import Tolerant
from domain.changes import endings, lines, moves, standing, terms, undoing
from domain.changes.expected import DatedEffect, expected
from domain.changes.facts import facts_of, touched
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Cancel,
    ChangeContract,
    ChangeRecord,
    CoTerm,
    End,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Resume,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.messages import CancelOrder, EndContract
from domain.refused import Refused
from domain.state import LifecycleState


class Difference(Tolerant):
    """A fact that changes; None: it was not there, or is not any more."""

    what: str
    before: Any = None
    after: Any = None


class ChangePreview(Tolerant):
    """What a change would do: the facts that differ, the effects that come with it, and those that do not any more."""

    message: str = ""
    refused: str | None = None
    differences: list[Difference] = []
    effects: list[DatedEffect] = []
    dropped: list[DatedEffect] = []


def apply(state: LifecycleState, command: ChangeContract, today: date, performing: Collection[str] = ()) -> str:
    """Change the state, and answer what happened in one line. The same command again changes nothing.

    Raises Refused, and then the state may be half changed: it is tried on a copy first (`check`).
    """
    made = next((record for record in state.changes if record.id == command.id), None)
    if made is not None:
        if made.change != command.change:
            raise Refused(f"{command.id} is the id of another change, made on {made.on}")
        return f"{command.id} was made already, on {made.on}"
    if not command.id.strip():
        raise Refused("a change needs an id")
    if state.closed or state.cancelled:
        raise Refused("the lifecycle is closed")
    if state.sheet is None and not isinstance(command.change, Cancel | Pause | Resume):
        raise Refused("the order is not valid yet: correct it with tenure fix")
    if state.between_legs and not isinstance(command.change, Pause | Resume):
        raise Refused("it is moving to another entity or currency at this moment; try again when it has arrived")
    before, asked = facts_of(state), {step.key for step in state.queue}
    message = _apply(state, command, today, performing)
    was, became = touched(before, facts_of(state))
    state.changes.append(
        ChangeRecord(
            id=command.id,
            by=command.by,
            on=today,
            change=command.change,
            before=was,
            after=became,
            steps=tuple(step for step in state.queue if step.key not in asked),
        )
    )
    return message


def check(state: LifecycleState, command: ChangeContract, today: date, performing: Collection[str] = ()) -> None:
    """Raises Refused as `apply` would; the state stays as it is."""
    apply(state.model_copy(deep=True), command, today, performing)


def preview(
    state: LifecycleState, command: ChangeContract, today: date, performing: Collection[str] = ()
) -> ChangePreview:
    """What `apply` would do, on a copy; `refused` is the reason for which it would not."""
    copy = state.model_copy(deep=True)
    try:
        message = apply(copy, command, today, performing)
    except Refused as refused:
        return ChangePreview(refused=str(refused))
    was, became = touched(_shown(state), _shown(copy))
    coming, later = expected(state, today), expected(copy, today)
    return ChangePreview(
        message=message,
        differences=[
            Difference(what=what, before=was.get(what), after=became.get(what)) for what in sorted({**was, **became})
        ],
        effects=[effect for effect in later if effect not in coming],
        dropped=[effect for effect in coming if effect not in later],
    )


def _apply(state: LifecycleState, command: ChangeContract, today: date, performing: Collection[str]) -> str:
    change, name, by = command.change, command.id, command.by
    match change:
        case Amend():
            lines.amend(state, change, name, today)
            return f"amended with effect from {change.effective or today}"
        case AmendAtRenewal():
            lines.amend_at_renewal(state, change)
            return f"it changes with term {state.term + 1}"
        case Extend():
            terms.extend(state, change, name, today)
            return f"term {state.term} ends on {change.ends}"
        case CoTerm():
            terms.co_term(state, change, name, today)
            return f"term {state.term} ends on {change.ends}, with {change.contract}"
        case Renew():
            terms.renew(state, change, by, today)
            following = state.term_number(state.term + 1)
            return f"term {state.term + 1} begins on {following.starts if following else None}"
        case GiveNotice():
            endings.give_notice(state, change, by, today)
            return f"the contract ends on {state.ends_on}"
        case WithdrawNotice():
            endings.withdraw_notice(state)
            return "the contract goes on"
        case Terminate():
            endings.terminate(state, change, by, today)
            return f"the contract ends on {state.ends_on}"
        case End():
            commands.check_end(state, EndContract(by=by, reason=change.reason, on=change.on), today)
            outcomes.ended(state, change.on, today, f"{change.reason} ({by})")
            return f"the contract ends on {state.ends_on}"
        case Cancel():
            under_way = keys.activation(state.contract) in performing
            commands.check_cancel(state, CancelOrder(by=by, reason=change.reason), under_way=under_way)
            outcomes.cancelled(state, f"{change.reason} ({by})")
            return "the order is cancelled; what was done for it is being undone"
        case Move():
            moves.move(state, change, today)
            return f"it moves to {change.selling_entity}, {change.currency} on {change.on or today}"
        case Pause():
            standing.pause(state, change, today)
            return f"paused{f' until {change.until}' if change.until else ''}"
        case Resume():
            standing.resume(state)
            return "it goes on"
        case Undo():
            undoing.undo(state, change, name, performing)
            return f"{change.change} is undone"


def _shown(state: LifecycleState) -> dict[str, Any]:
    """The facts as people read them: with the dates that follow from them."""
    term, opens, cut_off = state.term_now(), state.window_opens(), state.cut_off()
    derived = {
        "term ends": str(term.ends) if term and term.ends else None,
        "renewal window opens": str(calendar.civil_date(opens, state.zone)) if opens else None,
        "notice possible before": str(calendar.civil_date(cut_off, state.zone)) if cut_off else None,
    }
    return facts_of(state) | derived
