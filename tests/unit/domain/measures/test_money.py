"""Reporting currency: rates as the ECB publishes them, and never one that nobody has published."""

from datetime import date
from decimal import Decimal

import pytest

from domain.measures.money import NoRates, RateTable, money, read_rates

# a table in the form of eurofxref-hist.csv, with made-up numbers
TABLE = """Date,USD,GBP,CYP,CHF,
2027-03-05,1.25,0.8,N/A,1.0,
2027-03-04,1.20,0.8,N/A,N/A,
2027-03-01,2.00,0.5,N/A,0.5,
"""


@pytest.fixture
def table() -> RateTable:
    return read_rates(TABLE, "the bank")


@pytest.mark.parametrize(
    ("currency", "to", "day", "rate", "on"),
    [
        ("EUR", "USD", "2027-03-05", "1.25", "2027-03-05"),
        ("USD", "EUR", "2027-03-05", "0.8", "2027-03-05"),
        ("GBP", "USD", "2027-03-04", "1.5", "2027-03-04"),
        ("USD", "EUR", "2027-03-07", "0.8", "2027-03-05"),
        ("EUR", "CHF", "2027-03-04", "0.5", "2027-03-01"),
    ],
)
def test_the_last_rate_until_the_day_counts(
    table: RateTable, currency: str, to: str, day: str, rate: str, on: str
) -> None:
    found = table.rate(currency, to, date.fromisoformat(day))
    assert found is not None
    assert (found.rate, found.on, found.source) == (Decimal(rate), date.fromisoformat(on), "the bank")


@pytest.mark.parametrize(
    ("currency", "day"), [("USD", "2027-02-28"), ("USD", "2027-03-13"), ("CYP", "2027-03-05"), ("XAU", "2027-03-05")]
)
def test_no_rate_is_made_up(table: RateTable, currency: str, day: str) -> None:
    assert table.rate(currency, "EUR", date.fromisoformat(day)) is None


def test_what_has_no_rate_is_named_and_left_out(table: RateTable) -> None:
    amounts = {"USD": Decimal(100), "EUR": Decimal(10), "XAU": Decimal(7)}
    found = money(amounts, "EUR", table, date(2027, 3, 5))
    assert found.by_currency == amounts
    assert found.reported is not None
    assert (found.reported.amount, found.reported.left_out) == (Decimal("90.00"), {"XAU": Decimal(7)})
    assert [(rate.currency, rate.on) for rate in found.reported.rates] == [("USD", date(2027, 3, 5))]


def test_without_a_reporting_currency_amounts_stay_apart() -> None:
    found = money({"USD": Decimal(1), "EUR": Decimal(2)}, None, NoRates(), date(2027, 3, 5))
    assert (found.by_currency, found.reported) == ({"EUR": Decimal(2), "USD": Decimal(1)}, None)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "line 1: a table of rates begins with the column Date"),
        ("Day,USD\n", "line 1: a table of rates begins with the column Date"),
        ("Date,USD\nyesterday,1\n", "line 2: not a day with its rates"),
        ("Date,USD\n2027-03-05,1\n2027-03-04,one\n", "line 3: not a day with its rates"),
        ("Date,USD\n2027-03-05,0\n", "line 2: a rate must be above zero"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_line(text: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=mistake):
        read_rates(text, "the bank")
