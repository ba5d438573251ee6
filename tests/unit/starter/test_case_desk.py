"""What people do about cases, over a real store and router."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from domain.masking import MASK
from starter.case_desk import CaseDesk
from starter.case_list import Group, Wanted
from starter.mistakes import Mistake
from starter.routing import begin_lifecycle
from starter.settings import Settings
from starter.sources.reading import Sources
from store.cases import open_case
from store.streams import Answer, finish, lease, number
from store.tables import CaseRow, DeliveryRow, InboxRow, utc_now
from tests.intake import CONTRACT, DEAL, Desk, deal, open_desk

GO_LIVE = {"contract": CONTRACT, "milestone": "go-live"}


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def desk(intake: Desk) -> CaseDesk:
    return CaseDesk(intake.database)


async def dead(intake: Desk, **data: Any) -> InboxRow:
    """A milestone without its day."""
    row = await intake.arrive("milestone.completed", {**GO_LIVE, **data})
    assert row.state == "dead"
    return row


async def listed(desk: CaseDesk, **wanted: Any) -> list[str]:
    return [case.id for case in (await desk.list(Wanted(**wanted))).cases]


async def said(desk: CaseDesk, name: str) -> list[tuple[str, str]]:
    return [(line.by, line.what) for line in (await desk.show(name)).history]


async def test_an_event_is_mended_field_by_field_and_used(intake: Desk, desk: CaseDesk) -> None:
    await intake.arrive("deal.closed_won", deal())
    row = await dead(intake)
    case = f"event:{row.id}"
    assert await desk.edit(case, "ann", fixes={"data.completed_on": "2026-12-24"}) == row.id
    assert (await intake.row(row.event_id)).state == "dead", "editing alone sends nothing"
    assert await desk.retry(str(row.id), "ann") == row.id
    with pytest.raises(Mistake, match="there is nothing to retry"):
        await desk.retry(case, "ann")
    with pytest.raises(Mistake, match="being tried at this moment"):
        await desk.resolve(case, "ann", "no need")
    await intake.route()
    mended = await intake.row(row.event_id)
    assert (mended.state, json.loads(mended.payload)["data"]["completed_on"]) == ("routed", "2026-12-24")
    assert (json.loads(mended.original or "")["data"]) == GO_LIVE
    assert (await intake.deliveries())[-1][2]["on"] == "2026-12-24"
    assert await listed(desk) == []
    first, *rest = await said(desk, case)
    assert first[0] == "tenure"
    assert "completed_on" in first[1]
    assert rest == [
        ("ann", "edited data.completed_on"),
        ("ann", "retried"),
        ("tenure", "resolved: the event could be used"),
    ]
    with pytest.raises(Mistake, match="resolved already: the event could be used"):
        await desk.retry(case, "ann")


@pytest.mark.parametrize(
    ("fixes", "payload", "reason"),
    [
        ({"data.completed_on": "soon"}, None, "still be of no use.*completed_on"),
        ({"data.milestone": ""}, None, "still be of no use"),
        ({"type": "tenure.nothing.happened.v1"}, None, "unknown event type"),
        ({"data..x": "1"}, None, "is not a path"),
        ({"data.milestone.deep": "1"}, None, "is a single value"),
        (None, "{", "not JSON"),
        (None, "[" * 100_000, "not JSON"),
        (None, '"text"', "still be of no use"),
    ],
)
async def test_what_would_be_of_no_use_again_is_not_taken(
    intake: Desk, desk: CaseDesk, fixes: dict[str, str] | None, payload: str | None, reason: str
) -> None:
    row = await dead(intake)
    with pytest.raises(Mistake, match=reason):
        await desk.edit(f"event:{row.id}", "ann", payload=payload, fixes=fixes)
    kept = await intake.row(row.event_id)
    assert (kept.payload, kept.original) == (row.payload, None)
    assert len(await said(desk, f"event:{row.id}")) == 1


async def test_a_number_that_is_no_event_is_told(desk: CaseDesk) -> None:
    with pytest.raises(Mistake, match="there is no event 999"):
        await desk.again(999, "ann")


async def test_an_edit_keeps_texts_texts_and_takes_json_for_the_rest(intake: Desk, desk: CaseDesk) -> None:
    row = await intake.arrive("usage.reported", {"account": "007", "active": 1, "as_of": "2026-11-01"})
    fixes = {"data.account": "008", "data.entitled": "40", "data.extra": '{"a": [1]}'}
    await desk.edit(f"event:{row.id}", "ann", fixes=fixes)
    data = json.loads((await intake.row(row.event_id)).payload)["data"]
    assert data == {"account": "008", "active": 1, "as_of": "2026-11-01", "entitled": 40, "extra": {"a": [1]}}
    await desk.edit(f"event:{row.id}", "ann", fixes={"data.extra": ""})
    assert "extra" not in json.loads((await intake.row(row.event_id)).payload)["data"]
    row = await intake.row(row.event_id)
    assert "entitled" not in str(row.original), "the very first payload is the original"


async def test_another_source_is_read_in_its_own_dialect(intake: Desk) -> None:
    """The router's reader is the desk's: what it can't read is not taken."""
    secrets = [{"value": "s"}]
    settings = Settings.model_validate(
        {"webhooks": {"test": {"preset": "stripe", "connection": "erp", "secrets": secrets}}}
    )
    row = await dead(intake)
    with pytest.raises(Mistake, match=r"no rule in webhooks\.test\.types"):
        await CaseDesk(intake.database, Sources(settings)).edit(f"event:{row.id}", "ann", payload=row.payload)


