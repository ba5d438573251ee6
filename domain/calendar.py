"""Civil-date arithmetic in a contract's zone: terms, renewal window, notice and checkpoints, all from the anchor."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from domain.base import Frozen
from domain.terms import ContractKind, ContractTerms, StartRule

CHECKPOINT_DAYS = (90, 60, 30, 7)
DAYS = 4096  # remembered: a lifecycle asks for the same few days at every step, and others for the same ones
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


class Review(Frozen):
    """A yearly look at a contract that runs on without end: it is prepared from `opens` and due `on` the day."""

    number: int
    opens: date
    on: date


class Undecided(StrEnum):
    """What becomes of a contract at the end of a term when nobody decides anything."""

    RENEWS = "renews"
    ENDS = "ends"
    OUT_OF_TERM = "out_of_term"
    RUNS_ON = "runs_on"


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


@lru_cache(maxsize=DAYS)
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


@lru_cache(maxsize=DAYS)
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
    """The n-th term: 1 is the initial one, each later one a renewal. An evergreen term is the last one, without end.

    `moved`: the first day of a term by its number, where a change moved it. It is a new anchor: from the last term that
    was moved on, dates are counted from its day. A term ends where the next one starts, so every day is in exactly one.
    ValueError for a term that the contract can't have, or that a later one's move leaves no day.
    """
    return _term(terms, anchor, number, tuple(moved.items()))


@lru_cache(maxsize=DAYS)
def _term(terms: ContractTerms, anchor: date, number: int, moves: tuple[tuple[int, date], ...]) -> Term:
    moved = dict(moves)
    if number < 1 or any(_is_last(terms, before) and before + 1 not in moved for before in range(1, number)):
        raise ValueError(f"the contract has no term {number}")
    starts, ends = _first_day(terms, anchor, number, moved), None
    if number + 1 in moved or not is_endless(terms, number):
        ends = _first_day(terms, anchor, number + 1, moved)
        if ends <= starts:
            raise ValueError(f"term {number} begins on {starts}, so the next one can't begin on {ends}")
    return Term(number=number, starts=starts, ends=ends)


def is_endless(terms: ContractTerms, number: int) -> bool:
    """Whether the n-th term runs on until somebody ends it."""
    return terms.evergreen or (terms.renew_to_evergreen and number > 1)


def _is_last(terms: ContractTerms, number: int) -> bool:
    return terms.kind is ContractKind.ONE_OFF or is_endless(terms, number)


def _first_day(terms: ContractTerms, anchor: date, number: int, moved: Mapping[int, date]) -> date:
    if terms.initial_months < 1 or terms.renewal_months < 1:
        raise ValueError("a term lasts at least one month")
    anchors = {1: anchor} | dict(moved)
    if 2 not in anchors and (second := _second(terms, anchors[1])):
        anchors[2] = second
    base = max(one for one in anchors if one <= number)
    months = (number - base) * terms.renewal_months
    if base == 1 < number:
        months += terms.initial_months - terms.renewal_months
    if base <= 2 < number and terms.kind is ContractKind.TRIAL and terms.converts_to:
        months += terms.converts_to.months - terms.renewal_months
    return add_months(anchors[base], months)


def _second(terms: ContractTerms, first: date) -> date | None:
    """The first day of the second term, where the first one's length is not a number of months."""
    if terms.kind is ContractKind.TRIAL and terms.trial_days is not None:
        return first + timedelta(days=max(terms.trial_days, 1))
    if terms.coterm_ends is None:
        return None
    # An activation may be so late that the other contract has gone into its next term by then.
    day, times = terms.coterm_ends, 0
    while day <= first:
        times += 1
        day = add_months(terms.coterm_ends, times * terms.renewal_months)
    return day


def term_on(terms: ContractTerms, anchor: date, day: date, moved: Mapping[int, date] = _NOT_MOVED) -> Term:
    """The term that a day falls in, as if every renewal happened. ValueError for a day before the first term."""
    current = term(terms, anchor, 1, moved)
    if day < current.starts:
        raise ValueError(f"{day} is before the contract's first day {current.starts}")
    while current.ends is not None and current.ends <= day:
        current = term(terms, anchor, current.number + 1, moved)
    return current


