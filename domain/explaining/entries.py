"""What an explanation is made of: one entry for each day on which something begins, ends or must be decided."""

from datetime import date
from enum import StrEnum

from domain.base import Frozen
from domain.counting import many
from domain.terms import Frequency


class Topic(StrEnum):
    """What an entry is about."""

    CONTRACT = "contract"
    TERM = "term"
    WINDOW = "window"
    CHECKPOINT = "checkpoint"
    REVIEW = "review"
    NOTICE = "notice"
    PRICE = "price"
    MINIMUM = "minimum"
    BILLING = "billing"
    RAMP = "ramp"
    PURCHASE_ORDER = "purchase order"


class Entry(Frozen):
    """`on` is the civil day in the contract's zone, None while a fact that is still to come decides it. `reckoned` says
    how the day follows from the terms, or what it waits for. `at_latest`: a fact that is to come may bring it forward.
    """

    on: date | None
    topic: Topic
    what: str
    reckoned: str
    at_latest: bool = False
    term: int | None = None
    line: str | None = None


class Explanation(Frozen):
    """`summary`: the terms in sentences. `entries`: in order of their days, those without a day last. `awaited`: the
    facts that aren't known yet, in words.
    """

    summary: tuple[str, ...]
    entries: tuple[Entry, ...]
    awaited: tuple[str, ...]


def months(count: int) -> str:
    """ "1 month", "36 months"."""
    return many(count, "month")


def days(count: int) -> str:
    return many(count, "day")


def every(frequency: Frequency) -> str:
    return "once" if frequency is Frequency.ONCE else frequency.value
