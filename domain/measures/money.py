"""Amounts in contract currency and in reporting currency, with the rate, its day and its source."""

import csv
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol

from domain.base import Frozen

OLDEST = timedelta(days=7)
"""How old the last rate before a day may be: markets are closed on some days, never for so long."""
BASE = "EUR"
CENT = Decimal("0.01")


class Rate(Frozen):
    """One unit of `currency` is `rate` of `to`, as `source` published it on the day `on`."""

    currency: str
    to: str
    rate: Decimal
    on: date
    source: str


class Rates(Protocol):
    """Where rates come from."""

    def rate(self, currency: str, to: str, day: date) -> Rate | None:
        """The last one published until that day; None where there is none, or only one that is too old."""
        ...


class NoRates:
    """The company has configured no rates."""

    def rate(self, currency: str, to: str, day: date) -> Rate | None:
        return None


class RateTable:
    """Rates as the European Central Bank publishes them: units of each currency for one euro, by day."""

    def __init__(self, source: str, days: Mapping[date, Mapping[str, Decimal]]) -> None:
        self.source = source
        self._rates = days
        self._days = sorted(days)

    def rate(self, currency: str, to: str, day: date) -> Rate | None:
        """Crossed through the euro where neither is one, on a day on which both were published."""
        position = bisect_right(self._days, day)
        while position and day - self._days[position - 1] <= OLDEST:
            position -= 1
            published = {BASE: Decimal(1)} | dict(self._rates[self._days[position]])
            if currency in published and to in published:
                rate = published[to] / published[currency]
                return Rate(currency=currency, to=to, rate=rate, on=self._days[position], source=self.source)
        return None


def read_rates(text: str, source: str) -> RateTable:
    """Read an ECB table (CSV: `Date, USD, JPY, …`, a row a day, N/A where there is none). ValueError names the line."""
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    head = [name.strip() for name in next(rows, [])]
    if not head or head[0] != "Date":
        raise ValueError("line 1: a table of rates begins with the column Date")
    return RateTable(
        source, {day: rates for number, row in enumerate(rows, 2) if row for day, rates in [_day(head, row, number)]}
    )


def _day(head: list[str], row: list[str], number: int) -> tuple[date, dict[str, Decimal]]:
    try:
        day = date.fromisoformat(row[0].strip())
        named = zip(head[1:], (each.strip() for each in row[1:]), strict=False)
        rates = {name: Decimal(each) for name, each in named if name and each not in ("", "N/A")}
    except (ValueError, InvalidOperation):
        raise ValueError(f"line {number}: not a day with its rates") from None
    if any(not rate.is_finite() or rate <= 0 for rate in rates.values()):
        raise ValueError(f"line {number}: a rate must be above zero")
    return day, rates


class Reported(Frozen):
    """An amount in the reporting currency, and the rates that it rests on. `left_out`: what of it has no rate, by
    currency; it is not in `amount`."""

    currency: str
    amount: Decimal
    rates: tuple[Rate, ...] = ()
    left_out: dict[str, Decimal] = {}


class Money(Frozen):
    """Amounts by contract currency, and together in the reporting one; None where the company has none."""

    by_currency: dict[str, Decimal] = {}
    reported: Reported | None = None


def money(amounts: Mapping[str, Decimal], currency: str | None, rates: Rates, day: date) -> Money:
    """The reporting currency: the one in which the amounts of all contract currencies are added up, each at the last
    rate that the company's source published until the day of the figure. What has no rate is named and left out of the
    sum; no rate is made up.
    """
    by_currency = dict(sorted(amounts.items()))
    if currency is None:
        return Money(by_currency=by_currency)
    used, left_out, total = [], {}, Decimal(0)
    for each, amount in by_currency.items():
        if each == currency:
            total += amount
        elif (rate := rates.rate(each, currency, day)) is not None:
            used.append(rate)
            total += amount * rate.rate
        else:
            left_out[each] = amount
    reported = Reported(currency=currency, amount=total.quantize(CENT), rates=tuple(used), left_out=left_out)
    return Money(by_currency=by_currency, reported=reported)
