"""Dead letters and their cases: opened with the death, settled with the event."""

import json
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session, col, select, update

from store.cases import Cases, open_case
from store.database import Database, change
from store.dead_letters import OUTAGE_ATTEMPTS, cases_for_parked, put_back, resolve_moot, retry_due
from store.inbox import Inbox, mark_dead, mark_ignored, mark_parked, mark_routed, unpark
from store.tables import CaseRow, InboxRow, utc_now


@pytest.fixture
def inbox(database: Database) -> Inbox:
    return Inbox(database)


@pytest.fixture
def cases(database: Database) -> Cases:
    return Cases(database)


async def came(
    inbox: Inbox, event_id: str, type: str = "t", data: Any = None, *, source: str = "crm", **more: Any
) -> int:
    """An event in the inbox; returns its number."""
    body = {"specversion": "1.0", "id": event_id, "source": "/s", "type": type, "data": data or {}}
    body |= {"time": more["time"]} if "time" in more else {}
    assert await inbox.accept(source, event_id, type, more.get("subject", ""), json.dumps(body), dead=more.get("dead"))
    return max(row.id or 0 for row in await inbox.list())


async def state_of(inbox: Inbox, inbox_id: int) -> str:
    row = await inbox.get(inbox_id)
    assert row is not None
    return row.state


async def open_ids(cases: Cases) -> list[str]:
    return [case.id for case in await cases.list()]


async def test_a_dead_letter_and_its_case_are_one_write(database: Database, inbox: Inbox, cases: Cases) -> None:
    first = await came(inbox, "e1", "tenure.usage.reported.v1", {"account": "a1"}, subject="a1", dead="no seats")
    second = await came(inbox, "e2")

    def die(session: Session, *, fails: bool) -> None:
        mark_dead(session, second, "it is broken")
        if fails:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(lambda session: die(session, fails=True))
    assert await open_ids(cases) == [f"event:{first}"], "what is rolled back leaves no case"
    await database.write(lambda session: die(session, fails=False))
    one, other = await cases.list()
    assert (one.kind, one.problem, one.inbox_id, one.account, one.reasons) == (
        "dead_letter", "unusable", first, "a1", ["no seats"],
    )  # fmt: skip
    assert other.reasons == ["it is broken"]
    assert f"tenure cases edit event:{second}" in other.mend
    assert not await inbox.accept("crm", "e1", "t", "", "{}", dead="again")
    assert len(await cases.notes(f"event:{first}")) == 1, "the same event again is no attempt"


@pytest.mark.parametrize("mark", [mark_routed, lambda session, id: mark_ignored(session, id, "nobody's")])
async def test_it_is_settled_with_its_event_and_remembers_every_attempt(
    database: Database, inbox: Inbox, cases: Cases, mark: Any
) -> None:
    number = await came(inbox, "e1", dead="first")
    assert await inbox.replay(number, payload='{"mended": 1}')
    assert await open_ids(cases) == [f"event:{number}"], "it is a case until it is settled"
    await database.write(lambda session: mark_dead(session, number, "second"))
    [case] = await cases.list()
    assert case.reasons == ["second"]
    await inbox.replay(number)
    await database.write(lambda session: mark(session, number))
    assert await open_ids(cases) == []
    what = [note.what for note in await cases.notes(case.id)]
    assert what[:2] == ["could not be used: first", "could not be used: second"]
    assert what[2].startswith("resolved: ")
    row = await inbox.get(number)
    assert row is not None
    assert row.original is not None
    assert json.loads(row.original)["id"] == "e1", "what the source had sent is kept"


async def test_a_case_that_says_more_takes_its_place(database: Database, inbox: Inbox, cases: Cases) -> None:
    first, second = await came(inbox, "e1"), await came(inbox, "e2")

    def unlinked(session: Session, number: int) -> None:
        mark_dead(session, number, "linked to no contract", problem="unlinked")
        open_case(session, CaseRow(id="deal:d1", kind="unlinked_deal", title="x", inbox_id=number, problem="unlinked"))

    await database.write(lambda session: unlinked(session, first))
    assert await open_ids(cases) == ["deal:d1"]
    assert [note.what for note in await cases.notes("deal:d1")] == ["could not be used: linked to no contract"]
    await database.write(lambda session: unlinked(session, second))
    assert sorted(await open_ids(cases)) == ["deal:d1", f"event:{second}"], "each dead letter has one"
    await inbox.replay(first)
    await database.write(lambda session: mark_dead(session, first, "no lines"))
    assert sorted(await open_ids(cases)) == ["deal:d1", f"event:{second}"]
    await inbox.replay(first)
    await database.write(lambda session: mark_routed(session, first))
    assert await open_ids(cases) == [f"event:{second}"]


