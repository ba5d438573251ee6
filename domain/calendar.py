"""Civil-date arithmetic in a contract's zone: terms, renewal window, notice and checkpoints, all from the anchor."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from domain.base import Frozen
from domain.terms import ContractTerms, StartRule

CHECKPOINT_DAYS = (90, 60, 30, 7)
_NOT_MOVED: Mapping[int, date] = MappingProxyType({})


class Term(Frozen):
    """One term of a contract: civil dates in its zone, `ends` exclusive and None for an evergreen contract."""

    number: int
    starts: date
    ends: date | None

    @property
    def last_day(self) -> date | None:
        """The last day that is served; None for an evergreen contract."""
        return None if self.ends is None else self.ends - timedelta(days=1)


class Checkpoint(Frozen):
    """A day on which the coming renewal is looked at again, `days_before` the term's end."""

    days_before: int
    on: date


def zone_exists(zone: str) -> bool:
    """Whether the name is one of the IANA time zone database."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def civil_date(instant: datetime, zone: str) -> date:
    """The calendar day in `zone` at an instant. A naive datetime is a ValueError: it names no instant."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no offset, so it names no instant")
    return instant.astimezone(ZoneInfo(zone)).date()


def start_of_day(day: date, zone: str) -> datetime:
    """The instant, in UTC, at which `day` begins in `zone`.

    Where clocks skip midnight, or the whole day, it is the first instant after the gap; where midnight comes twice, the
    earlier one.
    """
    tz = ZoneInfo(zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)
    begins = midnight.astimezone(UTC)
    if _wall(begins, tz) == midnight.replace(tzinfo=None):
        return begins
    # Midnight lies in a gap. Read with the offset after the gap it falls before the change, read with the one before
    # the gap it falls on or after it: the change itself is searched between the two.
    before = midnight.replace(fold=1).astimezone(UTC)
    seconds = int((begins - before).total_seconds())
    low, high = 0, seconds
    while high - low > 1:
        middle = (low + high) // 2
        if _wall(before + timedelta(seconds=middle), tz) >= midnight.replace(tzinfo=None):
            high = middle
        else:
            low = middle
    return before + timedelta(seconds=high)


def _wall(instant: datetime, tz: ZoneInfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None)


def add_months(anchor: date, months: int) -> date:
    """`months` after the anchor on the same day of the month, or on the month's last day where that does not exist.

    Always count from the contract's anchor: 31 January + 1 is 28 February, and + 2 is 31 March again.
    """
    return anchor + relativedelta(months=months)


def anchor(terms: ContractTerms, signed_on: date | None, activated_on: date | None) -> date | None:
    """The first day of the first term, from which every other date is counted; None while it is not known yet."""
    match terms.start:
        case StartRule.ON_SIGNATURE:
            return signed_on
        case StartRule.ON_ACTIVATION:
            return activated_on
        case StartRule.ON_DATE:
            return terms.starts_on


def term(terms: ContractTerms, anchor: date, number: int, moved: Mapping[int, date] = _NOT_MOVED) -> Term:
    """The n-th term: 1 is the initial one, each later one a renewal. An evergreen contract has one term without end.

    `moved`: the first day of a term by its number, where a change moved it. It is a new anchor: from the last term that
    was moved on, dates are counted from its day. A term ends where the next one starts, so every day is in exactly one.
    ValueError for a term that the contract can't have, or that a later one's move leaves no day.
    """
    starts, ends = _first_day(terms, anchor, number, moved), None
    if number + 1 in moved or not _endless(terms, number):
        ends = _first_day(terms, anchor, number + 1, moved)
        if ends <= starts:
            raise ValueError(f"term {number} begins on {starts}, so the next one can't begin on {ends}")
    return Term(number=number, starts=starts, ends=ends)


def _endless(terms: ContractTerms, number: int) -> bool:
    return terms.evergreen and number >= 1


def _first_day(terms: ContractTerms, anchor: date, number: int, moved: Mapping[int, date]) -> date:
    if terms.initial_months < 1 or terms.renewal_months < 1:
        raise ValueError("a term lasts at least one month")
    base = max((moves for moves in moved if moves <= number), default=1)
    if number < 1 or any(_endless(terms, before) for before in range(base, number)):
        raise ValueError(f"the contract has no term {number}")
    renewals = number - base
    months = renewals * terms.renewal_months
    if base == 1 and renewals:
        months += terms.initial_months - terms.renewal_months
    return add_months(moved.get(base, anchor), months)


def term_on(terms: ContractTerms, anchor: date, day: date, moved: Mapping[int, date] = _NOT_MOVED) -> Term:
    """The term that a day falls in, as if every renewal happened. ValueError for a day before the first term."""
    current = term(terms, anchor, 1, moved)
    if day < current.starts:
        raise ValueError(f"{day} is before the contract's first day {current.starts}")
    while current.ends is not None and current.ends <= day:
        current = term(terms, anchor, current.number + 1, moved)
    return current


def window_opens(terms: ContractTerms, term: Term) -> date | None:
    """The day on which the renewal of a term begins to be worked on: the longer of window, and notice plus lead, before
    its end. It may lie before the term's start, or in the past: then the window is open at once. None for evergreen.
    """
    if term.ends is None:
        return None
    days = max(terms.renewal_window_days, terms.notice_days + terms.renewal_lead_days)
    return term.ends - timedelta(days=days)


def notice_cut_off(terms: ContractTerms, term: Term) -> date | None:
    """The last day on which notice may be given for a term's end, never after its last day. None for evergreen."""
    if term.ends is None:
        return None
    return term.ends - timedelta(days=max(terms.notice_days, 1))


def checkpoints(terms: ContractTerms, term: Term) -> tuple[Checkpoint, ...]:
    """The days 90, 60, 30 and 7 before a term's end, in order, that lie in the term and not before its window opens."""
    opens = window_opens(terms, term)
    if term.ends is None or opens is None:
        return ()
    days = [Checkpoint(days_before=before, on=term.ends - timedelta(days=before)) for before in CHECKPOINT_DAYS]
    return tuple(checkpoint for checkpoint in days if checkpoint.on >= max(opens, term.starts))
