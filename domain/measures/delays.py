"""How long it takes from the signature to what a customer has bought."""

from collections.abc import Iterable
from datetime import date
from math import ceil
from statistics import median

from domain.base import Frozen


class Beginning(Frozen):
    """The days on which a contract's first steps were made, in its zone; None while one has not been.

    `activated_on`: by the ERP. `launched_on`: its onboarding in CS. `live_on`: the go-live milestone. `invoiced_on`:
    the first invoice that the ERP issued for it.
    """

    signed_on: date
    activated_on: date | None = None
    launched_on: date | None = None
    live_on: date | None = None
    invoiced_on: date | None = None


def time_to_activation(beginning: Beginning) -> int | None:
    """The days from the contract's signature until the ERP activated its order."""
    return _days(beginning.signed_on, beginning.activated_on)


def time_to_onboarding(beginning: Beginning) -> int | None:
    """The days from the contract's signature until its onboarding was launched in CS."""
    return _days(beginning.signed_on, beginning.launched_on)


def time_to_go_live(beginning: Beginning) -> int | None:
    """The days from the contract's signature until its go-live milestone was reached."""
    return _days(beginning.signed_on, beginning.live_on)


def time_to_first_invoice(beginning: Beginning) -> int | None:
    """The days from the contract's signature until the ERP issued the first invoice that demands something for it."""
    return _days(beginning.signed_on, beginning.invoiced_on)


def _days(since: date, until: date | None) -> int | None:
    """What was done before the signature took no time."""
    return None if until is None else max((until - since).days, 0)


class Spread(Frozen):
    """`median` and `slowest_tenth` (nine of ten took no longer) in days over `contracts`; `waiting`: not there yet."""

    contracts: int
    waiting: int
    median: float | None = None
    slowest_tenth: int | None = None


def spread(days: Iterable[int | None]) -> Spread:
    """How long it took; contracts that still wait are counted, and not guessed."""
    found = list(days)
    known = sorted(each for each in found if each is not None)
    if not known:
        return Spread(contracts=0, waiting=len(found))
    return Spread(
        contracts=len(known),
        waiting=len(found) - len(known),
        median=median(known),
        slowest_tenth=known[ceil(0.9 * len(known)) - 1],
    )
