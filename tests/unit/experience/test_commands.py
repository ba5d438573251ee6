"""Commands over HTTP: once by their key, refused with a reason, and told to the trail."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import select, update

from domain.view import LifecycleView, Stage
from store.cases import Cases
from store.commands import CommandRow
from store.dead_letters import bury
from store.difference_tables import DifferenceRow
from store.inbox import Inbox
from store.tables import CaseRow, InboxRow
from tests.experience import Experience

CONTRACT = "crm/K-1/1"


async def a_case(experience: Experience, name: str = "the-case", **fields: Any) -> str:
    row = CaseRow(id=name, title="twice there", **{"kind": "duplicate", **fields})
    await experience.database.write(lambda session: session.add(row))
    return name


async def notes(experience: Experience, case: str) -> list[str]:
    return [note.what for note in await Cases(experience.database).notes(case)]


async def test_a_command_acts_once_by_its_key(experience: Experience) -> None:
    case = await a_case(experience)
    first = await experience.post(f"/cases/{case}/note", {"text": "looked at"}, key="one")
    again = await experience.post(f"/cases/{case}/note", {"text": "looked at"}, key="one")
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
    assert again.json()["message"] == first.json()["message"]
    assert await notes(experience, case) == ["looked at"]
    await experience.post(f"/cases/{case}/note", {"text": "looked at"}, key="two")
    assert await notes(experience, case) == ["looked at"] * 2


async def test_a_key_that_was_given_to_another_command_is_refused(experience: Experience) -> None:
    case = await a_case(experience)
    await experience.post(f"/cases/{case}/note", {"text": "one"}, key="same")
    other = await experience.post(f"/cases/{case}/note", {"text": "another"}, key="same")
    assert (other.status_code, other.json()["detail"]) == (422, "this Idempotency-Key was given to another command")
    assert await notes(experience, case) == ["one"]


async def test_a_command_needs_a_key(experience: Experience) -> None:
    answer = await experience.http.post("/api/v1/cases/x/note", json={"text": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "header.Idempotency-Key: Field required")


async def test_the_same_command_many_times_at_once_acts_once(experience: Experience) -> None:
    case = await a_case(experience)
    answers = await asyncio.gather(
        *(experience.post(f"/cases/{case}/note", {"text": "at once"}, key="race") for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert await notes(experience, case) == ["at once"]


async def test_what_has_acted_and_died_before_its_answer_does_not_act_again(experience: Experience) -> None:
    case = await a_case(experience)
    await experience.post(f"/cases/{case}/note", {"text": "once"}, key="died")
    lost = update(CommandRow).values(state="acted", answer=None)
    await experience.database.write(lambda session: session.connection().execute(lost))
    again = await experience.post(f"/cases/{case}/note", {"text": "once"}, key="died")
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert await notes(experience, case) == ["once"]


async def test_what_died_before_it_acted_is_taken_over_when_its_lease_is_over(experience: Experience) -> None:
    case = await a_case(experience)
    await experience.post(f"/cases/{case}/note", {"text": "late"}, key="stale")
    begun = update(CommandRow).values(state="begun", answer=None, lease_until=4e9)
    await experience.database.write(lambda session: session.connection().execute(begun))
    busy = await experience.post(f"/cases/{case}/note", {"text": "late"}, key="stale")
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "2")
    over = update(CommandRow).values(lease_until=0.0)
    await experience.database.write(lambda session: session.connection().execute(over))
    assert (await experience.post(f"/cases/{case}/note", {"text": "late"}, key="stale")).status_code == 200
    assert await notes(experience, case) == ["late"] * 2


async def test_a_refusal_leaves_the_key_free(experience: Experience) -> None:
    early = await experience.post("/cases/comes-later/note", {"text": "hello"}, key="free")
    assert early.status_code == 404
    case = await a_case(experience, "comes-later")
    assert (await experience.post(f"/cases/{case}/note", {"text": "hello"}, key="free")).status_code == 200


async def test_where_nobody_answers_the_same_key_asks_again_at_once(experience: Experience) -> None:
    await experience.publish(LifecycleView(contract=CONTRACT, stage=Stage.SERVING, account="ACC-K"))
    for _ in range(2):
        answer = await experience.post(f"/renewals/{CONTRACT}/decision", {"kind": "renew"}, key="nobody")
        assert (answer.status_code, "does not answer" in answer.json()["detail"]) == (504, True)


async def test_people_work_on_a_case(experience: Experience) -> None:
    case = await a_case(experience)
    later = datetime.now(UTC) + timedelta(days=1)
    for way, body in {
        "assign": {"to": "maria"},
        "tag": {"tags": ["tax", "emea"]},
        "snooze": {"until": later.isoformat()},
        "note": {"text": "asked the customer"},
    }.items():
        assert (await experience.post(f"/cases/{case}/{way}", body)).status_code == 200, way
    found = await experience.get(f"/cases/{case}")
    assert (found["case"]["assignee"], found["case"]["tags"]) == ("maria", ["tax", "emea"])
    assert [note["by"] for note in found["history"]] == ["demo"] * 4
    assert (await experience.get("/cases"))["items"] == []
    done = await experience.post(f"/cases/{case}/resolve", {"reason": "removed the duplicate"})
    assert (done.status_code, done.json()["message"]) == (200, "it is resolved")
    assert (await experience.get(f"/cases/{case}"))["resolution"] == "removed the duplicate (demo)"
    twice = await experience.post(f"/cases/{case}/resolve", {"reason": "again"})
    assert (twice.status_code, "resolved already" in twice.json()["detail"]) == (422, True)


async def test_several_cases_are_worked_on_each_with_its_own_answer(experience: Experience) -> None:
    names = [await a_case(experience, f"crm/MANY-{n}/1:k") for n in range(3)]
    wanted = {"cases": [*names, "unknown"], "to": "maria"}
    done = await experience.post("/cases/assign", wanted, key="many")
    assert (done.status_code, done.json()["message"]) == (200, "3 of 4 done")
    lines = done.json()["cases"]
    assert [(line["case"], line["done"]) for line in lines] == [*((name, True) for name in names), ("unknown", False)]
    assert "unknown case" in lines[-1]["message"]
    again = await experience.post("/cases/assign", wanted, key="many")
    assert (again.json()["repeated"], again.json()["cases"]) == (True, lines)
    assert [note async for note in each_note(experience, names)] == ["assigned to maria"] * 3
    assert (await experience.post("/cases/tag", {"cases": names[:2], "tags": ["tax"]})).json()[
        "message"
    ] == "2 of 2 done"
    closed = await experience.post("/cases/resolve", {"cases": names[:1], "reason": "sent twice"})
    assert closed.json()["cases"][0]["message"] == "it is resolved"
    trail = (await experience.get("/audit", about=names[0], permission="case.resolve"))["items"]
    assert [(line["outcome"], line["reason"]) for line in trail] == [("done", "sent twice"), ("begun", "sent twice")]
    none = await experience.post("/cases/retry", {"cases": names[:1]})
    assert (none.json()["cases"][0]["done"], "resolved already" in none.json()["cases"][0]["message"]) == (False, True)
    doubt = await a_case(experience, "crm/MANY-9/1:readiness-note", kind="in_doubt")
    doubted = (await experience.post("/cases/retry", {"cases": [doubt]})).json()["cases"][0]
    assert (doubted["done"], "look outside" in doubted["message"]) == (False, True)
    bodies: list[dict[str, Any]] = [{"cases": []}, {"cases": ["x"] * 201}, {"cases": names, "mine": 1}]
    for bad in bodies:
        assert (await experience.post("/cases/retry", bad)).status_code == 422


async def test_what_broke_off_between_several_cases_goes_on_with_the_rest(experience: Experience) -> None:
    names = [await a_case(experience, f"crm/BROKE-{n}/1:k") for n in range(2)]
    wanted = {"cases": names, "tags": ["tax"]}
    await experience.post("/cases/tag", wanted, key="broke")

    def as_if_it_died(session: Any) -> None:
        """When both were done, and the whole was not."""
        [whole] = [row for row in session.exec(select(CommandRow)) if "cases" in row.answer]
        whole.state, whole.answer, whole.lease_until = "begun", None, 0.0

    await experience.database.write(as_if_it_died)
    assert (await experience.post("/cases/tag", wanted, key="broke")).json()["message"] == "2 of 2 done"
    assert [note async for note in each_note(experience, names)] == ["tagged tax"] * 2


async def each_note(experience: Experience, cases: list[str]) -> AsyncIterator[str]:
    for case in cases:
        for what in await notes(experience, case):
            yield what


async def test_a_bad_event_is_mended_and_goes_on(experience: Experience) -> None:
    body = '{"specversion": "1.0", "id": "e1", "source": "x", "type": "tenure.milestone.completed.v1", "data": {}}'
    await Inbox(experience.database).accept("cli", "e1", "tenure.milestone.completed.v1", "", body)

    def die(session: Any) -> int:
        row = session.exec(select(InboxRow)).one()
        bury(session, row.id, "no contract", "unusable")
        return int(row.id)

    number = await experience.database.write(die)
    data = {"contract": "crm/E-1/1", "milestone": "go-live", "completed_on": "2027-01-31"}
    fixes = {f"data.{name}": value for name, value in data.items()}
    edited = await experience.post(f"/cases/event:{number}/edit", {"fixes": fixes})
    assert (edited.status_code, edited.json()["event"]) == (200, number), edited.text
    again = await experience.post(f"/cases/event:{number}/retry", {})
    assert (again.status_code, again.json()["message"]) == (200, f"event {number} is put back in")
    row = await experience.database.read(lambda session: session.exec(select(InboxRow)).one())
    assert row.state == "received"


async def test_a_difference_is_left_for_a_reason_until_a_day(experience: Experience) -> None:
    row = DifferenceRow(
        id="diff-left", kind="erp.quantity", klass="quantity", system="erp", owner="finance", sentence="50, not 75"
    )
    await experience.database.write(lambda session: session.add(row))
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    path, body = "/reconciliation/differences/diff-left/ignore", {"reason": "credit agreed", "until": tomorrow}
    assert (await experience.post(path, body | {"until": "2020-01-01"})).status_code == 422
    left = await experience.post(path, body)
    assert (left.status_code, left.json()["message"]) == (200, f"it is left until {tomorrow}"), left.text
    found = await experience.get("/reconciliation/differences/diff-left")
    assert (found["difference"]["status"], found["difference"]["reason"]) == ("ignored", "credit agreed")
    assert [note["by"] for note in found["history"]] == ["demo"]
    assert (await experience.get("/reconciliation/differences"))["items"] == []
    assert len((await experience.get("/reconciliation/differences", status="any"))["items"]) == 1


async def test_a_repair_needs_the_outside_systems(experience: Experience) -> None:
    wanted = {"remedy": "redrive", "reason": "billing was forgotten"}
    assert (await experience.post("/reconciliation/differences/diff-none/repair", wanted)).status_code == 404
