"""The command line asks who may do what, masks what must not be seen, and keeps the trail: it needs no Temporal."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from domain.access.within import amount
from starter.cli import app
from starter.cli.permissions import NEEDED, OPEN
from starter.mistakes import Mistake
from starter.settings import Settings
from store.database import Database
from store.difference_tables import DifferenceRow
from store.inbox import Inbox
from store.tables import LifecycleRow
from store.tokens import Tokens
from tests.stores import lay

Tenure = Callable[..., Any]
EVENT = {"specversion": "1.0", "id": "e1", "type": "tenure.milestone.completed.v1", "data": {"contract": "crm/1/1"}}
PEOPLE = {
    "cora": {"roles": ["csm"]},
    "fin": {"roles": ["finance"]},
    "otto": {"roles": ["operations"]},
    "ida": {"roles": ["auditor"]},
    "boss": {"roles": ["admin"]},
    "gerda": {"roles": ["operations"], "regions": ["emea"]},
}


TICKET = {
    "specversion": "1.0",
    "id": "t1",
    "type": "tenure.support_case.opened.v1",
    "data": {"account": "a", "subject": "my printer burns", "requester": {"iban": "DE89370400440532013000"}},
}


async def fill(database: Database) -> None:
    text = json.dumps(EVENT)
    await Inbox(database).accept("cs", "e1", str(EVENT["type"]), "s", text, dead="completed_on: missing")
    await Inbox(database).accept("support", "t1", str(TICKET["type"]), "", json.dumps(TICKET), dead="case: missing")
    life = LifecycleRow(
        contract="crm/1/1", tenant="acme", account="a", deal="1", selling_entity="ACME-US", workflow_id="w"
    )
    await database.write(lambda session: session.add(life))


@pytest.fixture
def store(settings: Settings) -> Iterator[Database]:
    settings.state_path.mkdir(parents=True)
    lay(settings.database_url)
    database = Database(settings.database_url)
    asyncio.run(fill(database))
    yield database
    database.close()


@pytest.fixture
def tenure(
    settings: Settings, store: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tenure:
    """`tenure("cora", "cases", "list")`: a command as somebody gives it; answers its JSON."""
    monkeypatch.setenv("TENURE_STATE_DIR", str(settings.state_path))
    monkeypatch.setenv("TENURE_CONFIG", str(Path(__file__).parents[3] / "tenure.toml"))
    monkeypatch.setenv("TENURE_ACCESS__MODE", "policy")
    monkeypatch.setenv("TENURE_ACCESS__PEOPLE", json.dumps(PEOPLE))
    monkeypatch.setenv("TENURE_ACCESS__REGIONS", json.dumps({"emea": ["ACME-DE"]}))

    def run(who: str, *words: str, text: bool = False) -> Any:
        monkeypatch.setenv("LOGNAME", who)
        command = typer.main.get_command(app)
        code = command.main([*words, *([] if text else ["--json"])], standalone_mode=False, prog_name="tenure")
        assert code in (0, None)
        out = capsys.readouterr().out
        return out if text else json.loads(out)

    return run


def trail(tenure: Tenure, **wanted: str) -> list[dict[str, Any]]:
    words = [word for name, value in wanted.items() for word in (f"--{name}", value)]
    lines: list[dict[str, Any]] = tenure("ida", "audit", *words)["lines"]
    return [line for line in lines if line["permission"] != "audit.read"]


def test_every_command_says_what_it_needs() -> None:
    assert names(typer.main.get_command(app)) == {*NEEDED, *OPEN}


def names(command: Any, above: str = "") -> set[str]:
    inside = getattr(command, "commands", None)
    if inside is None:
        return {above.strip()}
    own = {above.strip()} if above and command.invoke_without_command else set()
    return own.union(*(names(each, f"{above}{name} ") for name, each in inside.items()))


def test_a_command_is_in_the_trail_with_who_and_why(tenure: Tenure) -> None:
    tenure("otto", "cases", "resolve", "event:1", "--reason", "sent twice")
    done, begun = trail(tenure, actor="otto")
    assert [line["outcome"] for line in (begun, done)] == ["begun", "done"]
    assert begun["request"] == done["request"]
    assert (done["permission"], done["subject"], done["reason"]) == ("case.resolve", "event:1", "sent twice")
    assert (done["roles"], done["way"], done["kind"]) == ("operations", "cli", "command")


def test_who_may_not_is_told_so_and_nothing_is_done(tenure: Tenure) -> None:
    with pytest.raises(Mistake, match=r"case.retry is not allowed for fin, who has the roles finance"):
        tenure("fin", "cases", "retry", "event:1")
    with pytest.raises(Mistake, match="no role"):
        tenure("stranger", "cases", "list")
    assert [(line["actor"], line["outcome"]) for line in trail(tenure)] == [("stranger", "denied"), ("fin", "denied")]
    assert [case["state"] for case in tenure("otto", "cases", "list")["cases"]] == ["open"] * 2


def test_what_was_refused_or_failed_is_in_the_trail_too(tenure: Tenure) -> None:
    with pytest.raises(Mistake):
        tenure("otto", "cases", "retry", "no-such-case")
    failed, _ = trail(tenure, actor="otto")
    assert failed["outcome"] == "failed"
    assert "unknown case" in failed["detail"]


def test_the_trail_is_not_asked_for_what_can_not_be_in_it(tenure: Tenure) -> None:
    for words in (("--kind", "write"), ("--outcome", "fine"), ("--permission", "case.rtry")):
        with pytest.raises(Mistake, match=f"unknown {words[0][2:]} '{words[1]}'; known: "):
            tenure("ida", "audit", *words)


def test_a_payload_is_seen_by_who_may_see_it_and_the_trail_says_so(tenure: Tenure) -> None:
    assert tenure("otto", "cases", "show", "event:1")["event"]["payload"]["data"] == {"contract": "crm/1/1"}
    [line] = trail(tenure, actor="otto")
    assert (line["permission"], line["subject"], line["shown"]) == ("case.read", "event:1", "payload")
    masked = tenure("fin", "cases", "show", "event:1")
    assert (masked["event"], masked["masked"]) == (None, ["event", "support_texts"])
    assert "crm/1/1" not in json.dumps(masked["event"])
    as_text = tenure("fin", "cases", "show", "event:1", text=True)
    assert '"event": null' in as_text, "a text can't be masked"
    assert trail(tenure, actor="fin") == [], "what shows nothing sensitive needs no line"


def test_what_a_customer_wrote_to_support_is_for_csms_alone(tenure: Tenure) -> None:
    for who in ("otto", "fin", "ida"):
        assert "printer" not in json.dumps(tenure(who, "cases", "show", "event:2"))
    shown = tenure("cora", "cases", "show", "event:2")
    assert (shown["support_texts"], shown["event"]) == ({"data.subject": "my printer burns"}, None)
    [line] = trail(tenure, actor="cora")
    assert line["shown"] == "support_text"
    event = tenure("otto", "event", "2")
    assert (event["payload"]["data"]["account"], event["payload"]["data"]["subject"]) == ("a", "•••")
    assert event["support_texts"] is None


def test_bank_details_leave_by_no_door(tenure: Tenure) -> None:
    for words in (("event", "2"), ("cases", "show", "event:2"), ("cases", "list"), ("notices",), ("audit",)):
        assert "DE8937" not in json.dumps(tenure("boss", *words)), words


def test_a_price_within_a_difference_is_for_who_sees_amounts(tenure: Tenure, store: Database) -> None:
    row = DifferenceRow(
        id="diff-price", kind="erp_price", klass="amount", system="erp", owner="finance", contract="crm/1/1",
        sentence=f"line 1 costs {amount('77.10')} a unit in the ERP", theirs=amount("77.10"),
    )  # fmt: skip
    asyncio.run(store.write(lambda session: session.add(row)))
    for words in (("reconcile", "list"), ("reconcile", "show", "diff-price")):
        assert "77.10" not in tenure("otto", *words, text=True)
        assert "•••" in json.dumps(tenure("otto", *words), ensure_ascii=False)
        known = tenure("fin", *words, text=True)
        assert "77.10" in known
        assert "⟨" not in known
    assert trail(tenure, actor="fin")[0]["shown"] == "amount"


def test_an_export_shows_everything_or_nothing(tenure: Tenure) -> None:
    with pytest.raises(Mistake, match="does not see amount"):
        tenure("otto", "export", "--all", text=True)
    [line] = trail(tenure, actor="otto")
    assert (line["permission"], line["outcome"]) == ("export.read", "denied")


def test_a_region_is_all_that_somebody_finds(tenure: Tenure) -> None:
    assert tenure("gerda", "cases", "list")["cases"] == []
    with pytest.raises(Mistake, match="unknown case"):
        tenure("gerda", "cases", "show", "event:1")
    with pytest.raises(Mistake, match=r"event.replay is not allowed"):
        tenure("gerda", "replay", "--contract", "crm/1/1", "--dry-run")
    assert tenure("otto", "replay", "--contract", "crm/1/1", "--dry-run")["dry_run"]


def test_without_a_policy_everybody_is_an_admin_and_the_trail_is_kept(
    tenure: Tenure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_ACCESS__MODE", "demo")
    tenure("whoever", "cases", "note", "event:1", "asked them")
    assert [line["outcome"] for line in trail(tenure, actor="whoever")] == ["done", "begun"]


def test_a_token_is_shown_once_listed_and_revoked(tenure: Tenure, store: Database) -> None:
    made = tenure(
        "boss", "tokens", "create", "warehouse", "--role", "finance", "--scope", "export.read", "--for", "30d"
    )
    assert asyncio.run(Tokens(store).check(made["token"])) is not None
    [listed] = tenure("boss", "tokens")
    assert (listed["name"], listed["roles"], listed["scopes"]) == ("warehouse", ["finance"], ["export.read"])
    assert made["token"] not in json.dumps(listed)
    assert "hashed" not in listed
    tenure("boss", "tokens", "revoke", made["id"])
    assert asyncio.run(Tokens(store).check(made["token"])) is None
    assert tenure("boss", "tokens") == []
    assert [row["id"] for row in tenure("boss", "tokens", "--all")] == [made["id"]]
    assert made["token"] not in json.dumps(trail(tenure))
    with pytest.raises(Mistake, match="no token of this id"):
        tenure("boss", "tokens", "revoke", "nothing")


@pytest.mark.parametrize(
    ("words", "mistake"),
    [
        (("--role", "boss", "--scope", "case.read"), "unknown role 'boss'"),
        (("--role", "csm", "--scope", "case.reads"), "names no permission"),
        (("--role", "csm", "--scope", "audit.read"), "could do nothing"),
        (("--role", "csm", "--scope", "case.read", "--region", "mars"), "unknown region 'mars'"),
        (("--role", "csm", "--scope", "case.read", "--for", "400d"), "at most 366 days"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(tenure: Tenure, words: tuple[str, ...], mistake: str) -> None:
    with pytest.raises(Mistake, match=mistake):
        tenure("boss", "tokens", "create", "x", *words)
