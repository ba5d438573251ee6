"""What Stripe's events become, from bodies in the shapes of the library's classes, which are as published."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import stripe

from domain.events import ContractAmended, ContractEnded, InvoiceCredited, InvoiceOverdue, InvoicePaid
from domain.events.base import EventData
from starter.settings import load_settings
from starter.sources.reading import Ignored, Sources, Unreadable, Usable
from tests.stripe.typed import blank, wrong_fields

CREATED = 1795000000  # 2026-11-18
BY_HAND = {"id": "req_1", "idempotency_key": None}
BY_TENURE = {"id": "req_2", "idempotency_key": "tenure:ending:crm/006/1#stop:seats:ab12"}
BY_ITSELF = {"id": None, "idempotency_key": None}
OURS = {"erp_subscription": "tenure_17", "erp_customer": "cus_9"}


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    file = tmp_path / "tenure.toml"
    file.write_text('[webhooks.stripe]\npreset = "stripe"\nconnection = "erp"\nsecrets = [{ value = "whsec_1" }]\n')
    return Sources(load_settings(file, state_dir=tmp_path))


def _event(
    kind: str,
    resource: type[Any],
    request: dict[str, Any] = BY_ITSELF,
    previous: dict[str, Any] | None = None,
    **said: Any,
) -> dict[str, Any]:
    """An event about a record that is, in its whole shape, what Stripe answers with."""
    record = {**blank(resource), "object": resource.OBJECT_NAME, "created": CREATED, **said}
    assert list(wrong_fields(record, resource)) == []
    event = {**blank(stripe.Event), "id": "evt_1", "object": "event", "type": kind, "created": CREATED}
    event["request"] = request
    event["data"] = {"object": record} if previous is None else {"object": record, "previous_attributes": previous}
    assert list(wrong_fields(event, stripe.Event)) == []
    return event


def _invoice(kind: str, **said: Any) -> dict[str, Any]:
    details = {**blank(stripe.Invoice.Parent.SubscriptionDetails), "subscription": "sub_1", "metadata": OURS}
    parent = {**blank(stripe.Invoice.Parent), "type": "subscription_details", "subscription_details": details}
    due: dict[str, Any] = {
        "amount_due": 6_000_000,
        "currency": "eur",
        "due_date": CREATED + 86_400,
        "customer": "cus_9",
    }
    return _event(kind, stripe.Invoice, **{"id": "in_1", "status": "open", "parent": parent, **due, **said})


def _subscription(kind: str, request: dict[str, Any], **said: Any) -> dict[str, Any]:
    return _event(kind, stripe.Subscription, request, **{"id": "sub_1", "metadata": OURS, **said})


def _became(sources: Sources, event: dict[str, Any]) -> EventData:
    reading = sources.read("stripe", json.dumps(event))
    assert isinstance(reading, Usable), reading
    return reading.event.data


def _is_ignored(sources: Sources, event: dict[str, Any]) -> bool:
    return isinstance(sources.read("stripe", json.dumps(event)), Ignored)


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        ("invoice.finalized", "tenure.invoice.posted.v1"),
        ("invoice.paid", "tenure.invoice.paid.v1"),
        ("invoice.overdue", "tenure.invoice.overdue.v1"),
        ("invoice.voided", "tenure.invoice.voided.v1"),
        ("invoice.marked_uncollectible", "tenure.invoice.written_off.v1"),
        ("invoice.payment_failed", "tenure.payment.failed.v1"),
    ],
)
def test_an_invoice_of_a_contract_names_it(sources: Sources, kind: str, becomes: str) -> None:
    data = _became(sources, _invoice(kind))
    assert data.type == becomes
    assert {subject.alias for subject in data.subjects()} == {
        "erp:subscription:tenure_17", "erp:customer:cus_9",
    }  # fmt: skip


def test_an_invoice_of_a_line_that_is_charged_once_names_it_too(sources: Sources) -> None:
    data = _became(sources, _invoice("invoice.paid", parent=None, metadata=OURS))
    assert isinstance(data, InvoicePaid)
    assert data.subscription == "tenure_17"


def test_a_credit_note_settles_what_it_took_off_and_counts_once(sources: Sources) -> None:
    note: dict[str, Any] = {
        "id": "cn_1",
        "invoice": "in_1",
        "customer": "cus_9",
        "currency": "eur",
        "pre_payment_amount": 1_000_050,
    }
    data = _became(sources, _event("credit_note.created", stripe.CreditNote, BY_HAND, **note))
    assert isinstance(data, InvoiceCredited)
    assert (data.invoice, data.credit_note, data.credited, data.customer) == (
        "in_1", "cn_1", Decimal("10000.50"), "cus_9",
    )  # fmt: skip
    later = _invoice("invoice.overdue", amount_due=4_999_950, pre_payment_credit_notes_amount=1_000_050)
    overdue = _became(sources, later)
    assert isinstance(overdue, InvoiceOverdue)
    assert overdue.amount == Decimal("60000")


def test_a_refund_by_credit_note_settles_nothing_and_one_taken_back_is_for_a_person(sources: Sources) -> None:
    note: dict[str, Any] = {
        "id": "cn_1",
        "invoice": "in_1",
        "customer": "cus_9",
        "currency": "eur",
        "post_payment_amount": 5,
    }
    assert _is_ignored(sources, _event("credit_note.created", stripe.CreditNote, BY_HAND, **note))
    with pytest.raises(Unreadable):
        sources.read("stripe", json.dumps(_event("credit_note.voided", stripe.CreditNote, BY_HAND, **note)))


def test_what_somebody_ended_at_stripe_is_told(sources: Sources) -> None:
    details = {**blank(stripe.Subscription.CancellationDetails), "reason": "cancellation_requested"}
    details["comment"] = "called us"
    gone: dict[str, Any] = {"status": "canceled", "ended_at": CREATED, "cancellation_details": details}
    data = _became(sources, _subscription("customer.subscription.deleted", BY_HAND, **gone))
    assert data == ContractEnded(subscription="tenure_17", ends=date(2026, 11, 18), reason="called us")
    assert _is_ignored(sources, _subscription("customer.subscription.deleted", BY_TENURE, **gone))
    assert _is_ignored(sources, _subscription("customer.subscription.deleted", BY_ITSELF, **gone))


def test_what_stripe_gave_up_for_want_of_payment_is_told(sources: Sources) -> None:
    details = {**blank(stripe.Subscription.CancellationDetails), "reason": "payment_failed"}
    gone: dict[str, Any] = {"status": "canceled", "ended_at": CREATED, "cancellation_details": details}
    data = _became(sources, _subscription("customer.subscription.deleted", BY_ITSELF, **gone))
    assert data == ContractEnded(subscription="tenure_17", ends=date(2026, 11, 18), reason="payment_failed")


def test_a_cancellation_for_a_day_to_come_is_told_with_that_day(sources: Sources) -> None:
    planned: dict[str, Any] = {"cancel_at": CREATED + 10 * 86_400, "previous": {"cancel_at": None}}
    data = _became(sources, _subscription("customer.subscription.updated", BY_HAND, **planned))
    assert data == ContractEnded(subscription="tenure_17", ends=date(2026, 11, 28))


def test_what_somebody_changed_at_stripe_is_told(sources: Sources) -> None:
    changed: dict[str, Any] = {"previous": {"items": {"data": []}}}
    data = _became(sources, _subscription("customer.subscription.updated", BY_HAND, **changed))
    assert data == ContractAmended(subscription="tenure_17", effective=date(2026, 11, 18))
    assert _is_ignored(sources, _subscription("customer.subscription.updated", BY_TENURE, **changed))
    assert _is_ignored(sources, _subscription("customer.subscription.updated", BY_ITSELF, **changed))
    renamed: dict[str, Any] = {"previous": {"description": None}}
    assert _is_ignored(sources, _subscription("customer.subscription.updated", BY_HAND, **renamed))


def test_a_subscription_that_bears_no_id_of_ours_is_known_by_stripes(sources: Sources) -> None:
    gone: dict[str, Any] = {"status": "canceled", "ended_at": CREATED, "metadata": {}}
    data = _became(sources, _subscription("customer.subscription.deleted", BY_HAND, **gone))
    assert isinstance(data, ContractEnded)
    assert data.subscription == "sub_1"


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        ("canceled", {"canceled_at": CREATED}, ContractEnded(subscription="tenure_17", ends=date(2026, 11, 18))),
        ("canceled", {"canceled_at": CREATED, "subscription": "sub_1"}, None),
        ("updated", {}, ContractAmended(subscription="tenure_17")),
        ("released", {}, ContractAmended(subscription="tenure_17")),
        ("updated", {"metadata": {}}, None),
        ("created", {}, None),
        ("completed", {}, None),
        ("expiring", {}, None),
        ("aborted", {}, None),
    ],
)
def test_a_schedule_that_somebody_touched_is_told(
    sources: Sources, kind: str, said: dict[str, Any], expected: EventData | None
) -> None:
    def event(request: dict[str, Any]) -> dict[str, Any]:
        fields = {"id": "sub_sched_1", "metadata": OURS, **said}
        return _event(f"subscription_schedule.{kind}", stripe.SubscriptionSchedule, request, **fields)

    if expected is None:
        assert _is_ignored(sources, event(BY_HAND))
    else:
        assert _became(sources, event(BY_HAND)) == expected
    assert _is_ignored(sources, event(BY_TENURE))
    assert _is_ignored(sources, event(BY_ITSELF))
