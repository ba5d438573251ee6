"""A source that nobody foresaw, by configuration alone; and what a mistake in it says."""

import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.events import InvoiceOverdue
from starter.settings import Settings, SettingsError, load_settings
from starter.sources.reading import Hint, Sources, Unreadable, Usable
from tests.senders import Gate, open_gate

SECRET = "new secret"
ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def readme_source() -> str:
    blocks: list[str] = re.findall(r"```toml\n(\[webhooks\.ledgerly\].*?)```", README, flags=re.DOTALL)
    assert len(blocks) == 1
    return blocks[0]


def configured_with(settings: Settings, tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "tenure.toml"
    file.write_text(text)
    return load_settings(file, state_dir=settings.state_dir)


@pytest.fixture
def ledgerly(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TENURE_SECRET_LEDGERLY", "old secret")
    monkeypatch.setenv("TENURE_SECRET_LEDGERLY_NEXT", "new secret")
    return configured_with(settings, tmp_path, readme_source())


@pytest.fixture
async def gate(ledgerly: Settings) -> AsyncIterator[Gate]:
    async with open_gate(ledgerly) as gate:
        yield gate


def bill(**changes: Any) -> dict[str, Any]:
    bill = {"number": "B-7", "agreement": "sub-17", "debtor": "D1", "cents": 123450, "due": "2026-11-19T23:30:00Z"}
    return {"uid": "u1", "revision": 1, "kind": "bill.late", "at": "2026-11-20T08:00:00Z", "bill": bill} | changes


def signed(body: bytes, secret: str = SECRET, seconds: float = 0) -> dict[str, str]:
    stamp = str(int((time.time() + seconds) * 1000))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Ledgerly-Signature": f"sha256={digest}", "X-Ledgerly-Time": stamp}


async def test_the_readmes_source_works_as_it_stands_there(gate: Gate, ledgerly: Settings) -> None:
    body = json.dumps({"tenant": "t1", "events": [bill(), bill(uid="u2", kind="bill.sent")]}).encode()
    answer = await gate.post("ledgerly", body, signed(body))
    assert [each["status"] for each in answer.json()["events"]] == ["accepted", "ignored"]
    first, _ = await gate.rows()
    assert (first.state, first.type, first.event_id) == ("received", "tenure.invoice.overdue.v1", "u1/1")
    assert json.loads(first.payload) == {"tenant": "t1"} | bill(), "what is stored is the source's own event"
    reading = Sources(ledgerly).read(first.source, first.payload)
    assert isinstance(reading, Usable)
    assert reading.event.data == InvoiceOverdue(
        invoice="B-7",
        subscription="sub-17",
        version=1795161600000,
        customer="D1",
        amount=Decimal("1234.50"),
        currency="EUR",
        due_on=date(2026, 11, 20),
    ), "half past eleven at night in London is tomorrow in Berlin"


async def test_the_readmes_source_refuses_what_its_recipe_refuses(gate: Gate) -> None:
    body = json.dumps({"events": [bill()]}).encode()
    for headers in (
        signed(body, "another secret"),
        signed(body + b" "),
        signed(body, seconds=-130),
        signed(body, seconds=130),
        {**signed(body), "X-Ledgerly-Signature": signed(body)["X-Ledgerly-Signature"].removeprefix("sha256=")},
    ):
        assert (await gate.post("ledgerly", body, headers)).status_code == 401
    assert await gate.rows() == []
    assert (await gate.post("ledgerly", body, signed(body, "old secret"))).json()["status"] == "accepted"


async def test_a_mended_mapping_mends_what_is_stored(gate: Gate, settings: Settings, tmp_path: Path) -> None:
    body = json.dumps({"events": [bill(kind="bill.very_late"), bill(uid="u2", kind="dunning.begun")]}).encode()
    answer = await gate.post("ledgerly", body, signed(body))
    assert [each["status"] for each in answer.json()["events"]] == ["ignored", "dead_letter"]
    _, dead = await gate.rows()
    assert (dead.state, dead.problem, dead.type) == ("dead", "unknown_type", "dunning.begun")
    assert "no rule in webhooks.ledgerly.types is for the type 'dunning.begun'" in dead.reason
    mended = readme_source().replace('type = "bill.late"', 'type = ["bill.late", "dunning.begun"]')
    reading = Sources(configured_with(settings, tmp_path, mended)).read(dead.source, dead.payload)
    assert isinstance(reading, Usable)
    assert reading.event.type == "tenure.invoice.overdue.v1"


@pytest.mark.parametrize(
    ("event", "problem", "reason"),
    [
        (bill(bill={"number": "B-7"}), "broken_contract", "due_on: Field required"),
        (bill(bill={"number": ["B-7"]}), "broken_mapping", "bill.number holds no single value"),
        (bill(kind=None), "unknown_type", "it has no type"),
        ("just text", "unknown_type", "it has no type"),
    ],
)
async def test_what_does_not_fit_is_kept_with_its_reason(gate: Gate, event: Any, problem: str, reason: str) -> None:
    body = json.dumps({"events": [event, bill(uid="good")]}).encode()
    answer = await gate.post("ledgerly", body, signed(body))
    assert [each["status"] for each in answer.json()["events"]] == ["dead_letter", "accepted"]
    dead, _ = await gate.rows()
    assert (dead.state, dead.problem) == ("dead", problem)
    assert reason in dead.reason


@pytest.mark.parametrize("body", [b"{}", b'{"events": 7}', b"[]", b'"text"'])
async def test_a_body_without_the_array_is_a_dead_letter(gate: Gate, body: bytes) -> None:
    assert (await gate.post("ledgerly", body, signed(body))).json()["status"] == "dead_letter"
    row = await gate.row()
    assert (row.problem, row.payload) == ("broken_shape", body.decode())
    assert (await gate.post("ledgerly", body, signed(body))).json()["status"] == "duplicate"


async def test_more_events_than_a_transaction_should_hold_are_refused(gate: Gate) -> None:
    body = json.dumps({"events": [0] * 1001}).encode()
    answer = await gate.post("ledgerly", body, signed(body))
    assert answer.status_code == 413
    assert await gate.rows() == []


async def test_one_change_event_may_name_many_records(settings: Settings, tmp_path: Path) -> None:
    """As Salesforce's do: each record is a hint of its own, and takes along what stands around it."""
    configured = configured_with(
        settings,
        tmp_path,
        """
        [webhooks.salesforce]
        connection = "crm"
        secrets = [{ value = "s3cret" }]
        each = "ChangeEventHeader.recordIds[].{record: @}"
        keep = "{replay: replayId, change: ChangeEventHeader.changeType}"
        type = "change"
        dedupe = ["replay", "record"]
        signature = { kind = "token", header = "X-Token" }
        types = [{ type = "GAP_*", ignore = true }, { type = "*", hint = "deal", record = "record" }]
        """,
    )
    change = {"replayId": 17, "ChangeEventHeader": {"changeType": "UPDATE", "recordIds": ["006A", "006B", "006A"]}}
    async with open_gate(configured) as gate:
        answer = await gate.post("salesforce", json.dumps(change).encode(), {"X-Token": "s3cret"})
        assert [each["status"] for each in answer.json()["events"]] == ["hint", "hint", "duplicate"]
        rows = await gate.rows()
        assert [(row.event_id, row.subject) for row in rows] == [("17/006A", "006A"), ("17/006B", "006B")]
        reading = [Sources(configured).read(row.source, row.payload) for row in rows]
        assert reading == [Hint("deal", "006A"), Hint("deal", "006B")]


def test_a_name_that_is_no_source_speaks_cloudevents(ledgerly: Settings) -> None:
    data = {"invoice": "i", "subscription": "s", "version": 1}
    body = {"specversion": "1.0", "id": "1", "source": "/tenure/cli", "type": "tenure.invoice.voided.v1", "data": data}
    reading = Sources(ledgerly).read("cli", json.dumps(body))
    assert isinstance(reading, Usable)
    assert reading.event.type == "tenure.invoice.voided.v1"
    for payload, problem in (("{", "broken_shape"), ("[]", "broken_contract"), ('{"type": "x"}', "unknown_type")):
        with pytest.raises(Unreadable) as caught:
            Sources(ledgerly).read("cli", payload)
        assert caught.value.problem == problem


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ('signs = "{t}.{body}"', 'signs = "{t}"', "webhooks.ledgerly.signature: signs: without {body}"),
        ('signs = "{t}.{body}"', 'signs = "{body}"', "a stamp that is not signed proves nothing"),
        ('signs = "{t}.{body}"', 'signs = "{time}.{body}"', "no such placeholder: time"),
        ('signs = "{t}.{body}"', 'signs = "{id}{t}{body}"', "{id} needs `id`"),
        ('prefix = "sha256="', 'form = "pairs"', "`part` belongs to the forms pairs and list"),
        ('prefix = "sha256="', 'encoding = "base32"', "webhooks.ledgerly.signature.encoding: "),
        ('header = "X-Ledgerly-Time", ', "", "webhooks.ledgerly.signature.stamp: name exactly one of header, part"),
        ('id = "uid"', 'id = "uid["', "webhooks.ledgerly.id: 'uid[' is not a JMESPath expression"),
        ('id = "uid"', 'id = "upper(uid)"', "there is no function upper"),
        ('id = "uid"', 'ident = "uid"', "webhooks.ledgerly.ident: no such setting"),
        ('each = "events"', "", "`keep` belongs to `each`"),
        ("tenure.invoice.overdue.v1", "tenure.invoice.late.v1", "becomes: 'tenure.invoice.late.v1' is no event"),
        ("tenure.invoice.overdue.v1", "tenure.lifecycle.ended.v1", "is no event that can be received"),
        ("due_on = {", "paid_on = {", "types.0.data: tenure.invoice.overdue.v1 needs due_on"),
        ('customer = "bill.debtor"', 'debtor = "bill.debtor"', "fields: no event of `types` has debtor"),
        ("ignore = true", "", "types[1]: name exactly one of becomes, hint, ignore = true"),
        ("ignore = true", 'hint = "deal"', "`record` belongs to `hint"),
        ("ignore = true", 'hint = "deal"\nrecord = "x"', "hints are read back from a CRM, and its kind is erp"),
        ('connection = "erp"', 'connection = "erp"\npreset = "github"', "webhooks.ledgerly.preset: "),
    ],
)
def test_a_mistake_is_one_line_with_the_key(
    settings: Settings, tmp_path: Path, was: str, becomes: str, says: str
) -> None:
    assert was in readme_source()
    with pytest.raises(SettingsError) as caught:
        configured_with(settings, tmp_path, readme_source().replace(was, becomes))
    message = str(caught.value)
    assert says in message
    assert "webhooks.ledgerly" in message
    assert len(message.splitlines()) == 1
