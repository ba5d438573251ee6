"""Who goes first where many wait."""

from datetime import date

import pytest

from domain.policies.risk import Risk
from domain.state import LifecycleState
from domain.urgency import AT_RISK, LATER, NEW, USUAL, urgency, urgency_of_reading, urgency_of_view
from domain.view import LifecycleView, Stage

ACTIVATED = date(2026, 1, 1)
LOW, HIGH = Risk(level="low", renewal_priority="raised"), Risk(level="high", renewal_priority="normal")
URGENT = Risk(level="low", renewal_priority="urgent")


@pytest.mark.parametrize(
    ("activated_on", "risk", "steps", "readings"),
    [
        (None, None, NEW, NEW),
        (ACTIVATED, None, USUAL, LATER),
        (ACTIVATED, LOW, USUAL, LATER),
        (ACTIVATED, HIGH, AT_RISK, AT_RISK),
        (ACTIVATED, URGENT, AT_RISK, AT_RISK),
    ],
)
def test_a_new_customer_goes_first_then_who_may_be_lost(
    activated_on: date | None, risk: Risk | None, steps: int, readings: int
) -> None:
    state = LifecycleState(tenant="acme", contract="crm/006U/1", activated_on=activated_on, risk=risk)
    assert urgency(state) == steps
    assert urgency_of_reading(state) == readings
    stage = Stage.ORDER_ACTIVATION if activated_on is None else Stage.SERVING
    level = {"risk": risk.level, "renewal_priority": risk.renewal_priority} if risk else {}
    assert urgency_of_view(LifecycleView(contract=state.contract, stage=stage, **level)) == steps
