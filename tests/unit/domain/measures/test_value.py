"""What a contract is worth in a year, by the ERP's prices, and what a part of it amounts to."""

from datetime import date
from decimal import Decimal
from typing import Any

from domain.measures.value import amount_for, annual_value
from domain.ports.prices import PricedLine, PricedState
from domain.terms import ChargeType, Frequency

DAY = date(2027, 5, 1)


def line(**changes: Any) -> PricedLine:
    known = PricedLine(
        line="1", quantity=Decimal(1), billed_from=None, accepted_on=None, revenue="none",
        charge=ChargeType.RECURRING, frequency=Frequency.MONTHLY, amount=Decimal(100),
    )  # fmt: skip
    return known.model_copy(update=changes)


def state(*lines: PricedLine) -> PricedState:
    return PricedState(
        id="s", status="active", entitled=True, starts=DAY, ends=None, currency="EUR", lines=lines
    )  # fmt: skip


def test_each_frequency_counts_for_a_year() -> None:
    lines = [line(frequency=each) for each in (Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.ANNUAL)]
    assert annual_value(state(*lines), DAY) == Decimal(1700)


def test_what_does_not_recur_or_run_does_not_count() -> None:
    others = [
        line(charge=ChargeType.USAGE, amount=None),
        line(charge=ChargeType.ONE_TIME, frequency=Frequency.ONCE),
        line(starts=date(2027, 5, 2)),
        line(ends=DAY),
    ]
    assert annual_value(state(line(), *others), DAY) == Decimal(1200)
    assert annual_value(state(*others), DAY) == 0


def test_an_amount_that_is_not_told_is_not_guessed() -> None:
    assert annual_value(state(line(), line(amount=None)), DAY) is None
    assert amount_for(line(amount=None), DAY, date(2027, 6, 1)) is None


def test_a_part_of_the_year() -> None:
    assert amount_for(line(), DAY, date(2027, 5, 31)) == Decimal("98.63")
    assert amount_for(line(), DAY, DAY) == 0
    once = line(charge=ChargeType.ONE_TIME, frequency=Frequency.ONCE)
    assert amount_for(once, DAY, date(2027, 5, 2)) == Decimal(100)