async def test_all_that_are_alike_are_retried_in_order_and_no_others(intake: Desk, desk: CaseDesk) -> None:
    first, second, third = [await dead(intake, number=number) for number in range(3)]
    other = await intake.arrive("usage.reported", {"account": "a"})
    assert other.state == "dead"
    groups = (await desk.list(Wanted())).groups
    assert [(group.kind, group.problem, group.type, group.count) for group in groups] == [
        ("dead_letter", "broken_contract", "tenure.usage.reported.v1", 1),
        ("dead_letter", "broken_contract", "tenure.milestone.completed.v1", 3),
    ], "the newest first"
    assert isinstance(groups[0], Group)
    assert await desk.retry_like(f"event:{second.id}", "ann", limit=2) == [first.id, second.id]
    assert (await intake.row(other.event_id)).state == "dead"
    assert (await intake.row(third.event_id)).state == "dead"
    assert (await said(desk, f"event:{first.id}"))[-1] == ("ann", f"retried, with all like event:{second.id}")
    await intake.route()
    assert len(await said(desk, f"event:{first.id}")) == 3, "it died again, and that is told"
    assert len(await listed(desk)) == 4


async def test_a_resolved_dead_letter_is_ignored_for_good(intake: Desk, desk: CaseDesk) -> None:
    row = await dead(intake)
    with pytest.raises(Mistake, match="for a reason"):
        await desk.resolve(f"event:{row.id}", "ann", "  ")
    case = await desk.resolve(f"event:{row.id}", "ann", "sent by a test")
    assert (case.state, case.resolution) == ("resolved", "sent by a test (ann)")
    kept = await intake.row(row.event_id)
    assert (kept.state, kept.reason) == ("ignored", "sent by a test (ann)")
    with pytest.raises(Mistake, match="resolved already: sent by a test"):
        await desk.resolve(f"event:{row.id}", "ann", "twice")
    with pytest.raises(Mistake, match="nothing to repeat"):
        await desk.again(row.id or 0, "ann")


async def test_an_unlinked_deal_is_mended_and_retried_by_its_case(intake: Desk, desk: CaseDesk) -> None:
    await intake.arrive("deal.closed_won", deal())
    await intake.arrive("deal.closed_won", deal(Id="006-second"))
    assert await listed(desk) == ["deal:006-second"], "one case for one event"
    await desk.edit("deal:006-second", "ann", fixes={"data.record.Amends_Deal__c": DEAL})
    await desk.retry("deal:006-second", "ann")
    await intake.route()
    assert [told.get("kind") for _, _, told in await intake.deliveries()] == [None, "amendment_won"]
    assert await listed(desk) == []


async def test_what_a_mended_event_asks_a_person_stays_a_case(intake: Desk, desk: CaseDesk) -> None:
    await intake.arrive("deal.closed_won", deal())
    row = await intake.arrive("contract.amended", {"contract": CONTRACT, "effective": "soon"})
    await desk.edit(str(row.id), "ann", fixes={"data.effective": "2026-12-24"})
    await desk.retry(str(row.id), "ann")
    await intake.route()
    assert (await intake.row(row.event_id)).state == "routed"
    [asked] = (await desk.list(Wanted())).cases
    assert (asked.contract, asked.inbox_id, asked.kind == "dead_letter") == (CONTRACT, row.id, False)
    with pytest.raises(Mistake, match="nothing to retry"):
        await desk.retry(asked.id, "ann")
    assert (await desk.resolve(asked.id, "ann", "the deal agrees again")).state == "resolved"
    assert (await intake.row(row.event_id)).state == "routed"


async def test_people_assign_tag_snooze_and_note(intake: Desk, desk: CaseDesk) -> None:
    row = await dead(intake)
    other = await dead(intake)
    case = f"event:{row.id}"
    await desk.assign(case, "ann", "bob")
    await desk.tag(case, "ann", ["urgent", "cs"])
    await desk.tag(case, "ann", ["cs"], remove=True)
    await desk.note(case, "bob", "asked the CS team")
    assert await listed(desk, assignee="bob") == await listed(desk, tag="urgent") == [case]
    assert await listed(desk, tag="cs") == await listed(desk, tag="urge") == await listed(desk, assignee="ann") == []
    with pytest.raises(Mistake, match="is over"):
        await desk.snooze(case, "bob", utc_now() - timedelta(seconds=1))
    await desk.snooze(case, "bob", utc_now() + timedelta(days=1))
    assert await listed(desk) == [f"event:{other.id}"]
    assert case in await listed(desk, snoozed=True)
    assert (await desk.list(Wanted())).groups[0].count == 1
    await desk.snooze(case, "bob", None)
    assert case in await listed(desk)
    await desk.assign(case, "bob", None)
    assert await listed(desk, assignee="bob") == []
    assert [by for by, _ in await said(desk, case)] == ["tenure", "ann", "ann", "ann", "bob", "bob", "bob", "bob"]


