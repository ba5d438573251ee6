"""What django-helpdesk's webhooks become by the configuration that its README shows."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.events.support import SupportCase
from starter.settings import Settings, load_settings
from starter.sources.reading import Ignored, Sources, Usable
from tests.contract.helpdesk_readme import shown
from tests.senders import Gate, open_gate

SECRET = base64.b64encode(b"desk:correct horse").decode()

OPENED, CHANGED, CLOSED = (f"tenure.support_case.{each}.v1" for each in ("opened", "severity_changed", "closed"))


def message(followup: int | None = None, *, account: str | None = "001", **ticket: Any) -> dict[str, Any]:
    """As release 2.6.1 sends it: the ticket as the API shows it, and the follow-up that told of it."""
    history = {
        "id": followup or 40, "ticket": 12, "user": 1, "title": "Ticket Opened", "comment": "It does not load.",
        "public": True, "new_status": None, "time_spent": None, "followupattachment_set": [],
        "date": "2026-11-26T17:11:36.497346Z", "message_id": None, "email_recipients": [],
    }  # fmt: skip
    whole = {
        "id": 12, "queue": 1, "title": "It does not load", "description": "It does not load.", "resolution": None,
        "submitter_email": "", "assigned_to": None, "status": 1, "on_hold": False, "priority": 1, "due_date": None,
        "merged_to": None, "followup_set": [history], "custom_account": account,
    }  # fmt: skip
    sent: dict[str, Any] = {"ticket": whole | ticket, "queue_slug": "support"}
    return sent if followup is None else sent | {"followup_id": followup}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TENURE_SECRET_HELPDESK_HOOK", SECRET)
    file = tmp_path / "tenure.toml"
    file.write_text(shown("webhooks.helpdesk"))
    return load_settings(file, state_dir=tmp_path / "state")


@pytest.fixture
def sources(configured: Settings) -> Sources:
    return Sources(configured)


@pytest.fixture
async def gate(configured: Settings) -> AsyncIterator[Gate]:
    async with open_gate(configured) as gate:
        yield gate


@pytest.mark.parametrize(
    ("sent", "becomes", "severity", "version"),
    [
        (message(), OPENED, 1, 0),
        (message(41), CHANGED, 1, 41),
        (message(42, priority=3), CHANGED, 3, 42),
        (message(43, priority=5), CHANGED, 4, 43),
        (message(44, status=3), CLOSED, 1, 44),
        (message(45, status=4), CLOSED, 1, 45),
        (message(46, status=5), CLOSED, 1, 46),
        (message(47, status=2), OPENED, 1, 47),
    ],
)
def test_a_message_is_a_snapshot_of_its_case(
    sources: Sources, sent: dict[str, Any], becomes: str, severity: int, version: int
) -> None:
    read = sources.read("helpdesk", json.dumps(sent))
    assert isinstance(read, Usable)
    assert read.event.type == becomes
    case = read.event.data
    assert isinstance(case, SupportCase)
    assert (case.account, case.case, case.severity, case.version) == ("001", "12", severity, version)


@pytest.mark.parametrize("account", [None, ""])
def test_a_ticket_of_nobody_is_ignored(sources: Sources, account: str | None) -> None:
    assert isinstance(sources.read("helpdesk", json.dumps(message(account=account))), Ignored)


async def test_the_password_in_the_address_lets_it_in_and_nothing_else_does(gate: Gate) -> None:
    body = json.dumps(message()).encode()
    wrong = base64.b64encode(b"desk:wrong").decode()
    for refused in ({}, {"Authorization": f"Basic {wrong}"}, {"Authorization": SECRET}, {"Authorization": "Basic "}):
        assert (await gate.post("helpdesk", body, refused)).status_code == 401
    assert await gate.rows() == []
    assert (await gate.post("helpdesk", body, {"Authorization": f"Basic {SECRET}"})).status_code == 202
    assert (await gate.row()).type == OPENED


async def test_what_is_sent_again_is_taken_once_and_a_follow_up_is_another(gate: Gate) -> None:
    sent = [message(), message(41), message(41), message(), message(42), message(id=13)]
    for each in sent:
        answer = await gate.post("helpdesk", json.dumps(each).encode(), {"Authorization": f"Basic {SECRET}"})
        assert answer.status_code == 202
    assert [row.event_id for row in await gate.rows()] == ["12/", "12/41", "12/42", "13/"]


async def test_a_status_that_nobody_declared_is_kept_for_a_person(gate: Gate) -> None:
    await gate.post("helpdesk", json.dumps(message(41, status=9)).encode(), {"Authorization": f"Basic {SECRET}"})
    row = await gate.row()
    assert (row.state, row.problem) == ("dead", "unknown_type")
