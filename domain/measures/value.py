"""What a contract is worth in a year, by the prices of the ERP."""

from datetime import date, timedelta
from decimal import Decimal

from domain.ports.prices import PricedLine, PricedState
from domain.terms import ChargeType, Frequency

PERIODS = {Frequency.MONTHLY: 12, Frequency.QUARTERLY: 4, Frequency.ANNUAL: 1}
DAYS = 365
CENT = Decimal("0.01")


def recurs(line: PricedLine) -> bool:
    """Whether the line is charged again with each period, whatever is used."""
    return line.frequency in PERIODS and line.charge in (ChargeType.RECURRING, ChargeType.PREPAID)


def annual_amount(line: PricedLine) -> Decimal | None:
    """What the ERP charges for a recurring line in twelve months. None where it tells no amount."""
    return None if line.amount is None else line.amount * PERIODS[line.frequency]


def annual_value(state: PricedState, day: date) -> Decimal | None:
    """The annual recurring value: what the ERP charges in twelve months, net of tax, for the contract's lines that
    recur and run on a day, whether their billing has begun or not. Usage and one-time charges do not count. Unknown
    where the ERP tells no amount of such a line.
    """
    total = Decimal(0)
    for line in state.lines:
        if not recurs(line) or not runs(line, day):
            continue
        amount = annual_amount(line)
        if amount is None:
            return None
        total += amount
    return total


def runs(line: PricedLine, day: date) -> bool:
    """Whether a day is one of the line's own, where it has any."""
    return (line.starts is None or line.starts <= day) and (line.ends is None or day < line.ends)


def amount_for(line: PricedLine, starts: date, ends: date) -> Decimal | None:
    """The part of what the ERP charges for a line that falls on the days `[starts, ends)`: of a recurring one its share
    of the year, of any other the whole amount. None where the ERP tells no amount.
    """
    if line.amount is None:
        return None
    if not recurs(line):
        return line.amount
    days = max((ends - starts) // timedelta(days=1), 0)
    return (line.amount * PERIODS[line.frequency] * days / DAYS).quantize(CENT)