def if_undecided(terms: ContractTerms, number: int) -> Undecided:
    """What becomes of the contract when the n-th term passes and nobody decides. Out of term is a case for a person."""
    if is_endless(terms, number):
        return Undecided.RUNS_ON
    if terms.kind is ContractKind.ONE_OFF:
        return Undecided.ENDS
    if terms.kind is ContractKind.TRIAL and number == 1:
        return Undecided.RENEWS if terms.converts_to and terms.converts_to.auto else Undecided.ENDS
    return Undecided.RENEWS if terms.auto_renew else Undecided.OUT_OF_TERM


def window_opens(terms: ContractTerms, term: Term) -> date | None:
    """The day on which the renewal of a term begins to be worked on: the longer of window, and notice plus lead, before
    its end. It may lie before the term's start, or in the past: then the window is open at once. None for a term that
    has no end, or that none can follow.
    """
    if term.ends is None or terms.kind is ContractKind.ONE_OFF:
        return None
    return term.ends - timedelta(days=_window_days(terms))


def _window_days(terms: ContractTerms) -> int:
    return max(terms.renewal_window_days, terms.notice_days + terms.renewal_lead_days)


def notice_cut_off(terms: ContractTerms, term: Term) -> date | None:
    """The last day on which notice may be given for a term's end, never after its last day. A trial can be ended until
    its last day. None for a term without end, and for one that ends anyway.
    """
    if term.ends is None or terms.kind is ContractKind.ONE_OFF:
        return None
    in_trial = terms.kind is ContractKind.TRIAL and term.number == 1
    return term.ends - timedelta(days=1 if in_trial else max(terms.notice_days, 1))


def price_cut_off(terms: ContractTerms, term: Term) -> date | None:
    """The last day on which a price increase for the next term may be announced. None where none is agreed, or where no
    term follows.
    """
    if term.ends is None or terms.kind is ContractKind.ONE_OFF:
        return None
    return price_notice_by(terms, term.ends)


def price_notice_by(terms: ContractTerms, effective: date) -> date | None:
    """The last day on which a price increase from `effective` on may be announced. None where no notice is agreed."""
    return None if terms.price_notice_days is None else effective - timedelta(days=max(terms.price_notice_days, 1))


def review(terms: ContractTerms, anchor: date, number: int) -> Review:
    """The n-th yearly review of an evergreen term that begins on `anchor`. It opens as a renewal's window does, but
    never before the review of the year before is over. ValueError for a number below 1.
    """
    if number < 1:
        raise ValueError(f"there is no review {number}")
    on, before = add_months(anchor, 12 * number), add_months(anchor, 12 * (number - 1))
    return Review(number=number, opens=max(on - timedelta(days=_window_days(terms)), before), on=on)


def earliest_end(terms: ContractTerms, anchor: date, moved: Mapping[int, date], notice_given_on: date) -> date:
    """The first day that is no longer served when notice is given on a day, by the contract's terms.

    An evergreen term ends when the notice has run out, but not before the minimum. Any other contract ends with the
    first term for whose end the notice comes in time and that is not over before the minimum; where the minimum is
    shorter than the first term, on any day after it. A contract that is delivered once ends with its term.
    """
    current = term(terms, anchor, 1, moved)
    if terms.kind is ContractKind.ONE_OFF and current.ends is not None:
        return current.ends
    minimum = add_months(current.starts, terms.minimum_months or 0)
    breaks = terms.minimum_months is not None and terms.minimum_months < terms.initial_months
    while current.ends is not None and not breaks:
        cut_off = notice_cut_off(terms, current)
        if cut_off is not None and notice_given_on <= cut_off and minimum <= current.ends:
            return current.ends
        current = term(terms, anchor, current.number + 1, moved)
    run_out = notice_given_on + timedelta(days=max(terms.notice_days, 1))
    return max(run_out, minimum, current.starts + timedelta(days=1))


def checkpoints(terms: ContractTerms, term: Term) -> tuple[Checkpoint, ...]:
    """The days 90, 60, 30 and 7 before a term's end, in order, that lie in the term and not before its window opens."""
    opens = window_opens(terms, term)
    if term.ends is None or opens is None:
        return ()
    days = [Checkpoint(days_before=before, on=term.ends - timedelta(days=before)) for before in CHECKPOINT_DAYS]
    return tuple(checkpoint for checkpoint in days if checkpoint.on >= max(opens, term.starts))