async def test_an_outage_is_retried_ever_more_seldom_and_not_for_ever(
    database: Database, inbox: Inbox, cases: Cases
) -> None:
    number, other = await came(inbox, "e1"), await came(inbox, "e2", dead="unusable, so nobody tries it")
    pauses = []
    for attempt in range(1, OUTAGE_ATTEMPTS + 2):
        await database.write(lambda session: mark_dead(session, number, "the CRM is away", problem="outage"))
        assert await database.write(retry_due) == 0, "its pause is not over"
        row = await inbox.get(number)
        assert row is not None
        if attempt <= OUTAGE_ATTEMPTS:
            pauses.append(row.next_try_at)
            over = update(InboxRow).where(col(InboxRow.id) == number).values(next_try_at=InboxRow.next_try_at - 3601)
            await database.write(partial(change, statement=over))
            assert await database.write(retry_due) == 1
            assert await state_of(inbox, number) == "received"
    row = await inbox.get(number)
    assert row is not None
    assert row.next_try_at == 0.0, "only a person now"
    assert await state_of(inbox, other) == "dead"
    apart = [round(later - earlier) for earlier, later in pairwise(pauses)]
    assert apart[:6] == [60, 120, 240, 480, 960, 1680], "growing, up to an hour"
    assert set(apart[6:]) == {0}
    [case] = [case for case in await cases.list() if case.inbox_id == number]
    assert "not tried again by itself" in case.reasons[1]
    assert len(await cases.notes(case.id)) == OUTAGE_ATTEMPTS + 1
    await inbox.replay(number)
    await database.write(lambda session: mark_dead(session, number, "away", problem="outage"))
    row = await inbox.get(number)
    assert row is not None
    assert row.next_try_at > 0, "after a person's try it is tried by itself again"


async def test_an_early_event_becomes_a_case_after_days_and_none_when_it_is_freed(
    database: Database, inbox: Inbox, cases: Cases
) -> None:
    old, new = await came(inbox, "e1", data={"account": "a1"}), await came(inbox, "e2")

    def park(session: Session) -> None:
        for number in (old, new):
            mark_parked(session, number, parked_for="crm:deal:d1")
        long_ago = utc_now() - timedelta(days=4)
        change(session, update(InboxRow).where(col(InboxRow.id) == old).values(received_at=long_ago))

    await database.write(park)
    assert await database.write(lambda session: cases_for_parked(session, timedelta(days=3))) == 1
    assert await database.write(lambda session: cases_for_parked(session, timedelta(days=3))) == 0
    [case] = await cases.list()
    assert (case.kind, case.problem, case.inbox_id, case.account) == ("early_event", "early", old, "a1")
    assert "still waits for crm:deal:d1" in case.title
    await inbox.replay(old)
    await database.write(lambda session: mark_parked(session, old, parked_for="crm:deal:d1"))
    assert await open_ids(cases) == [case.id], "it still waits"
    assert await database.write(lambda session: unpark(session, "crm:deal:d1")) == 2
    assert await open_ids(cases) == []


SUPPORT = "tenure.support_case.opened.v1"


async def test_a_later_event_that_was_used_makes_the_dead_letter_moot(
    database: Database, inbox: Inbox, cases: Cases
) -> None:
    dead = await came(inbox, "e1", SUPPORT, {"account": "a", "case": "c1", "version": 3}, dead="no severity")
    others = [
        await came(inbox, "e2", SUPPORT, {"account": "a", "case": "c2", "version": 3}, dead="another case"),
        await came(inbox, "e3", SUPPORT, {"account": "a", "case": "c1", "version": 9}, dead="newer than what comes"),
        await came(
            inbox, "e4", SUPPORT, {"account": "a", "case": "c1", "version": 3}, source="x", dead="another source"
        ),
        await came(inbox, "e5", "tenure.usage.reported.v1", {"account": "a"}, dead="something else"),
    ]
    closed = {"account": "a", "case": "c1", "version": 4, "severity": 1}
    later = await came(inbox, "e6", "tenure.support_case.closed.v1", closed)
    behind = await came(inbox, "e7", SUPPORT, {"account": "a", "case": "c1", "version": 1}, dead="it came later")

    def route(session: Session) -> int:
        mark_routed(session, later)
        return resolve_moot(session, session.get_one(InboxRow, later))

    assert await database.write(route) == 1
    assert await state_of(inbox, dead) == "ignored"
    assert sorted(await open_ids(cases)) == sorted(f"event:{number}" for number in (*others, behind))
    case = await cases.get(f"event:{dead}")
    assert case is not None
    assert case.resolution == f"event {later} told the same, later, and was used"
    assert not await database.write(lambda session: put_back(session, dead)), "it is over"
    assert await database.write(route) == 0


async def test_the_index_of_dead_letters_is_used(database: Database, inbox: Inbox) -> None:
    """Each routed event looks for dead letters: that must not read them all."""
    if not database.url.startswith("sqlite"):
        pytest.skip("the plan is read as SQLite tells it")
    await came(inbox, "e1", SUPPORT, dead="x")
    asked: list[str] = []

    def plan(session: Session) -> None:
        @event.listens_for(session.connection(), "before_cursor_execute", retval=False)
        def keep(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            asked.append(statement)

        row = InboxRow(id=99, source="crm", event_id="e9", type=SUPPORT, subject="", payload="{}")
        resolve_moot(session, row)
        looked = asked[0].replace("?", "1")
        found = [str(line) for line in session.connection().execute(text(f"EXPLAIN QUERY PLAN {looked}"))]
        assert any("ix_inbox_dead" in line for line in found), found

    await database.read(plan)
    assert (await database.read(lambda session: session.exec(select(InboxRow)).one())).state == "dead"
