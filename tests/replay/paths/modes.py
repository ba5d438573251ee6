"""Lives that act in part, or not yet; that belong to another account; and runs that are one of many."""

from datetime import timedelta
from decimal import Decimal

from domain import keys
from domain.calendar import civil_date
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    EndContract,
    MilestoneReached,
    MoveAccount,
    SetStages,
    SupportChanged,
)
from domain.reconciling.taking import TakeOver
from starter.handles import lifecycle_handle
from tests.house import House, Life
from tests.replay.paths.begin import end_soon, serve, start
from tests.workflow.lives import clock, done, eventually, rests, to_day, to_term_end
from tests.workflow.test_importing import Migration
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)


async def shadowed(house: House) -> Life:
    """It lived already, came in in shadow, was promoted in its window, and ends."""
    migration = Migration(house)
    migration.batch = "corpus"
    await migration.bring(await migration.old(1, 200))
    life = await migration.life()
    opens = (await life.until(rests)).window_opens
    assert opens is not None
    await to_day(life, opens)
    await life.until(lambda view: view.readiness is not None and rests(view))
    await life.tell(SupportChanged(severities={1: 1}))
    await life.until(rests)
    await migration.promotion.promote(await migration.row(), "ops", cut_over=opens)
    await life.until(lambda view: view.mode == "live" and rests(view))
    await end_soon(life)
    return life


async def observed(house: House) -> Life:
    """Billing only observes at first and then acts; the renewal is somebody else's."""
    house.company.stages.update({"billing": "observe", "renewal": "off"})
    life = await start(house, "observed")
    await life.until(lambda view: view.term and done(view, "onboarding") and rests(view))
    today = (await clock(life)).date()
    await life.tell(MilestoneReached(milestone="go-live", on=today))
    await life.until(lambda view: len(view.withheld) > 1 and rests(view))
    stages = SetStages(by="ops", stages={"billing": "act"}, since=today - 400 * DAY)
    await life.handle.execute_update(CustomerLifecycle.set_stages, stages)
    await life.until(lambda view: not view.withheld and rests(view))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def regrouped(house: House) -> Life:
    """Its account is merged into another, which is taken back; a repaired difference tells that the outside renewed."""
    life = await start(house, "regrouped")
    await serve(life)
    before = await life.view()
    known = {
        keys.customer("ACC-INTO", "ACME-DE"): before.effects[keys.customer(before.account, "ACME-DE")],
        keys.company("ACC-INTO"): before.effects[keys.company(before.account)],
    }
    merge = MoveAccount(move="m1", account=before.account, into="ACC-INTO", known=known)
    await life.handle.execute_update(CustomerLifecycle.move_account, merge)
    await life.until(lambda view: view.account == "ACC-INTO" and rests(view))
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await life.until(lambda view: view.risk == "medium" and not view.pending)
    back = MoveAccount(move="m1", account="ACC-INTO", into=before.account, back=True)
    await life.handle.execute_update(CustomerLifecycle.move_account, back)
    await life.until(lambda view: view.account == before.account and not view.pending)
    await life.tell(CollectionsChanged())
    taken = TakeOver(by="ops", reason="a duplicate was put away", links={keys.onboarding(life.contract): "plan-other"})
    await life.handle.execute_update(CustomerLifecycle.take_over, taken)
    await life.until(lambda view: view.effects[keys.onboarding(life.contract)] == "plan-other" and rests(view))
    await end_soon(life)
    return life


async def redated(house: House) -> Life:
    """The ERP's period is closed: by the company's policy a billing start is dated on the first open day."""
    life = await start(house, "redated")
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    opens = (await clock(life)).date() + 3 * DAY
    (await house.http.post("/admin/books", json={"opens_on": opens.isoformat()})).raise_for_status()
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    await life.until(lambda view: bool(view.redated))
    await to_day(life, opens)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    await end_soon(life)
    return life


async def continuing(house: House) -> Life:
    """A run that continues as a new one, with everything that it knows."""
    life = await start(house, "continuing")
    life.handle = lifecycle_handle(house.client, life.handle.id)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    first = (await life.handle.describe()).run_id

    async def begun_anew() -> bool:
        await life.tell(SupportChanged(severities={2: life.seq % 2}))
        await life.until(rests)
        return (await life.handle.describe()).run_id != first

    await eventually(begun_anew)
    view = await life.until(rests)
    assert view.as_of is not None
    on = civil_date(view.as_of, view.zone)
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="moved away", on=on))
    await life.handle.result()
    life.handle = house.client.get_workflow_handle_for(CustomerLifecycle.run, life.handle.id, run_id=first)
    return life
