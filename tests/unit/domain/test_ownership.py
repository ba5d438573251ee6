"""Ownership: whose turn it is, by the first glob that matches."""

import pytest

from domain.company import Company, load_company
from domain.ownership import Ownership
from tests.house import EXAMPLES

OWNS = Ownership(
    default="ops",
    cases={"sla:billing_*": "finance", "order": "deals"},
    events={"tenure.invoice.*": "finance", "tenure.*": "ops"},
    connections={"erp*": "finance"},
    actors={"engineer": "platform"},
    clocks={"risk_told": "csm"},
)


def test_a_reason_goes_before_the_event_the_connection_and_the_actor() -> None:
    assert OWNS.of_case(kind="order", event="tenure.invoice.paid.v1", connection="erp-de") == "deals"
    assert OWNS.of_case(kind="sla", problem="sla:billing_started") == "finance"
    assert OWNS.of_case(kind="refused_event", event="tenure.invoice.paid.v1") == "finance"
    assert OWNS.of_case(kind="frozen", connection="erp-de", actor="engineer") == "finance"
    assert OWNS.of_case(kind="undelivered", actor="engineer") == "platform"
    assert OWNS.of_case(kind="other", actor="finance") == "ops"
    assert (OWNS.of_clock("risk_told"), OWNS.of_clock("other")) == ("csm", "ops")
    assert Ownership().of_case(kind="order") == "", "nobody is named"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"ownership": {"default": "finance"}}, "there is no team finance"),
        ({"teams": [{"id": "a", "escalate": {"to": "b"}}]}, "there is no team b"),
        ({"teams": [{"id": "a", "escalate": [{"to": "a"}, {"to": "b", "after": "9h"}]}]}, "there is no team b"),
        (
            {"teams": [{"id": "a", "escalate": [{"to": "a", "after": "4h"}, {"to": "a", "after": "4h"}]}]},
            "each step of an escalation comes after the one before it",
        ),
        ({"teams": [{"id": "a", "hours": "office"}]}, "there are no hours office"),
        ({"teams": [{"id": "a"}, {"id": "a"}]}, "two teams have one id"),
        ({"sla": [{"kind": "risk_told", "within": "15m", "hours": "night"}]}, "there are no hours night"),
    ],
)
def test_what_is_named_must_be_there(changes: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Company.model_validate(load_company((EXAMPLES / "company.toml").read_text()).model_dump() | changes)
