"""What needs finance's approval, and what an approval is worth when the order changes."""

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.company import ApprovalPolicy, load_company
from domain.document import apply_fixes
from domain.finance.approval import APPROVAL_CASE, approve, check_approve, check_reject, reject
from domain.finance.commands import ApproveOrder, RejectOrder
from domain.order import Order, OrderVerdict
from domain.outcomes import judged, revised
from domain.policies.approval import approval_reasons, stated_values
from domain.policies.validation import parse_order, verdict
from domain.refused import Refused
from domain.state import LifecycleState
from domain.terms import Frequency
from tests.states import ACTIVE, COMPANY, EXAMPLES, at, ordered

DOCUMENT = tomllib.loads((EXAMPLES / "contracts" / "annual_saas.toml").read_text())
STRICT = ApprovalPolicy(
    limits={"EUR": Decimal(50000)}, terms={"payment_terms_days": (0, 45)}, billing_rules=("on_signature", "on_date")
)


def order(**changes: Any) -> Order:
    return parse_order(apply_fixes(DOCUMENT, changes))[0]


def paths(policy: ApprovalPolicy, **changes: Any) -> list[str]:
    return [reason.path for reason in approval_reasons(order(**changes), policy)]


def waiting(policy: ApprovalPolicy = STRICT, revision: int = 1, **changes: Any) -> LifecycleState:
    state = ordered()
    state.sheet, state.order_revision = None, revision
    judged(state, check(policy, revision, **changes), at(ACTIVE))
    return state


def check(policy: ApprovalPolicy, revision: int, **changes: Any) -> OrderVerdict:
    company = COMPANY.model_copy(update={"approval": policy})
    return verdict(apply_fixes(DOCUMENT, changes), company, revision, parent_known=None)


def anew(state: LifecycleState, policy: ApprovalPolicy = STRICT, changes: dict[str, Any] | None = None) -> None:
    revised(state, state.order_revision + 1)
    assert not state.cleared
    judged(state, check(policy, state.order_revision, **(changes or {})), at(ACTIVE))


def test_without_a_policy_nothing_waits() -> None:
    assert paths(ApprovalPolicy()) == []


def test_every_reason_is_named_at_once() -> None:
    assert paths(STRICT, **{"terms.payment_terms_days": 60}) == [
        "lines",
        "terms.payment_terms_days",
        "lines[1].billing_start",
        "lines[2].billing_start",
    ]


def test_each_billing_frequency_is_held_against_the_limit_on_its_own() -> None:
    stated = stated_values(order())
    assert stated == {Frequency.ONCE: 6000, Frequency.ANNUAL: 60000, Frequency.QUARTERLY: 4800}
    assert paths(ApprovalPolicy(limits={"EUR": Decimal(60000)})) == []
    assert paths(ApprovalPolicy(limits={"EUR": Decimal("59999.99")})) == ["lines"]


def test_a_line_without_a_price_can_t_be_within_the_limit_but_usage_has_none() -> None:
    policy = ApprovalPolicy(limits={"EUR": Decimal(10**9)})
    assert paths(policy, **{"lines[1].unit_price": None}) == ["lines[1].unit_price"]
    assert paths(policy, **{"lines[1].unit_price": None, "lines[1].charge": "usage"}) == []


@given(st.lists(st.tuples(st.integers(1, 5000), st.decimals(0, 10**6, places=2)), min_size=1, max_size=6))
def test_the_values_are_those_of_the_deal_and_no_more(lines: list[tuple[int, Decimal]]) -> None:
    sold = [{**DOCUMENT["lines"][1], "id": str(n), "quantity": q, "unit_price": p} for n, (q, p) in enumerate(lines)]
    assert stated_values(parse_order({**DOCUMENT, "lines": sold})[0]) == {
        Frequency.ANNUAL: sum((q * p for q, p in lines), Decimal())
    }


def test_a_currency_that_is_sold_in_needs_its_limit() -> None:
    text = (EXAMPLES / "company.toml").read_text().replace(', CHF = "1000000"', "")
    with pytest.raises(ValueError, match="no limit for CHF"):
        load_company(text)


def test_an_order_waits_and_goes_on_once_it_is_approved() -> None:
    state = waiting()
    assert not state.cleared
    assert state.cases[APPROVAL_CASE].view.actor == "finance"
    check_approve(state, ApproveOrder(revision=1, by="fin"))
    approve(state, ApproveOrder(revision=1, by="fin"), ACTIVE)
    assert state.cleared
    assert APPROVAL_CASE not in state.cases


def test_what_was_approved_for_the_same_reasons_stays_approved() -> None:
    state = waiting()
    approve(state, ApproveOrder(revision=1, by="fin"), ACTIVE)
    anew(state, changes={"purchase_order": "PO-2"})
    assert state.cleared
    assert state.approval is not None
    assert (state.approval.revision, state.approval.approved_by) == (2, "fin")
    anew(state, changes={"terms.payment_terms_days": 60})
    assert not state.cleared
    assert "terms.payment_terms_days" in str(state.cases[APPROVAL_CASE].view.reasons)


def test_a_correction_to_standard_terms_needs_no_approval_any_more() -> None:
    state = waiting(ApprovalPolicy(terms={"payment_terms_days": (0, 45)}), **{"terms.payment_terms_days": 60})
    assert not state.cleared
    anew(state, ApprovalPolicy(terms={"payment_terms_days": (0, 45)}))
    assert state.cleared
    assert (state.approval, state.cases) == (None, {})


def test_a_rejected_order_needs_approval_anew_however_it_is_corrected() -> None:
    state = waiting()
    reject(state, RejectOrder(revision=1, by="fin", reason="too dear"), ACTIVE, at(ACTIVE))
    assert state.cases[APPROVAL_CASE].view.kind == "rejected_by_finance"
    assert not state.cleared
    anew(state, changes={"purchase_order": "PO-2"})
    assert state.cases[APPROVAL_CASE].view.kind == "approval"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (ApproveOrder(revision=2, by="fin"), "at revision 1 now, not at 2"),
        (ApproveOrder(revision=1, by=" "), "who gives it"),
    ],
)
def test_an_approval_is_refused(command: ApproveOrder, why: str) -> None:
    with pytest.raises(Refused, match=why):
        check_approve(waiting(), command)


def test_nothing_is_approved_twice_or_where_nothing_waits() -> None:
    state = waiting(ApprovalPolicy())
    with pytest.raises(Refused, match="waits for no approval"):
        check_approve(state, ApproveOrder(revision=1, by="fin"))
    state = waiting()
    approve(state, ApproveOrder(revision=1, by="fin"), ACTIVE)
    with pytest.raises(Refused, match=r"approved already \(fin\)"):
        check_approve(state, ApproveOrder(revision=1, by="other"))
    with pytest.raises(Refused, match="reason"):
        check_reject(waiting(), RejectOrder(revision=1, by="fin", reason=" "))


def test_a_verdict_from_before_there_were_approvals_needs_none() -> None:
    state = ordered()
    assert OrderVerdict.model_validate({"revision": 1}).approval == ()
    assert state.cleared
