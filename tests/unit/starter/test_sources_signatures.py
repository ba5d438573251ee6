"""Every preset against a sender that follows the vendor's published recipe: what is taken, and what is refused."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from starter.settings import Settings, load_settings
from tests.senders import FOREIGN, NEW, OLD, SIGN, Gate, hubspot, open_gate, standard, stripe

CONNECTION = {"standard": "cs", "stripe": "erp", "hubspot": "crm", "zendesk": "support"}
CONFIGURED = "\n".join(
    f"""
    [webhooks.{preset}]
    preset = "{preset}"
    connection = "{connection}"
    secrets = [{{ value = "{NEW}" }}, {{ value = "{OLD}" }}]
    """
    for preset, connection in CONNECTION.items()
)
PRESETS = sorted(SIGN)
EVENT: dict[str, Any] = {
    "standard": {"specversion": "1.0", "id": "e1", "source": "/cs", "type": "tenure.task.overdue.v1", "data": {}},
    "stripe": {"id": "evt_1", "type": "customer.created", "created": 1763629000, "data": {"object": {}}},
    "hubspot": [{"eventId": 1, "subscriptionType": "contact.creation", "objectId": 7, "occurredAt": 1763629000000}],
    "zendesk": {"id": "z1", "type": "zen:event-type:ticket.comment_added", "time": "2026-11-20T09:14:03Z"},
}


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Settings:
    file = tmp_path / "tenure.toml"
    file.write_text(CONFIGURED)
    return load_settings(file, state_dir=settings.state_dir)


@pytest.fixture
async def gate(configured: Settings) -> AsyncIterator[Gate]:
    async with open_gate(configured) as gate:
        yield gate


async def refused(gate: Gate, source: str, headers: dict[str, str], reason: str, body: bytes | None = None) -> None:
    answer = await gate.post(source, body or json.dumps(EVENT[source]).encode(), headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert await gate.rows() == []
    counted = f'tenure_webhooks_refused_total{{reason="{reason}",source="{source}"}} 1.0'
    assert counted in (await gate.client.get("/metrics")).text


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_message_signed_by_the_recipe_is_taken(gate: Gate, preset: str) -> None:
    answer = await gate.send(preset, EVENT[preset])
    assert answer.status_code == 202
    assert (await gate.row()).source == preset


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_both_secrets_are_good_while_one_replaces_the_other(gate: Gate, preset: str, secret: str) -> None:
    assert (await gate.send(preset, EVENT[preset], secret=secret)).status_code == 202


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_foreign_secret_is_refused(gate: Gate, preset: str) -> None:
    body = json.dumps(EVENT[preset]).encode()
    await refused(gate, preset, SIGN[preset](body, FOREIGN, time.time()), "wrong_signature")


@pytest.mark.parametrize("preset", PRESETS)
async def test_a_changed_body_is_refused(gate: Gate, preset: str) -> None:
    body = json.dumps(EVENT[preset]).encode()
    await refused(gate, preset, SIGN[preset](body, NEW, time.time()), "wrong_signature", body + b" ")


@pytest.mark.parametrize("preset", PRESETS)
async def test_each_header_is_needed(gate: Gate, preset: str) -> None:
    body = json.dumps(EVENT[preset]).encode()
    headers = SIGN[preset](body, NEW, time.time())
    await refused(gate, preset, {}, "missing_signature")
    for name in headers:
        answer = await gate.post(preset, body, {key: value for key, value in headers.items() if key != name})
        assert answer.status_code == 401


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seconds", [-310, 310])
async def test_too_old_and_from_the_future_are_refused(gate: Gate, preset: str, seconds: int) -> None:
    headers = SIGN[preset](json.dumps(EVENT[preset]).encode(), NEW, time.time() + seconds)
    await refused(gate, preset, headers, "outside_tolerance")


@pytest.mark.parametrize("preset", PRESETS)
async def test_five_minutes_are_tolerated(gate: Gate, preset: str) -> None:
    assert (await gate.send(preset, EVENT[preset], at=time.time() - 280)).status_code == 202


async def test_hubspot_tolerates_no_stamp_from_the_future(gate: Gate) -> None:
    headers = hubspot(json.dumps(EVENT["hubspot"]).encode(), NEW, time.time() + 20)
    await refused(gate, "hubspot", headers, "outside_tolerance")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("stamp", ["", "soon", "nan", "inf", "-1", "９９", "1" * 400, "2026-13-01T00:00:00Z"])
async def test_a_stamp_that_is_none_is_refused(gate: Gate, preset: str, stamp: str) -> None:
    body = json.dumps(EVENT[preset]).encode()
    headers = SIGN[preset](body, NEW, time.time())
    name = next(name for name in headers if name.lower().endswith("timestamp") or preset == "stripe")
    first, _, rest = headers[name].partition(",")
    mutated = f"t={stamp},{rest}" if preset == "stripe" else stamp if first else ""
    sent = {key.encode(): value.encode() for key, value in {**headers, name: mutated}.items()}
    answer = await gate.client.post(f"/webhooks/{preset}", content=body, headers=sent)
    assert answer.status_code == 401
    assert await gate.rows() == []


async def test_any_of_several_signatures_is_enough(gate: Gate) -> None:
    """Stripe and Standard Webhooks sign with both secrets while one replaces the other."""
    body, now = json.dumps(EVENT["stripe"]).encode(), time.time()
    foreign, own = (stripe(body, secret, now)["Stripe-Signature"] for secret in (FOREIGN, OLD))
    both = {"Stripe-Signature": f"{foreign},{own.partition(',')[2]}"}
    assert (await gate.post("stripe", body, both)).status_code == 202
    body = json.dumps(EVENT["standard"]).encode()
    foreign, own = (standard(body, secret, now)["webhook-signature"] for secret in (FOREIGN, OLD))
    both = standard(body, FOREIGN, now) | {"webhook-signature": f"{foreign} {own}"}
    assert (await gate.post("standard", body, both)).status_code == 202


async def test_hubspot_signs_the_address_that_it_knows(configured: Settings) -> None:
    """Behind a proxy the request's own address is another; the query is part of what is signed."""
    source = configured.webhooks["hubspot"].model_copy(update={"url": "https://hooks.acme.example/hubspot"})
    behind = configured.model_copy(update={"webhooks": {"hubspot": source}})
    body = json.dumps(EVENT["hubspot"]).encode()
    async with open_gate(behind) as gate:
        assert (await gate.send("hubspot", body)).status_code == 401
        headers = hubspot(body, NEW, time.time(), url="https://hooks.acme.example/hubspot?portal=3")
        answer = await gate.client.post("/webhooks/hubspot?portal=3", content=body, headers=headers)
        assert answer.status_code == 202
        answer = await gate.client.post("/webhooks/hubspot?portal=4", content=body, headers=headers)
        assert answer.status_code == 401


