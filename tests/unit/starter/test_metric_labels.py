"""Metrics tell how much there is, never of whom: no customer, price, text or secret is a label, whatever came in."""

import hashlib
import hmac
import json
import re
from decimal import Decimal
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import Session

from domain.access.within import amount
from domain.call_times import Calls, CallTimes
from starter.gateway import create_app
from starter.metrics import StoreCollector
from starter.settings import Settings
from store.board import BoardRow
from store.call_times import SqlCallTimes
from store.database import Database
from store.difference_tables import DifferenceRow
from store.inbox import Inbox, mark_dead
from store.leaks import LeakRow
from store.outgoing import relay
from store.tables import CaseRow, LifecycleRow, LifecycleViewRow, OutgoingRow, utc_now
from tests.stores import lay

WORD = "hooli-zz"
"""In every name, text, id and payload that comes from outside."""
PRICE = "4711.11"
LABELS = {
    "clock", "connection", "feed", "kind", "le", "outcome", "owner", "problem", "reason", "source", "stage", "state",
    "subscriber",
}  # fmt: skip
"""Each is a word of ours, or a name of the configuration."""


def fill(session: Session) -> None:
    session.add(
        LifecycleRow(
            contract=f"crm/{WORD}/1", tenant="acme", account=WORD, deal=WORD, selling_entity="ACME-DE", workflow_id=WORD
        )
    )
    session.add(
        LifecycleViewRow(
            contract=f"crm/{WORD}/1", run_started=utc_now(), sequence=1, stage="serving", account=WORD,
            needs_attention=True, view={"customer": WORD},
        )
    )  # fmt: skip
    board = BoardRow(contract=f"crm/{WORD}/1", customer=WORD, stage="serving", needs=f"{WORD} owes {PRICE} EUR")
    board.annual = int(Decimal(PRICE) * 10_000)
    session.add(board)
    text: Any = {
        "title": f"{WORD} owes {PRICE} EUR",
        "reasons": [WORD],
        "tags": [WORD],
        "assignee": WORD,
        "account": WORD,
    }
    session.add(CaseRow(id=f"{WORD}:k", kind="dead_letter", contract=f"crm/{WORD}/1", **text))
    session.add(
        DifferenceRow(
            id="diff-1", kind="erp_price", klass="amount", system="erp", owner="finance", contract=f"crm/{WORD}/1",
            sentence=f"it costs {amount(PRICE)}", theirs=PRICE, subject=WORD, account=WORD,
        )
    )  # fmt: skip
    same: Any = {"contract": f"crm/{WORD}/1", "account": WORD, "line": WORD, "product": WORD}
    days: Any = dict.fromkeys(("since", "found_on", "counted_on"), utc_now().date())
    session.add(LeakRow(id=WORD, kind="not_started", currency="EUR", sentence=WORD, amount=PRICE, **days, **same))
    event: Any = {"event_id": WORD, "contract": f"crm/{WORD}/1", "type": f"t.{WORD}", "body": {"x": WORD}}
    session.add(OutgoingRow(**event, created_at=1.0))
    session.flush()
    relay(session, {"warehouse": ("*",)})


async def test_no_label_names_a_customer_a_price_or_a_secret(settings: Settings) -> None:
    settings.state_path.mkdir(parents=True, exist_ok=True)
    lay(settings.database_url)
    database = Database(settings.database_url)
    await Inbox(database).accept("crm", f"id-{WORD}", f"type.{WORD}", WORD, json.dumps({"name": WORD, "x": PRICE}))
    await database.write(lambda session: mark_dead(session, 1, f"{WORD} can't be read"))
    await database.write(fill)
    slow = CallTimes()
    slow.add(0.2, failed=False)
    await SqlCallTimes(database).add({"erp": slow}, {(f"crm/{WORD}/1", "erp"): Calls(1, 0)})
    collector = StoreCollector(database, ["warehouse"], ["erp"])
    app = create_app(settings, Inbox(database), collector=collector)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        for source in ("crm", f"{WORD}", f'x"{WORD}'):
            await client.post(f"/webhooks/{source}", content=f'{{"name": "{WORD}"}}')
            signed = {"webhook-id": WORD, "webhook-timestamp": "1", "webhook-signature": f"v1,{_signature(WORD)}"}
            await client.post(f"/webhooks/{source}", content=WORD, headers=signed)
        text = (await client.get("/metrics")).text
    database.close()
    assert WORD not in text
    assert PRICE not in text
    assert not [each for each in _secrets(settings) if each in text]
    families = list(text_string_to_metric_families(text))
    samples: list[Any] = [sample for family in families for sample in family.samples]
    assert {"tenure_differences", "tenure_open_cases", "tenure_outgoing_pending"} <= {each.name for each in samples}
    assert {name for each in samples for name in each.labels} <= LABELS
    assert [v for each in samples for v in each.labels.values() if not re.fullmatch(r"[\w.+-]{1,40}", v)] == []


def _signature(text: str) -> str:
    return hmac.new(b"not the secret", text.encode(), hashlib.sha256).hexdigest()


def _secrets(settings: Settings) -> list[str]:
    """What lies in the stack's folder for secrets, and what the configuration holds."""
    return [file.read_text().strip() for file in (settings.state_path / "secrets").glob("*") if file.is_file()]
