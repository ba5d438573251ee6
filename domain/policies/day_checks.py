"""The days that an order names, and whether they can be reckoned with at all: a year of 9999 is "never", or a slip."""

from collections.abc import Iterator
from datetime import date

from domain.billing import awaited_dates
from domain.order import Order, Reason

FIRST, FAR = date(1970, 1, 1), date(2200, 1, 1)
"""Days from the first on and before the other: far enough from the calendar's ends for any number of terms."""


def reachable(day: date) -> bool:
    return FIRST <= day < FAR


def day_reasons(order: Order) -> Iterator[Reason]:
    """Each day that is out of reach."""
    for path, day in _days(order):
        if not reachable(day):
            message = f"{day} is not between {FIRST} and {FAR}: correct the day, or leave it out where there is none."
            yield Reason(path=path, message=message)


def in_reach(order: Order) -> bool:
    """Whether terms and windows can be counted from the order's days."""
    return next(day_reasons(order), None) is None


def _days(order: Order) -> Iterator[tuple[str, date]]:
    given: list[tuple[str, date | None]] = [
        ("signed_on", order.signed_on),
        ("terms.starts_on", order.terms.starts_on),
        ("terms.coterm_ends", order.terms.coterm_ends),
        ("purchase_order.expires_on", order.purchase_order.expires_on if order.purchase_order else None),
    ]
    for index, line in enumerate(order.lines):
        given += [(f"lines[{index}].starts", line.starts), (f"lines[{index}].ends", line.ends)]
        if line.billing_start is not None:
            given += [(f"lines[{index}].billing_start", day) for day in awaited_dates(line.billing_start)]
    yield from ((path, day) for path, day in given if day is not None)
