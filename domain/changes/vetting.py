"""What is refused at the door, beyond what `apply` refuses itself: asked by the Update's validator and by the preview.

A handler runs again on replay and must answer as it did; a validator does not. So what is refused newly is refused
here, and a history in which it was once accepted replays as it was.
"""

from collections.abc import Collection, Iterator
from datetime import date, datetime

from domain import calendar, commands, keys, projection
from domain.changes import applying, endings
from domain.changes.applying import ChangePreview
from domain.changes.contradictions import check_nothing_new, check_order
from domain.changes.expected import expected
from domain.changes.kinds import (
    Amend,
    AmendAtRenewal,
    Change,
    ChangeContract,
    ChangeRecord,
    CoTerm,
    End,
    Extend,
    GiveNotice,
    Move,
    Pause,
    Renew,
    Terminate,
    Undo,
    WithdrawNotice,
)
from domain.changes.lines import line_named
from domain.changes.undo_checks import check_not_ending, check_undo
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import ChangeTerm

FARTHEST_YEARS = 50
"""No change names a day that is farther away than this from the contract's first day, or from today."""


def check(state: LifecycleState, command: ChangeContract, now: datetime, performing: Collection[str] = ()) -> None:
    """Raises Refused for what `apply` refuses, and for what would leave the contract in contradiction with itself, or
    with what the outside was told. The state stays as it is."""
    today = calendar.civil_date(now, state.zone)
    if any(record.id == command.id for record in state.changes):
        applying.check(state, command, today, performing)
        return
    _check_days(state, command.change, today)
    after = state.model_copy(deep=True)
    try:
        applying.apply(after, command, today, performing)
        projection.view(after, now)
        expected(after, today)
    except Refused:
        raise
    except (ValueError, OverflowError) as error:
        raise Refused(f"the contract could not go on from there: {error}") from None
    _check_change(state, after, command.change, today, performing)
    if isinstance(command.change, Undo):
        _check_undo(state, after, command.change, today)
    if after.sheet is not None and after.activated_on is not None:
        check_nothing_new(state, after)


def preview(
    state: LifecycleState, command: ChangeContract, now: datetime, performing: Collection[str] = ()
) -> ChangePreview:
    """What the change would do, on a copy; `refused` is the reason for which it would not."""
    try:
        check(state, command, now, performing)
    except Refused as refused:
        return ChangePreview(refused=str(refused))
    return applying.preview(state, command, calendar.civil_date(now, state.zone), performing)


def check_day(state: LifecycleState, day: date | None, today: date) -> None:
    """Raises Refused for a day that is farther away than any contract lasts: no calendar counts terms from there."""
    first = state.term_number(1) if state.activated_on is not None else None
    farthest = calendar.add_months(max(today, first.starts if first else today), 12 * FARTHEST_YEARS)
    if day is not None and day > farthest:
        raise Refused(f"{day} is too far away: no change names a day after {farthest}")


# ── what a change says by itself ─────────────────────────────────────────────────────────────────────────────────


def _check_days(state: LifecycleState, change: Change, today: date) -> None:
    for day in _days(change):
        check_day(state, day, today)


def _days(change: Change) -> Iterator[date | None]:
    match change:
        case Amend():
            yield change.effective
            for line in change.added:
                yield from (line.starts, line.ends)
        case AmendAtRenewal():
            for line in change.added:
                yield from (line.starts, line.ends)
        case Extend() | CoTerm():
            yield change.ends
        case Renew():
            yield change.starts
        case GiveNotice():
            yield change.received_on
        case Terminate() | End() | Move():
            yield change.on
        case Pause():
            yield change.until


def _check_change(
    state: LifecycleState, after: LifecycleState, change: Change, today: date, performing: Collection[str]
) -> None:
    match change:
        case Amend():
            _check_amendment(state, change, change.effective or today)
            if change.removed:
                _check_lines_last(after)
        case GiveNotice(received_on=date() as received) if received < state.known.signed_on:
            raise Refused(f"notice received on {received} is older than the signature, {state.known.signed_on}")
        case Terminate(ground="cause"):
            _check_renewal_at_rest(state, performing)
        case WithdrawNotice():
            check_not_ending(state)
            _check_decision_stands(state)
        case Undo():
            check_undo(state, change)


