"""What the events of Stripe, HubSpot and Zendesk become, from payloads as the vendors document them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.events import InvoiceOverdue, InvoicePaid, InvoicePosted, PaymentFailed, SupportCaseOpened
from domain.events.base import EventData
from starter.settings import Settings, load_settings
from starter.sources.reading import Hint, Ignored, Sources, Unreadable, Usable
from tests.senders import NEW, Gate, open_gate

CONFIGURED = f"""
[webhooks.stripe]
preset = "stripe"
connection = "erp"
secrets = [{{ value = "{NEW}" }}]

[webhooks.hubspot]
preset = "hubspot"
connection = "crm"
secrets = [{{ value = "{NEW}" }}]

[webhooks.zendesk]
preset = "zendesk"
connection = "support"
secrets = [{{ value = "{NEW}" }}]
"""

INVOICE: dict[str, Any] = {
    "id": "in_1Q",
    "object": "invoice",
    "amount_due": 150000,
    "attempt_count": 2,
    "created": 1763629000,
    "currency": "eur",
    "customer": "cus_9",
    "due_date": 1766221000,
    "metadata": {},
    "parent": {
        "type": "subscription_details",
        "subscription_details": {"metadata": {"erp_subscription": "sub-17"}, "subscription": "sub_S"},
    },
    "status": "open",
    "status_transitions": {"finalized_at": 1763629100, "paid_at": None, "voided_at": None},
}


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "tenure.toml"
    file.write_text(CONFIGURED)
    return load_settings(file, state_dir=settings.state_dir)


@pytest.fixture
def sources(configured: Settings) -> Sources:
    return Sources(configured)


@pytest.fixture
async def gate(configured: Settings) -> AsyncIterator[Gate]:
    async with open_gate(configured) as gate:
        yield gate


def stripe_event(kind: str, changed: dict[str, Any] | None = None, /, **invoice: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"object": INVOICE | invoice}
    if changed is not None:
        data["previous_attributes"] = changed
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1763630000, "data": data}


def hubspot_event(**changes: Any) -> dict[str, Any]:
    return {
        "eventId": 1, "subscriptionId": 2, "portalId": 3, "appId": 4, "occurredAt": 1763629000000,
        "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 33108462948,
        "propertyName": "dealstage", "propertyValue": "closedwon", "changeSource": "CRM_UI", "sourceId": "userId:1",
    } | changes  # fmt: skip


def zendesk_event(kind: str, event: dict[str, Any] | None = None, /, **detail: Any) -> dict[str, Any]:
    ticket = {"id": "5158", "organization_id": "9", "priority": "URGENT", "status": "OPEN", "subject": "It is down"}
    return {
        "type": f"zen:event-type:ticket.{kind}", "account_id": 123, "id": "2b24ef10", "time": "2026-11-20T05:33:18Z",
        "zendesk_event_version": "2022-11-06", "subject": "zen:ticket:5158", "detail": ticket | detail,
        "event": event or {},
    }  # fmt: skip


def became(sources: Sources, source: str, event: dict[str, Any]) -> EventData:
    reading = sources.read(source, json.dumps(event))
    assert isinstance(reading, Usable)
    return reading.event.data


def test_stripe_finalised_is_posted_in_units_and_on_days(sources: Sources) -> None:
    reading = sources.read("stripe", json.dumps(stripe_event("invoice.finalized")))
    assert isinstance(reading, Usable)
    assert reading.event.id == "evt_1"
    assert reading.event.time == datetime.fromtimestamp(1763630000, UTC)
    assert reading.event.data == InvoicePosted(
        invoice="in_1Q",
        subscription="sub-17",
        version=1763630000000,
        customer="cus_9",
        amount=Decimal("1500"),
        currency="EUR",
        due_on=date(2025, 12, 20),
    )


@pytest.mark.parametrize(
    ("currency", "minor", "amount"),
    [("eur", 150005, "1500.05"), ("JPY", 150005, "150005"), ("kwd", 150005, "150.005"), ("usd", 0, "0")],
)
def test_stripe_minor_units_depend_on_the_currency(sources: Sources, currency: str, minor: int, amount: str) -> None:
    data = became(sources, "stripe", stripe_event("invoice.overdue", currency=currency, amount_due=minor))
    assert isinstance(data, InvoiceOverdue)
    assert (data.amount, data.currency) == (Decimal(amount), currency.upper())


@pytest.mark.parametrize(
    ("shape", "subscription"),
    [
        ({"metadata": {"erp_subscription": "of the invoice"}}, "of the invoice"),
        ({"parent": {"subscription_details": {"subscription": "sub_S", "metadata": {}}}}, "sub_S"),
        ({"parent": {"subscription_details": {"subscription": {"id": "sub_X"}, "metadata": None}}}, "sub_X"),
        ({"parent": None, "subscription_details": {"metadata": {"erp_subscription": "older"}}}, "older"),
        ({"parent": None, "subscription": "sub_old"}, "sub_old"),
    ],
)
def test_stripe_names_the_subscription_in_each_version_of_its_api(
    sources: Sources, shape: dict[str, Any], subscription: str
) -> None:
    data = became(sources, "stripe", stripe_event("invoice.finalized", **shape))
    assert isinstance(data, InvoicePosted)
    assert data.subscription == subscription


def test_stripe_paid_and_failed_name_the_payment(sources: Sources) -> None:
    paid_at = {"status_transitions": {"paid_at": 1763700000}}
    paid = became(sources, "stripe", stripe_event("invoice.paid", payment_intent="pi_1", **paid_at))
    assert isinstance(paid, InvoicePaid)
    assert (paid.payment, paid.paid_on) == ("pi_1", date(2025, 11, 21))
    expanded = {"payments": {"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_2"}}]}}
    paid = became(sources, "stripe", stripe_event("invoice.paid", **expanded))
    assert isinstance(paid, InvoicePaid)
    assert paid.payment == "pi_2"
    failed = became(sources, "stripe", stripe_event("invoice.payment_failed"))
    assert isinstance(failed, PaymentFailed)
    assert failed.payment == "in_1Q#2"


def test_stripe_charged_automatically_is_due_when_it_is_final(sources: Sources) -> None:
    data = became(sources, "stripe", stripe_event("invoice.finalized", due_date=None))
    assert isinstance(data, InvoicePosted)
    assert data.due_on == date(2025, 11, 20)


@pytest.mark.parametrize(
    ("event", "type"),
    [
        (stripe_event("invoice.voided"), "tenure.invoice.voided.v1"),
        (stripe_event("invoice.marked_uncollectible"), "tenure.invoice.written_off.v1"),
        (stripe_event("invoice.updated", {"due_date": 1}), "tenure.invoice.due_date_changed.v1"),
        (
            {
                "id": "evt_2",
                "type": "charge.dispute.created",
                "created": 1763630000,
                "data": {
                    "object": {
                        "id": "du_1", "charge": "ch_1", "reason": "fraudulent", "status": "needs_response",
                        "metadata": {"invoice": "in_1Q", "erp_subscription": "sub-17"},
                    }
                },
            },
            "tenure.invoice.disputed.v1",
        ),
    ],
)  # fmt: skip
def test_stripe_types_have_their_counterparts(sources: Sources, event: dict[str, Any], type: str) -> None:
    assert became(sources, "stripe", event).type == type


@pytest.mark.parametrize("event", [stripe_event("invoice.updated", {"footer": None}), stripe_event("customer.created")])
def test_stripe_says_much_that_concerns_no_lifecycle(sources: Sources, event: dict[str, Any]) -> None:
    assert isinstance(sources.read("stripe", json.dumps(event)), Ignored)


def test_a_dispute_without_an_invoice_is_for_a_person(sources: Sources) -> None:
    event = {"id": "evt_2", "type": "charge.dispute.created", "created": 1, "data": {"object": {"charge": "ch_1"}}}
    with pytest.raises(Unreadable, match="has a `when` that holds") as caught:
        sources.read("stripe", json.dumps(event))
    assert caught.value.problem == "unknown_type"


@pytest.mark.parametrize(
    ("event", "record"),
    [
        (hubspot_event(), "33108462948"),
        (hubspot_event(subscriptionType="object.propertyChange", objectTypeId="0-3"), "33108462948"),
        (hubspot_event(subscriptionType="deal.merge", newObjectId=5, primaryObjectId=6), "5"),
    ],
)
async def test_hubspot_hints_at_the_deal_to_read_back(gate: Gate, event: dict[str, Any], record: str) -> None:
    assert (await gate.send("hubspot", [event])).json()["status"] == "hint"
    row = await gate.row()
    assert (row.state, row.type, row.subject) == ("hint", "hint.deal", record)
    assert json.loads(row.payload) == event


async def test_hubspot_sends_arrays_with_ids_that_are_not_unique(gate: Gate, sources: Sources) -> None:
    """One eventId for two deals is two events; a repeated delivery of either is none, whatever it is packed with."""
    first, second = hubspot_event(), hubspot_event(objectId=44)
    company = hubspot_event(subscriptionType="company.propertyChange", objectId=9)
    answer = await gate.send("hubspot", [first, second, company])
    assert [each["status"] for each in answer.json()["events"]] == ["hint", "hint", "ignored"]
    again = await gate.send("hubspot", [hubspot_event(attemptNumber=1), hubspot_event(propertyValue="closedlost")])
    assert [each["status"] for each in again.json()["events"]] == ["duplicate", "hint"]
    rows = await gate.rows()
    assert [row.subject for row in rows] == ["33108462948", "44", "9", "33108462948"]
    assert [sources.read(row.source, row.payload) for row in rows[:2]] == [
        Hint("deal", "33108462948"),
        Hint("deal", "44"),
    ]


@pytest.mark.parametrize(
    ("event", "type", "severity"),
    [
        (zendesk_event("created"), "opened", 1),
        (zendesk_event("created", priority=None), "opened", 3),
        (zendesk_event("priority_changed", priority="LOW"), "severity_changed", 4),
        (zendesk_event("status_changed", {"previous": "OPEN", "current": "SOLVED"}), "closed", 1),
        (zendesk_event("status_changed", {"previous": "SOLVED", "current": "OPEN"}), "opened", 1),
        (zendesk_event("soft_deleted"), "closed", 1),
    ],
)
def test_zendesk_tickets_are_support_cases(sources: Sources, event: dict[str, Any], type: str, severity: int) -> None:
    data = became(sources, "zendesk", event)
    assert data.type == f"tenure.support_case.{type}.v1"
    assert data.model_dump() == {"account": "9", "case": "5158", "severity": severity, "version": 1795152798000}


@pytest.mark.parametrize(
    "event",
    [
        zendesk_event("status_changed", {"previous": "NEW", "current": "PENDING"}),
        zendesk_event("priority_changed", status="CLOSED"),
        zendesk_event("comment_added"),
    ],
)
def test_zendesk_says_much_that_changes_no_severity(sources: Sources, event: dict[str, Any]) -> None:
    assert isinstance(sources.read("zendesk", json.dumps(event)), Ignored)


async def test_a_mapping_that_breaks_on_an_event_keeps_it_and_logs_nothing_of_it(
    gate: Gate, capfd: pytest.CaptureFixture[str]
) -> None:
    event = stripe_event("invoice.updated")
    event["data"]["previous_attributes"] = "0xCAFE"
    assert (await gate.send("stripe", event)).json()["status"] == "dead_letter"
    row = await gate.row()
    assert (row.problem, row.type, json.loads(row.payload)) == ("broken_mapping", "invoice.updated", event)
    assert "0xCAFE" in row.reason
    written = "".join(capfd.readouterr())
    assert "broken_mapping" in written
    assert "0xCAFE" not in written


async def test_zendesk_may_send_nothing_at_all(gate: Gate) -> None:
    answer = await gate.send("zendesk", b"")
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "events": []})
    assert (await gate.send("stripe", b"")).status_code == 400
    assert await gate.rows() == []


def test_what_is_written_lies_over_the_preset(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "tenure.toml"
    file.write_text(
        CONFIGURED
        + """
[webhooks.zendesk.fields]
account = "detail.tags[?starts_with(@, 'crm_')] | [0]"

[[webhooks.zendesk.types]]
type = "zen:event-type:ticket.created"
when = "detail.via.channel == 'spam'"
ignore = true
"""
    )
    sources = Sources(load_settings(file, state_dir=settings.state_dir))
    tagged = zendesk_event("created", tags=["vip", "crm_001"])
    data = became(sources, "zendesk", tagged)
    assert isinstance(data, SupportCaseOpened)
    assert (data.account, data.severity) == ("crm_001", 1)
    assert isinstance(sources.read("zendesk", json.dumps(zendesk_event("created", via={"channel": "spam"}))), Ignored)
