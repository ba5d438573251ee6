"""Changes given to a state, for pure tests."""

from datetime import date
from decimal import Decimal

import pytest

from domain.changes.applying import apply
from domain.changes.kinds import (
    Change,
    ChangeContract,
)
from domain.outcomes import done
from domain.refused import Refused
from domain.state import LifecycleState
from domain.steps import Performed
from domain.terms import ChargeType, Frequency, LineTerms, OnActivation
from tests.states import at

TODAY = date(2027, 3, 1)
ADDED = LineTerms(
    id="4",
    product="ANALYTICS",
    charge=ChargeType.RECURRING,
    frequency=Frequency.ANNUAL,
    quantity=Decimal(10),
    billing_start=OnActivation(),
)


def give(state: LifecycleState, change: Change, name: str = "c1", today: date = TODAY) -> str:
    return apply(state, ChangeContract(id=name, by="csm", change=change), today)


def refused(state: LifecycleState, change: Change, name: str = "c1", today: date = TODAY) -> str:
    with pytest.raises(Refused) as caught:
        give(state.model_copy(deep=True), change, name, today)
    return str(caught.value)


def settle(state: LifecycleState, today: date = TODAY) -> None:
    """Everything that is queued is done outside."""
    for step in list(state.queue):
        done(state, step, Performed(id=f"id of {step.key}", on=today), at(today))


def term_ends(state: LifecycleState) -> date | None:
    term = state.term_now()
    assert term is not None
    return term.ends
