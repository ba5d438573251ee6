"""Contracts of other kinds, and other renewals than the plain one."""

from datetime import timedelta
from decimal import Decimal

from domain.changes.kinds import Pause, Terminate
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    MilestoneReached,
    PurchaseOrderReceived,
    RenewalSettled,
    RenewalWon,
    RenewContract,
    SupportChanged,
)
from tests.house import House, Life
from tests.replay.paths.begin import change, end_soon, serve, start
from tests.workflow.lives import HOOLI, clock, done, open_window, opportunity, rests, to_day, to_end, to_term_end
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)


async def resold(house: House) -> Life:
    """Billed by a reseller: the ERP is never asked to bill, and who is overdue is none of our business."""
    reseller = {"terms.kind": "reseller", "terms.billed_by": "Marketplace One", "purchase_order": None}
    life = await start(house, "resold", HOOLI, **reseller)
    await serve(life)
    since = (await clock(life)).date()
    await life.tell(CollectionsChanged(delinquent=("R-1",), overdue_since=since, long_overdue=True))
    view = await open_window(life)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def delivered_once(house: House) -> Life:
    """A one-off: it ends with its term, and nobody is asked."""
    once = {"terms.kind": "one_off", "terms.initial_months": 3, "terms.renewal_months": None}
    life = await start(house, "delivered_once", HOOLI, **once, **{"terms.start": "on_activation"})
    await serve(life)
    ends = (await life.view()).term_ends
    assert ends is not None
    await to_end(life, ends)
    return life


async def tried(house: House) -> Life:
    """A trial that converts by itself, and is billed from then on."""
    trial = {"terms.kind": "trial", "terms.trial_days": 14, "terms.initial_months": None}
    converts = {"terms.start": "on_activation", "terms.converts_to": {"months": 12, "auto": True}}
    life = await start(house, "tried", HOOLI, **trial, **converts)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    starts, ends = (await life.view()).term_starts, (await life.view()).term_ends
    assert starts is not None
    assert ends is not None
    await life.tell(MilestoneReached(milestone="go-live", on=starts))
    await to_day(life, ends)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    await end_soon(life)
    return life


async def renewed_by_clause(house: House) -> Life:
    """Nobody decides, and the contract's clause renews it; an upsell in its window."""
    life = await start(house, "renewed_by_clause", HOOLI, **{"terms.auto_renew": True})
    await serve(life)
    await open_window(life)
    await life.tell(AmendmentWon(deal="UP-1", mode="target", changes={"PLATFORM": Decimal(90)}))
    await life.until(rests)
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def renewed_larger(house: House) -> Life:
    """The opportunity is won for more seats and a longer term, with a purchase order that does not reach so far."""
    order = {"number": "PO-1", "expires_on": "2027-12-31"}
    life = await start(house, "renewed_larger", HOOLI, purchase_order=order)
    await serve(life)
    view = await open_window(life)
    won = RenewalWon(opportunity=opportunity(view), quantities={"PLATFORM": Decimal(75)}, months=24)
    await life.tell(won)
    await life.until(lambda view: any(case.kind.startswith("purchase_order") for case in view.cases))
    await life.tell(PurchaseOrderReceived(number="PO-2"))
    await life.until(lambda view: done(view, "renewal") and rests(view))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def ended_in_its_window(house: House) -> Life:
    """Decided elsewhere that it ends with its term; a severe support case on the way."""
    life = await start(house, "ended_in_its_window")
    await serve(life)
    view = await open_window(life)
    await life.tell(SupportChanged(severities={1: 2}))
    await life.until(lambda view: view.risk != "low" and rests(view))
    await life.tell(RenewalSettled(outcome="end", by="the CSM"))
    assert view.term_ends is not None
    await to_end(life, view.term_ends)
    return life


async def asked_in_vain(house: House) -> Life:
    """A source is silent for days while a renewal is open: it is asked again, less and less often."""
    life = await start(house, "asked_in_vain", HOOLI, **{"terms.notice_days": 5})
    await serve(life)
    await house.fault(system="usage", kind="down", retry_after="0")
    await open_window(life)
    await life.travel(0.02)
    await life.travel(0.1)
    await life.travel(0.5)
    await house.mend()
    await life.travel(1)
    await life.until(lambda view: view.readiness is not None and rests(view))
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="csm"))
    await life.until(lambda view: done(view, "renewal") and rests(view))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def paused_for_a_while(house: House) -> Life:
    """Paused until a day; what falls due meanwhile waits. Ended for cause, early."""
    life = await start(house, "paused_for_a_while")
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    day = (await clock(life)).date() + 30 * DAY
    await change(life, Pause(reason="holidays", until=day), "p")
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(5)}))
    await to_day(life, day)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    on = (await clock(life)).date() + 5 * DAY
    await change(life, Terminate(ground="cause", reason="breach", on=on), "t")
    await to_end(life, on)
    return life
