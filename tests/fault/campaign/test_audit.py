"""The auditor of the fault campaign, on what a right life leaves outside, and on each way in which it can be wrong."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import pytest

from bench.faults.audit import Finding, audit
from bench.faults.lives import AT_ONCE, SEATED, Life, promise, some_lives
from bench.faults.outside import Document, Outside

LIFE = Life(1, "T", date(2027, 3, 1), age=300, upsells=(7,), invoice="overdue", renewal="won")
BROKEN = Life(2, "T", date(2027, 3, 1), age=3, broken=True, live=False)


def left_by(life: Life) -> list[Document]:
    """What a life leaves outside to which nothing bad has happened."""
    promised = promise(life)
    products = (*AT_ONCE, SEATED)
    lines = [
        {
            "id": name,
            "product": name,
            "quantity": str(promised.seats),
            "billing_starts": "x" * (name in promised.billed),
        }
        for name in products
    ]
    about = {"contract": life.contract}
    made: list[tuple[str, str, dict[str, Any]]] = [
        ("erp", "customers", {"id": "cus", "account": life.account}),
        ("erp", "subscriptions", {**about, "status": "active", "term": promised.term, "lines": lines}),
        ("erp", "activations", about),
        ("cs", "companies", {"id": "company", "external_id": life.account}),
        ("cs", "plans", about),
        *(("erp", "billing_starts", {**about, "line": name}) for name in sorted(promised.billed)),
        *(("erp", "amendments", about) for _ in life.upsells),
        ("cs", "playbooks", about),
        ("crm", "opportunities", {"Tenure_External_Id__c": f"renewal-opportunity:{life.contract}:1"}),
        ("erp", "renewals", about),
        ("cs", "notes", {"company": "company", "text": "The renewal window is open"}),
        ("cs", "health", {"company": "company", "risk": promised.risk}),
    ]
    return [Document(n, *each) for n, each in enumerate(made)]


def found(documents: Sequence[Document], **known: Any) -> list[Finding]:
    return audit(Outside(documents), [LIFE], known.pop("cases", {}), **known)


def without(kind: str, documents: Sequence[Document] | None = None) -> list[Document]:
    return [each for each in documents or left_by(LIFE) if each.kind != kind]


def again(kind: str) -> list[Document]:
    documents = left_by(LIFE)
    return [*documents, *(replace(each, n=100) for each in documents if each.kind == kind)]


def changed(kind: str, **fields: Any) -> list[Document]:
    return [replace(each, record={**each.record, **fields}) if each.kind == kind else each for each in left_by(LIFE)]


def test_a_life_as_it_should_be_is_right() -> None:
    assert found(left_by(LIFE)) == []


@pytest.mark.parametrize(
    "kind", ["customers", "subscriptions", "activations", "amendments", "renewals", "companies", "plans", "playbooks",
             "opportunities", "notes"],
)  # fmt: skip
def test_what_was_done_twice_is_found(kind: str) -> None:
    assert {each.kind for each in found(again(kind))} == {"doubled"}


def test_a_line_that_is_billed_twice_is_found_though_another_is_missing() -> None:
    kept = [each for each in left_by(LIFE) if each.record.get("line") != AT_ONCE[0]]
    twice = next(each for each in kept if each.record.get("line") == SEATED)
    assert "doubled" in {each.kind for each in found([*kept, replace(twice, n=100)])}


@pytest.mark.parametrize("kind", ["activations", "companies", "plans", "playbooks", "opportunities"])
def test_what_is_missing_is_found_and_that_no_case_says_so(kind: str) -> None:
    assert {"missing", "stuck"} <= {each.kind for each in found(without(kind))}


@pytest.mark.parametrize(("kind", "event"), [("amendments", "-up0"), ("renewals", ":renewal")])
def test_a_lost_event_is_found_and_named(kind: str, event: str) -> None:
    lost = [each for each in found(without(kind)) if each.kind == "lost event"]
    assert len(lost) == 1
    assert event in lost[0].what


@pytest.mark.parametrize(
    ("before", "after"),
    [("customers", "subscriptions"), ("subscriptions", "activations"), ("activations", "billing_starts"),
     ("activations", "plans"), ("activations", "amendments"), ("companies", "playbooks")],
)  # fmt: skip
def test_a_wrong_order_is_found(before: str, after: str) -> None:
    documents = [replace(each, n=-1) if each.kind == after else each for each in left_by(LIFE)]
    assert f"{after} came before {before}" in {each.what for each in found(documents) if each.kind == "order"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("subscriptions", {"status": "draft"}), ("subscriptions", {"term": 1}), ("health", {"risk": "low"}),
     ("subscriptions", {"lines": [{"product": SEATED, "quantity": "50", "billing_starts": "2027-01-01"}]})],
)  # fmt: skip
def test_another_state_is_found(kind: str, fields: dict[str, Any]) -> None:
    assert "state" in {each.kind for each in found(changed(kind, **fields))}


def test_a_life_that_is_stuck_with_a_case_is_said_to_have_one() -> None:
    wrong = found(without("renewals"), cases={LIFE.contract: ["the ERP is down"]})
    assert [each.what for each in wrong if each.kind == "stuck"] == ["a case is still open: the ERP is down"]


def test_an_order_that_nobody_corrects_must_have_a_case_and_nothing_outside() -> None:
    assert audit(Outside([]), [BROKEN], {BROKEN.contract: ["the tax id is wrong"]}) == []
    assert [each.kind for each in audit(Outside([]), [BROKEN], {})] == ["stuck"]
    made = Document(1, "erp", "customers", {"account": BROKEN.account})
    assert "doubled" in {each.kind for each in audit(Outside([made]), [BROKEN], {BROKEN.contract: ["wrong"]})}


def test_a_workflow_task_that_failed_is_a_finding() -> None:
    assert [each.kind for each in found(left_by(LIFE), failures=["[TMPRL1100] Nondeterminism error"])] == ["workflow"]


def test_after_a_repair_the_state_counts_and_not_the_way() -> None:
    repaired = {LIFE.contract}
    other_way = [replace(each, n=-1) if each.kind == "plans" else each for each in without("amendments")]
    assert found(other_way, repaired=repaired) == []
    assert "doubled" in {each.kind for each in found(again("subscriptions"), repaired=repaired)}
    assert "missing" in {each.kind for each in found(without("plans"), repaired=repaired)}


def test_every_kind_of_life_comes_up() -> None:
    lives = some_lives(Random(1), "T", 300, date(2027, 3, 1))
    assert {each.renewal for each in lives} == {"", "won", "lost"}
    assert {each.invoice for each in lives} == {"", "overdue", "paid"}
    for name in ("mistaken", "broken", "late_order", "live", "in_window"):
        assert {getattr(each, name) for each in lives} == {True, False}