async def test_a_snoozed_case_comes_back_when_its_time_has_come(intake: Desk, desk: CaseDesk) -> None:
    row = await dead(intake)

    def overslept(session: Session) -> None:
        session.get_one(CaseRow, f"event:{row.id}").snoozed_until = utc_now() - timedelta(seconds=1)

    await intake.database.write(overslept)
    assert await listed(desk) == [f"event:{row.id}"]


async def test_the_list_is_filtered(intake: Desk, desk: CaseDesk) -> None:
    row = await dead(intake)
    usage = await intake.arrive("usage.reported", {"account": "acc-9"})
    assert await listed(desk, contract=DEAL) == [f"event:{row.id}"]
    assert await listed(desk, account="acc-9") == [f"event:{usage.id}"]
    assert await listed(desk, source="test", kind="dead_letter", problem="broken_contract") == [
        f"event:{usage.id}", f"event:{row.id}",
    ]  # fmt: skip
    for nothing in ({"source": "crm"}, {"kind": "x"}, {"problem": "x"}, {"contract": "100%"}, {"state": "resolved"}):
        assert await listed(desk, **nothing) == []
    await desk.resolve(str(row.id), "ann", "done")
    assert await listed(desk, state="resolved") == [f"event:{row.id}"]
    assert len(await listed(desk, state=None)) == 2


async def test_a_shown_event_hides_what_must_not_be_seen(intake: Desk, desk: CaseDesk) -> None:
    row = await intake.arrive("deal.closed_won", deal(AccountId=None, Api_Token__c="t0p"))
    shown = await desk.show(str(row.id))
    assert shown.event is not None
    record = shown.event["payload"]["data"]["record"]
    assert record["Account"]["VAT_Id__c"] == record["Account"]["Billing_Email__c"] == record["Api_Token__c"] == MASK
    assert record["Id"] == DEAL
    assert (shown.event["state"], shown.event["attempts"], shown.event["edited"]) == ("dead", 1, False)
    await intake.inbox.accept("crm", "bad", "", "", '{"token": "abc", "mail": "x@y.example', dead="not JSON")
    broken = await desk.show(str((row.id or 0) + 1))
    assert broken.event is not None
    assert "abc" not in broken.event["payload"]
    assert "x@y.example" not in broken.event["payload"]


async def test_a_name_finds_one_case_or_says_why_not(intake: Desk, desk: CaseDesk) -> None:
    row, _ = await dead(intake), await dead(intake)
    assert (await desk.find(str(row.id))).id == f"event:{row.id}"
    for name, reason in (
        ("nope-nope", "unknown case"),
        ("4711", "unknown case"),
        ("9" * 40, "unknown case"),
        ("ev", "unknown case"),
        ("event", "is not unique"),
    ):
        with pytest.raises(Mistake, match=reason):
            await desk.find(name)


async def test_a_case_without_an_event_has_nothing_to_retry(intake: Desk, desk: CaseDesk) -> None:
    await intake.database.write(
        lambda session: open_case(session, CaseRow(id="duplicate:k", kind="duplicate", title="two customers"))
    )
    with pytest.raises(Mistake, match="no received event: there is nothing to retry"):
        await desk.retry("duplicate", "ann")
    with pytest.raises(Mistake, match="no received event"):
        await desk.retry_like("duplicate", "ann")
    assert (await desk.resolve("duplicate", "ann", "merged in the ERP")).state == "resolved"


async def test_a_start_that_was_refused_is_delivered_again_not_routed(intake: Desk, desk: CaseDesk) -> None:
    """Its row is ours: there is nothing in it that could be read."""
    document = {"deal_id": "006-start", "account": {"id": "acc-start"}}

    def refuse(session: Session) -> None:
        contract = begin_lifecycle(session, "acme", "crm", document)
        fence = lease(session, contract, "me", 5)
        assert fence is not None
        [row] = number(session, contract, fence)
        finish(session, contract, fence, {1: Answer("refused", "Temporal does not take it")})
        case = CaseRow(id=f"event:{row.inbox_id}:{contract}", kind="refused_event", title="x", inbox_id=row.inbox_id)
        open_case(session, case)

    await intake.database.write(refuse)
    [case] = await listed(desk)
    started = await desk.retry(case, "ann")
    row = await intake.inbox.get(started)
    assert row is not None
    assert (row.type, row.state) == ("tenure.start", "routed")
    [delivery] = await intake.database.read(lambda session: session.exec(select(DeliveryRow)).all())
    assert (delivery.state, delivery.seq) == ("pending", None), "it gets a new number"
