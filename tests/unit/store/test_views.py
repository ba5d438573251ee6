"""Views, and the cases and timeline lines that follow from them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.books import ViewRow
from domain.view import CaseView, LifecycleView, Stage
from store import board, tables
from store import views as published
from store.cases import Cases
from store.database import Database
from store.known import page
from store.tables import CaseRow, LifecycleRow
from store.timeline import Timeline
from store.views import SqlViews

RUN = datetime(2027, 1, 31, 8, tzinfo=UTC)


def row(
    sequence: int,
    stage: Stage = Stage.SERVING,
    *,
    contract: str = "crm/d1/1",
    run: datetime = RUN,
    cases: tuple[str, ...] = (),
    renewal: date | None = None,
) -> ViewRow:
    view = LifecycleView(
        contract=contract,
        stage=stage,
        account="acme",
        renewal_date=renewal,
        as_of=run + timedelta(days=sequence),
        cases=[CaseView(id=id, kind="order", title=f"case {id}", reasons=["why"], opened_at=run) for id in cases],
    )
    return ViewRow(contract=contract, run_started=run, sequence=sequence, view=view.model_dump(mode="json"))


@pytest.fixture
def views(database: Database) -> SqlViews:
    return SqlViews(database)


async def stage_of(views: SqlViews) -> Stage:
    view = await views.get("crm/d1/1")
    assert view is not None
    return view.stage


async def test_an_older_view_never_wins(views: SqlViews) -> None:
    await views.publish(row(5, Stage.RENEWAL))
    await views.publish(row(4, Stage.SERVING))
    await views.publish(row(5, Stage.SERVING))
    assert await stage_of(views) is Stage.RENEWAL
    await views.publish(row(1, Stage.ENDED, run=RUN - timedelta(seconds=1)))
    assert await stage_of(views) is Stage.RENEWAL, "a higher number of an earlier run is older"
    await views.publish(row(1, Stage.ONBOARDING, run=RUN + timedelta(seconds=1)))
    assert await stage_of(views) is Stage.ONBOARDING, "the newer run wins with a lower number"


async def test_the_board_filters_and_sorts_by_renewal(views: SqlViews) -> None:
    await views.publish(row(1, contract="a", renewal=None))
    await views.publish(row(1, contract="b", renewal=date(2028, 2, 29), cases=("1",)))
    await views.publish(row(1, Stage.RENEWAL, contract="c", renewal=date(2027, 6, 1)))
    assert [v.contract for v in await views.list()] == ["c", "b", "a"]
    assert [v.contract for v in await views.list(stage="renewal")] == ["c"]
    assert [v.contract for v in await views.list(needs_attention=True)] == ["b"]
    assert [v.contract for v in await views.list(account="nobody")] == []
    assert await views.get("unknown") is None


async def test_cases_come_and_go_with_the_view(views: SqlViews, database: Database) -> None:
    cases = Cases(database)
    await views.publish(row(1, cases=("1", "2")))
    await cases.open(CaseRow(id="duplicate:k", contract="crm/d1/1", kind="duplicate", title="twice"))
    await views.publish(row(2, cases=("2",)))
    assert {case.id for case in await cases.list()} == {"crm/d1/1:2", "duplicate:k"}, "others' cases stay"
    gone = await cases.get("crm/d1/1:1")
    assert gone is not None
    assert (gone.state, gone.resolved_at is not None) == ("resolved", True)
    await views.publish(row(3, cases=("1",)))
    again = await cases.get("crm/d1/1:1")
    assert again is not None
    assert (again.state, again.resolved_at, again.reasons) == ("open", None, ["why"])
    assert [case.id for case in await cases.list(contract="another")] == []


async def test_two_contracts_may_use_the_same_case_id(views: SqlViews, database: Database) -> None:
    await views.publish(row(1, contract="a", cases=("1",)))
    await views.publish(row(1, contract="b", cases=("1",)))
    await views.publish(row(2, contract="a"))
    assert [case.contract for case in await Cases(database).list()] == ["b"]


async def test_a_projected_case_is_not_resolved_by_hand(views: SqlViews, database: Database) -> None:
    cases = Cases(database)
    await views.publish(row(1, cases=("1",)))
    await cases.open(CaseRow(id="intake:d9", account="acme", kind="intake", title="unlinked deal"))
    assert not await cases.resolve("crm/d1/1:1")
    assert await cases.resolve("intake:d9")
    assert not await cases.resolve("intake:d9")
    assert [case.id for case in await cases.list()] == ["crm/d1/1:1"]


async def test_the_timeline_tells_new_stages_once(views: SqlViews, database: Database) -> None:
    timeline = Timeline(database)
    await views.publish(row(1, Stage.ORDER_ACTIVATION))
    await views.publish(row(2, Stage.ORDER_ACTIVATION))
    await views.publish(row(3, Stage.ONBOARDING))
    await views.publish(row(3, Stage.ONBOARDING))
    lines = await timeline.of("crm/d1/1")
    assert [line.summary for line in lines] == ["order_activation", "order_activation → onboarding"]
    assert lines[1].business_at == RUN + timedelta(days=3)


async def test_a_fact_is_told_once_and_in_business_order(database: Database) -> None:
    timeline = Timeline(database)

    async def add(contract: str, summary: str, day: int) -> bool:
        at = RUN + timedelta(days=day)
        return await timeline.add(contract, business_at=at, kind="invoice", summary=summary, ref=f"invoice:{day}")

    assert await add("c", "paid", 2)
    assert await add("c", "overdue", 1)
    assert not await add("c", "paid", 2)
    assert await add("other", "paid", 2)
    assert [line.summary for line in await timeline.of("c")] == ["overdue", "paid"]


async def test_when_a_view_changed_is_told_by_the_stores_clock(
    views: SqlViews, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose clock is ahead must not make a contract look as if it were changing for minutes."""
    life = LifecycleRow(
        contract="crm/d1/1", tenant="acme", account="acme", deal="d1", selling_entity="ACME-DE", workflow_id="w"
    )
    await database.write(lambda session: session.add(life))
    ahead = datetime.now(UTC) + timedelta(minutes=4)
    for module in (tables, board, published):
        monkeypatch.setattr(module, "utc_now", lambda: ahead)
    await views.publish(row(1))
    [known] = await database.read(lambda session: page(session))
    assert known.rests is not None
    assert timedelta() <= known.rests < timedelta(minutes=1)
