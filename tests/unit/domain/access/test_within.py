"""What of a sentence is sensitive: money, marked or known by its currency, and what customers wrote to support."""

from typing import Annotated

import pytest

from domain.access import FieldClass, Guarded, Sensitive, default_policy, see
from domain.access.within import amount, holds, said, support_text, unmarked

POLICY = default_policy()
SENTENCE = f"line 1 costs {amount('12.00')} a unit in the ERP, and {amount('10')} was sold"
WROTE = f"tenure.support_case.opened.v1 {support_text('my printer burns')}: recorded"


@pytest.mark.parametrize("role", POLICY.roles)
def test_a_role_reads_of_a_sentence_what_its_classes_let_it(role: str) -> None:
    principal = POLICY.principal("ann", roles=[role])
    found = see(principal, {"sentence": SENTENCE, "lines": [WROTE]})
    money, wrote = FieldClass.AMOUNT in principal.sees, FieldClass.SUPPORT_TEXT in principal.sees
    assert found.answer["sentence"] == (
        "line 1 costs 12.00 a unit in the ERP, and 10 was sold"
        if money
        else "line 1 costs ••• a unit in the ERP, and ••• was sold"
    )
    assert ("printer" in found.answer["lines"][0]) is wrote
    assert (FieldClass.AMOUNT in found.shown, FieldClass.AMOUNT in found.hidden) == (money, not money)
    assert (FieldClass.SUPPORT_TEXT in found.shown) is wrote


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("2 of 5 invoices overdue, 1,200.00 EUR", "2 of 5 invoices overdue, •••"),
        (
            "The annual charges are 40000 USD, above the limit of 25000 USD.",
            "The annual charges are •••, above the limit of •••.",
        ),
        ("paid EUR 12 500,00 today", "paid ••• today"),
        ("they owe us $1.5k and €20", "they owe us •••k and •••"),
        ("a refund of 100€", "a refund of •••"),
    ],
)
def test_money_is_known_by_its_currency(text: str, hidden: str) -> None:
    assert said(text, frozenset()) == hidden
    assert said(text, frozenset({FieldClass.AMOUNT})) == text


@pytest.mark.parametrize(
    "text",
    ["crm/006EUR100/1 renews on 2027-01-31", "75 of PLATFORM", "INV 2026 is paid", "EUR-PLAN has 50", "term 2", ""],
)
def test_what_is_no_money_stays(text: str) -> None:
    assert holds(text) == frozenset()
    assert said(text, frozenset()) == text


def test_marks_do_not_nest_and_never_go_out() -> None:
    assert amount(amount("5")) == amount("5")
    assert said(amount(support_text("5")), frozenset(FieldClass)) == "5"
    assert unmarked(SENTENCE + WROTE).isascii()
    assert amount(None) == amount("") == support_text("") == ""


def test_what_has_a_class_as_a_whole_is_shown_as_a_whole() -> None:
    class File(Guarded):
        payload: Annotated[str, Sensitive("payload")]

    operations = POLICY.principal("otto", roles=["operations"])
    assert see(operations, File(payload=f"12 EUR {amount(7)}")).answer["payload"] == "12 EUR 7"