def _check_amendment(state: LifecycleState, change: Amend, effective: date) -> None:
    term = state.term_now()
    for line in change.added:
        if term is not None and term.ends is not None and line.starts is not None and line.starts >= term.ends:
            raise Refused(f"line {line.id} would begin on {line.starts}, and the running term ends on {term.ends}")
    named = {name: line_named(state, name, effective) for name in (*change.quantities, *change.removed)}
    for line in named.values():
        if line.starts is not None and effective < line.starts:
            raise Refused(f"line {line.id} begins on {line.starts}: name that day, or a later one")
    check_order(state, {line.id for line in named.values()}, effective)
    same = all(quantity == state.quantities[named[name].id] for name, quantity in change.quantities.items())
    if same and not change.added and not change.removed:
        raise Refused("it changes nothing")


def _check_lines_last(after: LifecycleState) -> None:
    """Also of the lines that stay, none may be left on some later day of the term."""
    term, ends = after.term_now(), [line.ends or date.max for line in after.known.lines]
    if term is not None and max(ends) < (term.ends or date.max):
        raise Refused(f"no line would be left from {max(ends)} on; end the contract instead")


def _check_renewal_at_rest(state: LifecycleState, performing: Collection[str]) -> None:
    """For cause a contract ends though its renewal is decided, but not while nobody knows what the ERP holds of it."""
    renewal = keys.renewal(state.contract, state.term + 1)
    coming = {renewal, keys.renewal_amendment(state.contract, state.term + 1)}
    waiting = coming & {step.key for step in (*state.queue, *state.doubts.values())}
    if commands.renewal_refused(state) and renewal not in performing:
        waiting.discard(renewal)
    if waiting:
        raise Refused(
            f"the ERP is at the renewal ({', '.join(sorted(waiting))}): wait until it is done, or settle its case first"
        )


def _check_decision_stands(state: LifecycleState) -> None:
    """An end for cause that set a decided renewal aside is undone, which brings the decision back."""
    for record in state.changes:
        if isinstance(record.change, Terminate) and record.undone_by is None and record.before.get("decision"):
            ended = record.after.get("ends_on"), record.after.get("end_reason")
            if ended == (str(state.ends_on), state.end_reason):
                raise Refused(f"a renewal was decided before the end: tenure undo {record.id} brings it back")


# ── what an undo would bring back ────────────────────────────────────────────────────────────────────────────────


def _check_undo(state: LifecycleState, after: LifecycleState, change: Undo, today: date) -> None:
    """What was right in the term in which it was decided may be wrong now."""
    record, term = next(each for each in state.changes if each.id == change.change), state.term_now()
    if term is None or state.activated_on is None:
        return
    if after.at_renewal != state.at_renewal and record.on < term.starts:
        raise Refused(f"{record.id} was agreed for a term that has begun since: term {state.term} runs")
    if any(isinstance(step, ChangeTerm) for step in record.steps):
        _check_end_moves_back(state, after, record, today)
    if after.ends_on is not None and state.ends_on is None:
        _check_end_comes_back(state, after.ends_on, record, term, today)


def _check_end_moves_back(state: LifecycleState, after: LifecycleState, record: ChangeRecord, today: date) -> None:
    moved = [int(path.partition("/")[2]) for path in (*record.before, *record.after) if path.startswith("moved/")]
    if min(moved, default=0) != state.term + 1:
        raise Refused(f"the term whose end {record.id} moved is over: term {state.term} runs")
    if state.ends_on is not None:
        raise Refused(f"the contract ends on {state.ends_on}; withdraw the notice first")
    if state.renewed or state.decision is not None:
        raise Refused(f"the renewal after term {state.term} is decided, and begins where {record.id} ends the term")
    back = after.term_now()
    if back is not None and back.ends is not None and back.ends <= today:
        raise Refused(f"without {record.id} the term would have ended on {back.ends}, and today is {today}")


def _check_end_comes_back(
    state: LifecycleState, ends_on: date, record: ChangeRecord, term: calendar.Term, today: date
) -> None:
    endings.endable(state)
    if ends_on < today:
        raise Refused(f"the contract would have ended on {ends_on}, and today is {today}: end it anew")
    if term.ends is not None and ends_on > term.ends:
        raise Refused(f"the term ends on {term.ends}, before {ends_on}: end it anew")
    later = state.changes[state.changes.index(record) + 1 :]
    moved = [each.id for each in later if each.undone_by is None and any("moved/" in path for path in each.after)]
    if moved:
        raise Refused(f"{', '.join(moved)} moved the term's end since: undo that first, or end it anew")
