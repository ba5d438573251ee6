"""The yearly review of an evergreen contract, which has no renewal: it is looked at, nothing needs to be decided."""

from collections.abc import Iterator
from datetime import date
from itertools import count

from domain import calendar
from domain.renewals import Matter, asked_again
from domain.state import LifecycleState


def evergreen(s: LifecycleState) -> bool:
    """Whether the running term has no end, so that there is nothing to renew."""
    term = s.term_now() if s.activated_on is not None else None
    return term is not None and term.ends is None


def agenda(s: LifecycleState) -> list[Matter]:
    """What comes by itself while an evergreen contract runs, soonest first."""
    if not evergreen(s) or s.ends_on is not None:
        return []
    coming = next_review(s)
    review = Matter(calendar.start_of_day(coming.opens, s.zone), "review", f"yearly review {coming.number}")
    return sorted((review, *asked_again(s)), key=lambda matter: matter.at)


def next_review(s: LifecycleState) -> calendar.Review:
    """The next one. One that was missed is held late; of several, only the latest."""
    begun = _begun(s)
    seen = max(s.reviewed_on or begun, begun, s.activated_on or begun)
    return next(review for review in _all(s, begun) if review.opens > seen)


def last_review(s: LifecycleState, held: date | None) -> calendar.Review | None:
    """The latest that had opened when one was `held`; None before the first."""
    last = None
    for review in _all(s, _begun(s)):
        if held is None or review.opens > held:
            return last
        last = review
    return last


def to_prepare(s: LifecycleState) -> calendar.Review | None:
    """A review that was held, and that CS does not know of yet."""
    if not evergreen(s) or s.reviewed_on is None or s.reviewed_on == s.review_prepared:
        return None
    return last_review(s, s.reviewed_on)


def name(review: calendar.Review) -> str:
    """What it is called in keys."""
    return f"review-{review.number}"


def note(s: LifecycleState, review: calendar.Review) -> str:
    """A word to the CSM: what it is about, and what is so now."""
    head = f"Yearly review {review.number}, due on {review.on}: the contract goes on until it is ended by notice."
    return f"{head}\n{s.readiness.summary() if s.readiness else ''}"


def _all(s: LifecycleState, begun: date) -> Iterator[calendar.Review]:
    return (calendar.review(s.known.terms, begun, number) for number in count(1))


def _begun(s: LifecycleState) -> date:
    term = s.term_now()
    if term is None or term.ends is not None:
        raise ValueError("only an evergreen contract is reviewed")
    return term.starts
