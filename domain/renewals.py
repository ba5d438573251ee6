"""What comes by itself in a renewal, or a yearly review: looks at it, escalation, the last word; and what is told."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from domain import calendar
from domain.refused import Refused
from domain.state import LifecycleState, OpenCase
from domain.view import CaseView

OUT_OF_TERM_CASE = "out-of-term"
UNDECIDED_CASE = "undecided-renewal"
ESCALATED_DAYS = 7
"""So many days before its term ends a renewal that nobody decided becomes a case; sooner, once notice is too late."""

WINDOW = "window"
CLAUSE, CONVERSION = "auto-renew clause", "the trial's conversion"


class Matter(NamedTuple):
    """Something that falls due, and what it is in words."""

    at: datetime
    kind: Literal["terms", "over", "undecided", "checkpoint", "review", "again"]
    what: str


def agenda(s: LifecycleState) -> list[Matter]:
    """What comes by itself while the renewal of the running term is undecided, soonest first. What has been dealt with
    is not in it."""
    return sorted((*_last_words(s), *_looks(s)), key=lambda matter: matter.at)


def _last_words(s: LifecycleState) -> Iterator[Matter]:
    last = s.last_word()
    if last is None or OUT_OF_TERM_CASE in s.cases:
        return
    match s.if_undecided:
        case calendar.Undecided.RENEWS:
            yield Matter(last, "terms", "the auto-renew clause decides")
        case calendar.Undecided.ENDS:
            yield Matter(last, "terms", f"term {s.term} ends, and the contract with it")
        case _:
            yield Matter(last, "over", f"term {s.term} is over")
            if s.escalated < s.term and (at := escalates(s)):
                yield Matter(at, "undecided", "a renewal that nobody has decided becomes a case")


def _looks(s: LifecycleState) -> Iterator[Matter]:
    if s.look is None or s.window_opened < s.term:
        return
    if checkpoint := next_checkpoint(s):
        what = f"{checkpoint.days_before} days before the term ends: the renewal is looked at again"
        yield Matter(calendar.start_of_day(checkpoint.on, s.zone), "checkpoint", what)
    yield from asked_again(s)


def asked_again(s: LifecycleState) -> Iterator[Matter]:
    """When the sources that did not answer are asked again."""
    if s.look is not None and s.look.again_at is not None:
        yield Matter(s.look.again_at, "again", f"ask again: {', '.join(s.look.silent)}")


def next_checkpoint(s: LifecycleState) -> calendar.Checkpoint | None:
    """The next day on which the renewal is looked at again. None where none is left, or nothing was read yet."""
    return next((each for each in _checkpoints(s) if s.look is not None and each.on > s.look.on), None)


def checkpoint_reached(s: LifecycleState, today: date) -> str:
    """The latest checkpoint that has come, as a word for keys: a look in time stands for those that were missed."""
    days = [each.days_before for each in _checkpoints(s) if each.on <= today]
    return f"{min(days)}-days"


def _checkpoints(s: LifecycleState) -> tuple[calendar.Checkpoint, ...]:
    term = s.term_now()
    return calendar.checkpoints(s.known.terms, term) if term else ()


# ── nobody decides ───────────────────────────────────────────────────────────────────────────────────────────────


def escalates(s: LifecycleState) -> datetime | None:
    """The instant from which a renewal that needs a decision has waited for it too long: a week before the term ends,
    or when the last day of notice is over."""
    term, cut_off = s.term_now(), s.cut_off()
    if term is None or term.ends is None or cut_off is None:
        return None
    week = calendar.start_of_day(term.ends - timedelta(days=ESCALATED_DAYS), s.zone)
    in_term = calendar.civil_date(cut_off, s.zone) > term.starts  # a term may be shorter than its notice
    return min(week, cut_off) if in_term else week


def undecided(s: LifecycleState, now: datetime) -> None:
    """The renewal has waited too long: its priority is urgent, and somebody is asked by name."""
    term = s.term_now()
    ends = term.ends if term else None
    s.escalated = s.term
    s.cases[UNDECIDED_CASE] = OpenCase(
        view=CaseView(
            id=UNDECIDED_CASE,
            kind="undecided_renewal",
            title=f"term {s.term} ends on {ends} and nobody has decided on its renewal",
            reasons=[f"the last day of notice was {last}"] if (last := notice_over(s, now)) else [],
            opened_at=now,
            actor="csm",
            mend=f"win or lose the renewal opportunity in the CRM; or tenure renew {s.contract} or "
            f"tenure end {s.contract} --reason …",
        )
    )


def out_of_term(s: LifecycleState, now: datetime) -> None:
    """Nobody decided, and the contract neither renews nor ends by itself: a case with an owner, never silence."""
    s.cases.pop(UNDECIDED_CASE, None)
    s.cases.setdefault(
        OUT_OF_TERM_CASE,
        OpenCase(
            view=CaseView(
                id=OUT_OF_TERM_CASE,
                kind="out_of_term",
                title=f"term {s.term} is over and nobody decided on the renewal",
                opened_at=now,
                actor="finance",
                mend=f"tenure renew {s.contract} or tenure end {s.contract} --reason …",
            )
        ),
    )


def settled(s: LifecycleState) -> None:
    """The renewal is decided: nobody waits for it any more, and nothing more is read for it."""
    s.cases.pop(UNDECIDED_CASE, None)
    s.cases.pop(OUT_OF_TERM_CASE, None)
    s.escalated = 0
    if s.look is not None:
        s.look.again_at = None


# ── notice ───────────────────────────────────────────────────────────────────────────────────────────────────────


def notice_day(s: LifecycleState) -> date | None:
    """The last day on which notice may be given for the end of the running term."""
    term = s.term_now()
    return calendar.notice_cut_off(s.known.terms, term) if term else None


def notice_over(s: LifecycleState, now: datetime) -> date | None:
    """The last day of notice, once it is over."""
    day = notice_day(s)
    return day if day is not None and day < calendar.civil_date(now, s.zone) else None


def check_notice(s: LifecycleState, today: date) -> None:
    """Refuses a non-renewal that comes too late for an auto-renewing contract, also before the clause has said so."""
    day = notice_day(s)
    if s.if_undecided is calendar.Undecided.RENEWS and day is not None and today > day:
        raise Refused(f"notice could be given until {day}: term {s.term} is followed by another, by the terms alone")


# ── what the CSM is told ─────────────────────────────────────────────────────────────────────────────────────────


def note(s: LifecycleState, today: date) -> str:
    """A word to the CSM in the middle of a renewal: how long there is, what was said before, what is so now."""
    term, day = s.term_now(), notice_day(s)
    lines = []
    if term is not None and term.ends is not None:
        lines.append(f"Term {term.number} ends on {term.ends}, in {(term.ends - today).days} days, and is undecided.")
        by_itself = s.if_undecided is calendar.Undecided.RENEWS
        clause = "else it renews by itself" if by_itself else "it renews only when that is decided"
        if day is not None and day >= today:
            lines.append(f"Notice can be given until {day}; {clause}.")
    if s.noted is not None:
        lines.append(f"Before: {s.noted.verdict.replace('_', ' ')}, {s.noted.score} of 100.")
    return "\n".join([*lines, s.readiness.summary() if s.readiness else ""])