async def test_hubspot_signs_some_characters_of_the_query_as_they_are(gate: Gate) -> None:
    body = json.dumps(EVENT["hubspot"]).encode()
    signed = "http://gateway/webhooks/hubspot?back=https://acme.example/a%20b"
    headers = hubspot(body, NEW, time.time(), url=signed)
    path = "/webhooks/hubspot?back=https%3A%2F%2facme.example%2Fa%20b"
    assert (await gate.client.post(path, content=body, headers=headers)).status_code == 202
    path = "/webhooks/hubspot?back=https%3A%2F%2fevil.example%2Fa%20b"
    assert (await gate.client.post(path, content=body, headers=headers)).status_code == 401


async def test_a_token_is_compared_whole(settings: Settings, tmp_path: Path) -> None:
    """Gainsight, Planhat and Vitally sign nothing: a secret in a header is all there is."""
    file = tmp_path / "tenure.toml"
    file.write_text("""
        [webhooks.vitally]
        connection = "cs"
        secrets = [{ value = "s3cret" }, { value = "0ld" }]
        signature = { kind = "token", header = "Authorization", prefix = "Bearer " }
        types = [{ type = "*", ignore = true }]
        """)
    async with open_gate(load_settings(file, state_dir=settings.state_dir)) as gate:
        body = b'{"id": "v1", "type": "nps"}'
        for value in ("Bearer s3cre", "Bearer s3crets", "s3cret", "Bearer ", "", "bearer s3cret"):
            assert (await gate.post("vitally", body, {"Authorization": value})).status_code == 401
        assert (await gate.post("vitally", body, {})).status_code == 401
        assert await gate.rows() == []
        assert (await gate.post("vitally", body, {"Authorization": "Bearer s3cret"})).json()["status"] == "ignored"
        assert (await gate.post("vitally", body, {"Authorization": "Bearer 0ld"})).json()["status"] == "duplicate"
