"""GRR, NRR and logo churn; how long the first steps take."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.measures.delays import Beginning, spread, time_to_activation, time_to_first_invoice
from domain.measures.retention import Held, gross_retention, logo_churn, net_retention

AMOUNTS = st.decimals(0, 10**7, places=2)


def test_gross_counts_what_is_left_and_net_what_has_grown() -> None:
    customers = [Held(Decimal(100), Decimal(150)), Held(Decimal(100), Decimal(50)), Held(Decimal(0), Decimal(900))]
    assert gross_retention(customers) == Decimal("0.75")
    assert net_retention(customers) == Decimal(1)


def test_nobody_there_at_first_has_no_retention() -> None:
    assert gross_retention([Held(Decimal(0), Decimal(10))]) is None
    assert net_retention([]) is None
    assert logo_churn([], ["new"]) is None


@given(st.lists(st.builds(Held, AMOUNTS, AMOUNTS)))
def test_gross_is_never_above_one_nor_above_net(customers: list[Held]) -> None:
    gross, net = gross_retention(customers), net_retention(customers)
    if gross is not None and net is not None:
        assert 0 <= gross <= 1
        assert gross <= net


def test_logo_churn_counts_accounts() -> None:
    assert logo_churn(["a", "b", "c", "d"], ["a", "b", "c", "new"]) == Decimal("0.25")


def test_steps_that_are_not_made_are_waited_for() -> None:
    begun = Beginning(signed_on=date(2027, 1, 1), activated_on=date(2027, 1, 3))
    assert time_to_activation(begun) == 2
    assert time_to_first_invoice(begun) is None
    assert time_to_activation(Beginning(signed_on=date(2027, 1, 5), activated_on=date(2027, 1, 3))) == 0


def test_a_spread_guesses_nothing() -> None:
    found = spread([9, 1, None, 2, 3, 4, 5, 6, 7, 8, 10, None])
    assert (found.contracts, found.waiting, found.median, found.slowest_tenth) == (10, 2, 5.5, 9)
    assert spread([None]).median is None
