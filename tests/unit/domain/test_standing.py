"""The calendar of a contract that lives, counted from the term in which it stands."""

import tomllib
from datetime import date
from pathlib import Path

import pytest

from domain import calendar
from domain.company import Company
from domain.explain import Topic
from domain.explaining.standing import AHEAD, standing_calendar
from domain.policies.validation import lines_of, parse_order
from domain.view import LifecycleView, Stage

ACTIVATED = date(2026, 11, 30)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_it_goes_on_from_the_term_that_runs(examples: Path, company: Company, number: int) -> None:
    order, wrong = parse_order(tomllib.loads((examples / "contracts" / "annual_saas.toml").read_text()))
    assert not wrong
    terms = order.terms.model_copy(update={"minimum_months": 12})
    running = calendar.term(terms, ACTIVATED, number)
    view = LifecycleView(contract="crm/d/1", stage=Stage.SERVING, term=number, term_starts=running.starts)
    told = standing_calendar(view, order.model_copy(update={"terms": terms}), lines_of(order, company))
    begun = [entry.on for entry in told if entry.topic is Topic.TERM and "begins" in entry.what]
    assert begun == [calendar.term(terms, ACTIVATED, each).starts for each in range(number, number + 1 + AHEAD)]
    assert not [entry for entry in told if entry.on is None and entry.topic is not Topic.BILLING]
    minimum = [entry.on for entry in told if entry.topic is Topic.MINIMUM]
    assert minimum in ([], [date(2027, 11, 30)])
