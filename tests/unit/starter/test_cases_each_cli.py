"""`tenure cases each`: the same for all cases that a filter chooses, on a store of their own; it needs no Temporal."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from starter.cli import app
from starter.mistakes import Mistake
from starter.settings import Settings
from store.audit import AuditRow
from store.database import Database
from store.inbox import Inbox
from tests.stores import lay

TYPE = "tenure.milestone.completed.v1"


@pytest.fixture
def database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three dead letters, two of them from CS."""
    monkeypatch.setenv("TENURE_STATE_DIR", str(settings.state_path))
    monkeypatch.setenv("TENURE_CONFIG", str(Path(__file__).parents[3] / "tenure.toml"))
    monkeypatch.setenv("LOGNAME", "otto")
    settings.state_path.mkdir(parents=True)
    lay(settings.database_url)
    database = Database(settings.database_url)

    async def keep() -> None:
        for number, source in enumerate(("cs", "cs", "erp"), 1):
            text = json.dumps({"id": f"e{number}", "type": TYPE, "data": {}})
            await Inbox(database).accept(source, f"e{number}", TYPE, "s", text, dead="completed_on: missing")

    asyncio.run(keep())
    return database


def each(*words: str, code: int = 0, text: bool = False) -> Any:
    done = CliRunner().invoke(app, ["cases", "each", *words, *([] if text else ["--json"])], catch_exceptions=False)
    assert done.exit_code == code, done.stdout
    return done.stdout if text else json.loads(done.stdout)


def listed(*words: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["cases", "list", *words, "--json"], catch_exceptions=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)["cases"]
    return found


def test_a_filter_chooses_and_a_dry_run_shows_whom(database: Database) -> None:
    assert each("assign", "bob", "--source", "cs", "--dry-run") == {"cases": ["event:2", "event:1"], "found": 2}
    assert "2 cases would be chosen; nothing was done" in each("tag", "x", "--source", "cs", "--dry-run", text=True)
    first = each("retry", "--source", "cs", "--limit", "1", "--dry-run", text=True)
    assert "1 case (1 more is like this) would be chosen" in first
    assert [case["assignee"] for case in listed()] == [None] * 3
    assert each("assign", "bob", "--source", "cs")["cases"][0] == {
        "case": "event:2", "done": True, "message": "is bob's now",
    }  # fmt: skip
    each("tag", "late", "--assignee", "bob")
    assert {case["id"] for case in listed("--tag", "late")} == {"event:1", "event:2"}
    each("tag", "late", "--remove", "--tagged", "late", "--limit", "1")
    assert {case["id"] for case in listed("--tag", "late")} == {"event:1"}
    assert "2 of 2 cases done" in each("assign", "--nobody", "--assignee", "bob", text=True)


def test_they_are_closed_and_each_is_in_the_trail(database: Database) -> None:
    assert len(each("resolve", "--kind", "dead_letter", "--reason", "sent twice")["cases"]) == 3
    assert listed() == []
    assert {case["resolution"] for case in listed("--state", "resolved")} == {"sent twice (otto)"}
    lines = database.read_sync(lambda session: session.exec(select(AuditRow)).all())
    told = {(line.subject, line.outcome, line.reason) for line in lines if line.subject.startswith("event:")}
    assert told == {(f"event:{n}", way, "sent twice") for n in (1, 2, 3) for way in ("begun", "done")}


def test_what_one_refuses_holds_up_no_other(database: Database) -> None:
    each("retry", "--source", "erp")
    done = each("resolve", "--all", "--reason", "old", code=1)["cases"]
    assert {line["case"]: line["done"] for line in done} == {"event:1": True, "event:2": True, "event:3": False}
    assert "being tried at this moment" in next(line["message"] for line in done if not line["done"])


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("assign", "bob"), "choose cases by --kind"),
        (("retry", "--all", "--source", "cs"), "choose cases by --kind"),
        (("resolve", "--all", "--reason", " "), "resolved for a reason"),
        (("tag", "a b", "--all"), "'a b' is no tag"),
        (("assign", "bob", "--nobody", "--all"), "name one person"),
    ],
)
def test_a_mistake_is_one_line(database: Database, words: tuple[str, ...], mistake: str) -> None:
    with pytest.raises(Mistake, match=mistake):
        each(*words)
