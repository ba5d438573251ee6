"""The entries about the terms themselves: each term with its window, checkpoints and cut-offs, and an evergreen's
yearly reviews.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from domain import calendar
from domain.calendar import Term, Undecided
from domain.explaining.entries import Entry, Topic, days, months
from domain.terms import ContractKind, ContractTerms, StartRule

DAY = timedelta(days=1)


def term_entries(terms: ContractTerms, anchor: date | None, moved: Mapping[int, date], count: int) -> Iterator[Entry]:
    """The first `count` terms, or the terms and yearly reviews of a contract that runs on without end. Without an
    anchor the days are told as they are reckoned.
    """
    yield from _minimum(terms, anchor)
    for number in range(1, count + 1):
        term = calendar.term(terms, anchor, number, moved) if anchor else None
        yield from _begins(terms, number, term, moved)
        endless = calendar.is_endless(terms, number) and number + 1 not in moved
        if endless:
            yield from _reviews(terms, number, term.starts if term else None, count - number + 1)
            return
        yield from _prepared(terms, number, term)
        yield from _cut_offs(terms, number, term)
        yield from _over(terms, number, term)
        if terms.kind is ContractKind.ONE_OFF:
            return


def length(terms: ContractTerms, number: int) -> str:
    """How long the n-th term lasts by the terms, in words."""
    if calendar.is_endless(terms, number):
        return "without end"
    if number == 1 and terms.kind is ContractKind.TRIAL and terms.trial_days is not None:
        return f"for {days(terms.trial_days)}"
    if number == 1 and terms.coterm_ends is not None:
        return f"together with {terms.coterm_with}"
    if number == 2 and terms.kind is ContractKind.TRIAL and terms.converts_to:
        return f"for {months(terms.converts_to.months)}"
    return f"for {months(terms.initial_months if number == 1 else terms.renewal_months)}"


def name(terms: ContractTerms, number: int) -> str:
    """ "the trial", "term 2"."""
    return "the trial" if number == 1 and terms.kind is ContractKind.TRIAL else f"term {number}"


def starts_with(terms: ContractTerms) -> str:
    match terms.start:
        case StartRule.ON_SIGNATURE:
            return "the day of the signature"
        case StartRule.ON_ACTIVATION:
            return "the day on which the ERP activates the order"
        case StartRule.ON_DATE:
            return "the day that the contract names"


def _begins(terms: ContractTerms, number: int, term: Term | None, moved: Mapping[int, date]) -> Iterator[Entry]:
    until = f", until {term.last_day}" if term and term.last_day else ""
    # between moved days the length is what was agreed with the change, not what the terms say
    lasts = "" if number in moved or number + 1 in moved else f", {length(terms, number)}"
    reckoned = starts_with(terms) if number == 1 else f"the day after {name(terms, number - 1)}"
    yield Entry(
        on=term.starts if term else None,
        topic=Topic.TERM,
        what=f"{name(terms, number)} begins{lasts}{until}",
        reckoned="as it was changed" if number in moved else reckoned,
        term=number,
    )


def _prepared(terms: ContractTerms, number: int, term: Term | None) -> Iterator[Entry]:
    """The window and the checkpoints in it."""
    if terms.kind is ContractKind.ONE_OFF:
        return
    before = max(terms.renewal_window_days, terms.notice_days + terms.renewal_lead_days)
    opens = calendar.window_opens(terms, term) if term else None
    at_once = opens is not None and term is not None and opens <= term.starts
    what = f"the renewal window of {name(terms, number)} is open"
    by_notice = before > terms.renewal_window_days
    reckoned = f"{days(before)} before its end" + (", for notice and lead" if by_notice else "")
    reckoned += ": with its first day" if at_once else ""
    shown = max(opens, term.starts) if opens and term else None
    yield Entry(on=shown, topic=Topic.WINDOW, what=what, reckoned=reckoned, term=number)
    points = (
        [(point.days_before, point.on) for point in calendar.checkpoints(terms, term)]
        if term
        else [(each, None) for each in calendar.CHECKPOINT_DAYS if each <= before]
    )
    for each, on in points:
        yield Entry(
            on=on,
            topic=Topic.CHECKPOINT,
            what=f"the renewal of {name(terms, number)} is looked at again",
            reckoned=f"{days(each)} before its end",
            term=number,
        )


def _cut_offs(terms: ContractTerms, number: int, term: Term | None) -> Iterator[Entry]:
    if terms.kind is ContractKind.ONE_OFF:
        return
    if terms.price_notice_days is not None:
        yield Entry(
            on=calendar.price_cut_off(terms, term) if term else None,
            topic=Topic.PRICE,
            what=f"the last day to announce a price increase for term {number + 1}",
            reckoned=f"{days(terms.price_notice_days)} before the end of {name(terms, number)}",
            term=number,
        )
    in_trial = number == 1 and terms.kind is ContractKind.TRIAL
    what = f"the last day for notice that {name(terms, number)} is the last one"
    if in_trial:
        what = "the last day on which the trial can be ended"
    if calendar.if_undecided(terms, number) is Undecided.RENEWS:
        what += f"; if nobody decides, it then goes on with term {number + 1}, {length(terms, number + 1)}"
    reckoned = "its last day" if in_trial else f"{days(max(terms.notice_days, 1))} before its end"
    cut_off = calendar.notice_cut_off(terms, term) if term else None
    yield Entry(on=cut_off, topic=Topic.NOTICE, what=what, reckoned=reckoned, term=number)


def _over(terms: ContractTerms, number: int, term: Term | None) -> Iterator[Entry]:
    match calendar.if_undecided(terms, number):
        case Undecided.ENDS:
            why = "it was delivered once" if terms.kind is ContractKind.ONE_OFF else "if nobody has converted it"
            what = f"{name(terms, number)} is over, and with it the contract: {why}"
        case Undecided.OUT_OF_TERM:
            what = f"{name(terms, number)} is over; if nobody has decided, it is out of term: a case for a person"
        case _:
            return
    ends = term.ends if term else None
    yield Entry(on=ends, topic=Topic.TERM, what=what, reckoned="the day after its last one", term=number)


def _minimum(terms: ContractTerms, anchor: date | None) -> Iterator[Entry]:
    if not terms.minimum_months:
        return
    what = "the minimum is over: notice can end the contract from this day on"
    if not terms.evergreen and terms.minimum_months >= terms.initial_months:
        what = "the minimum is over: the contract can end with any term that is over on this day or later"
    yield Entry(
        on=calendar.add_months(anchor, terms.minimum_months) if anchor else None,
        topic=Topic.MINIMUM,
        what=what,
        reckoned=f"{months(terms.minimum_months)} after the first day",
    )


def _reviews(terms: ContractTerms, number: int, starts: date | None, count: int) -> Iterator[Entry]:
    """An evergreen is looked at once a year, and can be ended all the time."""
    what = f"notice can be given on any day; the contract ends {days(max(terms.notice_days, 1))} later at the earliest"
    if number == 1 and terms.minimum_months:
        what += f", and not before {months(terms.minimum_months)} are over"
    yield Entry(on=starts, topic=Topic.NOTICE, what=what, reckoned="it runs on until then", term=number)
    for each in range(1, count + 1):
        review = calendar.review(terms, starts, each) if starts else None
        after = f"{each} year{'' if each == 1 else 's'} after the first day of {name(terms, number)}"
        yield Entry(
            on=review.opens if review else None,
            topic=Topic.WINDOW,
            what=f"yearly review {each} is prepared",
            reckoned="as long before it as a renewal window is open",
            term=number,
        )
        if terms.price_notice_days is not None:
            yield Entry(
                on=calendar.price_notice_by(terms, review.on) if review else None,
                topic=Topic.PRICE,
                what=f"the last day to announce a price increase from yearly review {each} on",
                reckoned=f"{days(terms.price_notice_days)} before it",
                term=number,
            )
        yield Entry(
            on=review.on if review else None,
            topic=Topic.REVIEW,
            what=f"yearly review {each}; if nobody decides, the contract runs on",
            reckoned=after,
            term=number,
        )
