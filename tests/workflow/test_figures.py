"""The figures of a real life: nothing is found where all goes well, and its days and amounts are those of the ERP."""

from datetime import timedelta
from decimal import Decimal

from sqlmodel import Session

from domain.messages import AmendmentWon, RenewalWon
from domain.view import Stage
from starter.erp_reading import ErpReading
from starter.measuring import measure
from store.leaks import leaks_between
from store.snapshots import beginnings, snapshots_on
from store.tables import LifecycleRow, utc_now
from store.views import SqlViews
from tests.figures import long_ago
from tests.house import House, Life
from tests.workflow.lives import clock, go_live, onboarding, open_window, opportunity, rests, to_day, to_term_end


async def sweep(house: House, life: Life) -> None:
    """What the dispatcher does every second, once the store shows what the lifecycle shows."""
    shown, view = None, await life.until(lambda _: True)
    while shown is None or shown.effects != view.effects or shown.stage != view.stage:
        shown, view = await SqlViews(house.database).get(life.contract), await life.view()
    shift = (await clock(life) - utc_now()).total_seconds()

    def begun(session: Session) -> None:
        row = session.get(LifecycleRow, life.contract) or LifecycleRow(
            tenant="acme",
            contract=life.contract,
            account=view.account,
            deal=view.deal,
            selling_entity=view.selling_entity,
            workflow_id=life.handle.id,
        )
        row.clock_shift = shift
        session.add(row)

    await house.database.write(begun)
    await house.database.write(long_ago)
    reading = ErpReading(house.database, {"erp": house.systems["erp"].port}, every=timedelta(hours=1))
    while await reading.read():
        pass
    while await measure(house.database, house.company):
        pass


async def test_a_life_that_goes_well_leaks_nothing(house: House) -> None:
    life = await onboarding(house)
    begun = (await clock(life)).date()
    await sweep(house, life)
    await to_day(life, begun + timedelta(days=12))
    live = await go_live(life)
    await sweep(house, life)
    await life.tell(AmendmentWon(deal="UP-F", mode="difference", changes={"PLATFORM": Decimal(25)}))
    await life.until(rests)
    await sweep(house, life)
    await life.tell(RenewalWon(opportunity=opportunity(await open_window(life))))
    await life.until(lambda view: rests(view) and view.decision is not None)
    await sweep(house, life)
    await to_term_end(life)
    view = await life.until(lambda view: view.term == 2 and rests(view))
    await sweep(house, life)
    assert view.term_starts is not None

    def read(session: Session) -> None:
        assert leaks_between(session, begun, view.term_starts or begun) == []
        [steps] = beginnings(session, begun - timedelta(days=3650), begun).values()
        assert (steps.activated_on, steps.launched_on) == (live.term_starts, begun)
        assert steps.live_on == live.milestones["go-live"]
        [first] = snapshots_on(session, begun)
        [second] = snapshots_on(session, view.term_starts or begun)
        assert (first.term, first.category, first.stage) == (1, "best_case", Stage.ONBOARDING)
        assert (second.term, second.stage, second.currency) == (2, Stage.SERVING, "EUR")
        assert first.annual is not None
        assert second.annual is not None
        assert second.annual - first.annual == 25 * 1200, "by the price of the ERP"

    await house.database.read(read)
