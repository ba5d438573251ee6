"""How much of what there was is still there: by value and by customers."""

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import NamedTuple


class Held(NamedTuple):
    """What one customer was worth in a year when the time began, and is worth when it is over, in one currency."""

    opening: Decimal
    closing: Decimal


def gross_retention(customers: Iterable[Held]) -> Decimal | None:
    """Gross revenue retention (GRR): of the annual recurring value that the customers had on the first day, the share
    that is still there on the last one. What a customer has grown by does not count, so it is never above one, and
    customers that came in between do not count. Unknown where nobody was there on the first day.
    """
    held = list(customers)
    opening = sum((each.opening for each in held), Decimal(0))
    return sum((min(each) for each in held), Decimal(0)) / opening if opening else None


def net_retention(customers: Iterable[Held]) -> Decimal | None:
    """Net revenue retention (NRR): the annual recurring value on the last day of those who were customers on the first
    one, as a share of what they had then. What they have grown by counts. Customers that came in between do not count.
    """
    held = list(customers)
    opening = sum((each.opening for each in held), Decimal(0))
    return sum((each.closing for each in held if each.opening), Decimal(0)) / opening if opening else None


def logo_churn(opening: Collection[str], closing: Collection[str]) -> Decimal | None:
    """Logo churn: of the active customers of the first day, the share that is no active customer on the last one. A
    customer is an account, with all its contracts; one that was merged is the account that it is part of now.
    """
    gone = set(opening) - set(closing)
    return Decimal(len(gone)) / len(set(opening)) if opening else None
