"""`tenure cases` and `tenure replay` on a store of their own; they need no Temporal."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from starter.cli import app
from starter.mistakes import Mistake
from starter.settings import Settings
from store.database import Database
from store.inbox import Inbox
from tests.stores import lay

Tenure = Callable[..., Any]
BROKEN: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/s",
    "type": "tenure.milestone.completed.v1",
    "data": {"contract": "crm/006/1", "milestone": "go-live", "email": "ann@hooli.example", "x[0]": 1},
}


async def keep(inbox: Inbox) -> None:
    await inbox.accept("cs", "e1", BROKEN["type"], "s", json.dumps(BROKEN), dead="completed_on: missing")


@pytest.fixture
def tenure(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tenure:
    """Runs a command on a store with one dead letter; answers its JSON, or its text."""
    root = Path(__file__).parents[3]
    monkeypatch.setenv("TENURE_STATE_DIR", str(settings.state_path))
    monkeypatch.setenv("TENURE_CONFIG", str(root / "tenure.toml"))
    settings.state_path.mkdir(parents=True)
    lay(settings.database_url)
    database = Database(settings.database_url)
    inbox = Inbox(database)
    asyncio.run(keep(inbox))
    database.close()

    def run(*words: str, text: bool = False) -> Any:
        command = typer.main.get_command(app)
        words = words if text else (*words, "--json")
        code = command.main(list(words), standalone_mode=False, prog_name="tenure")
        assert code in (0, None)
        out = capsys.readouterr().out
        return out if text else json.loads(out)

    return run


def test_a_case_is_listed_shown_and_handed_on(tenure: Tenure) -> None:
    [case] = tenure("cases", "list")["cases"]
    assert (case["id"], case["contract"], case["problem"]) == ("event:1", "crm/006/1", "unusable")
    assert tenure("cases", "assign", "1", "bob")["assignee"] == "bob"
    assert tenure("cases", "tag", "1", "urgent", "cs")["tags"] == ["urgent", "cs"]
    assert tenure("cases", "note", "event:1", "asked them")["id"] == "event:1"
    assert tenure("cases", "snooze", "event:1", "--for", "2d")["snoozed_until"] is not None
    assert tenure("cases", "list") == {"groups": [], "cases": []}
    assert len(tenure("cases", "list", "--snoozed", "--assignee", "bob", "--tag", "cs")["cases"]) == 1
    assert tenure("cases", "snooze", "event:1", "--wake")["snoozed_until"] is None
    assert tenure("cases", "snooze", "event:1", "--until", "2199-01-01")["snoozed_until"].startswith("2199-01-01")
    assert tenure("cases", "assign", "1", "--nobody")["assignee"] is None
    shown = tenure("cases", "show", "1")
    assert shown["event"]["payload"]["data"]["email"] == "•••"
    assert [line["what"] for line in shown["history"]][:2] == [
        "could not be used: completed_on: missing",
        "assigned to bob",
    ]


def test_people_read_texts(tenure: Tenure) -> None:
    assert "tenure.milestone.completed.v1 s from cs" in tenure("cases", "list", text=True)
    shown = tenure("cases", "show", "1", text=True)
    assert "mend it: tenure cases edit event:1" in shown
    assert '"x[0]": 1' in shown, "brackets are no markup"
    assert "ann@hooli.example" not in shown
    assert "event:1 is nobody's now" in tenure("cases", "assign", "1", "--nobody", text=True)
    assert "no case" in tenure("cases", "list", "--kind", "dead_letter", "--tag", "x", text=True)
    for what, known in (("kind", "dead_letter"), ("problem", "unusable"), ("source", "cs"), ("assignee", "none")):
        told = tenure("cases", "list", f"--{what}", "x", text=True)
        assert told == f"no case has the {what} 'x'; cases have: {known}\n"
    assert "0 events of 0 contracts would be delivered again, 1 that were" in tenure("replay", "--dry-run", text=True)


def test_an_event_is_mended_and_then_resolved(tenure: Tenure, tmp_path: Path) -> None:
    assert tenure("cases", "edit", "event:1", "--set", "data.completed_on=2026-12-24") == {"inbox_id": 1}
    file = tmp_path / "event.json"
    file.write_text(json.dumps({**BROKEN, "data": {**BROKEN["data"], "completed_on": "2026-12-25"}}))
    assert tenure("cases", "edit", "1", "--payload", str(file)) == {"inbox_id": 1}
    assert tenure("cases", "show", "1")["event"]["edited"]
    resolved = tenure("cases", "resolve", "1", "--reason", "done by hand")
    assert (resolved["state"], resolved["resolution"].startswith("done by hand (")) == ("resolved", True)
    with pytest.raises(Mistake, match="resolved already"):
        tenure("cases", "retry", "1")
    assert tenure("replay")["routed_anew"] == 0, "what a person put away is not brought back"


def test_replay_counts_what_it_chose(tenure: Tenure) -> None:
    nothing = {"deliveries": 0, "contracts": 0, "routed_anew": 0, "dry_run": True}
    assert tenure("replay", "--since", "2020-01-01", "--source", "cs", "--dry-run") == {**nothing, "routed_anew": 1}
    assert tenure("replay", "--since", "10m", "--dry-run") == {**nothing, "routed_anew": 1}
    assert tenure("replay", "--since", "10m") == {**nothing, "routed_anew": 1, "dry_run": False}
    assert tenure("replay", "--since", "10m") == {**nothing, "dry_run": False}, "it is on its way"
    with pytest.raises(Mistake, match="nothing to retry"):
        tenure("cases", "retry", "1")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("cases", "show", "nope"), "unknown case 'nope'; `tenure cases list`"),
        (("cases", "list", "--state", "x"), "unknown state 'x'; known: open, resolved, all"),
        (("cases", "edit", "1"), "give either --payload FILE, or --set"),
        (("cases", "edit", "1", "--set", "nonsense"), "is not an assignment"),
        (("cases", "edit", "1", "--set", "data.completed_on=soon"), "still be of no use"),
        (("cases", "edit", "1", "--payload", "no-such-file"), "no-such-file: No such file"),
        (("cases", "edit", "1", "--payload", "."), "directory"),
        (("cases", "resolve", "1", "--reason", " "), "for a reason"),
        (("cases", "assign", "1", "bob", "--nobody"), "name one person"),
        (("cases", "assign", "1", "a\nb"), "name one person"),
        (("cases", "tag", "1", "two words"), "is no tag"),
        (("cases", "note", "1", " "), "says nothing"),
        (("cases", "snooze", "1"), "give one of --until MOMENT, --for LENGTH, --wake"),
        (("cases", "snooze", "1", "--for", "2d", "--wake"), "give one of"),
        (("cases", "snooze", "1", "--for", "soon"), "is not a length of time"),
        (("cases", "snooze", "1", "--for", "0s"), "is over"),
        (("cases", "snooze", "1", "--until", "tomorrow"), "is not a moment"),
        (("cases", "snooze", "1", "--until", "2199-01-01T10:00"), "names no time zone"),
        (("cases", "snooze", "1", "--until", "0001-01-01T00:00+14:00"), "can't be reckoned with"),
        (("cases", "snooze", "1", "--until", "2020-01-01"), "is over"),
        (("replay", "--since", "yesterday"), "is not a moment"),
        (("replay", "--since", "2199-01-01"), "still to come"),
        (("replay", "--source", "nobody"), "no event ever came from 'nobody'; known: cs"),
        (("replay", "--contract", "crm/unknown"), "unknown contract"),
    ],
)
def test_a_mistake_is_one_line(tenure: Tenure, words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Mistake, match=reason) as mistake:
        tenure(*words, text=True)
    assert "\n" not in str(mistake.value)
    assert len(tenure("cases", "show", "1")["history"]) == 1, "and nothing was changed"


def test_ages_ago_is_no_traceback(tenure: Tenure) -> None:
    assert tenure("replay", "--since", f"{'9' * 30}w", "--dry-run")["routed_anew"] == 1
    with pytest.raises(Mistake, match="is not a moment"):
        tenure("replay", "--since", "9" * 5000)
