"""Orders and steps that do not go through at once: refused, tried again, taken as done, given up, held."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain.changes.kinds import Amend, Undo
from domain.document import apply_fixes
from domain.finance.commands import ApproveOrder, HoldCredit, RejectOrder, ReleaseCredit
from domain.messages import (
    AmendmentWon,
    CollectionsChanged,
    EndContract,
    FixOrder,
    MilestoneReached,
    RenewalLost,
    RetryStep,
    SupportChanged,
    UsageChanged,
)
from domain.outcomes import CANCEL_CASE, SIGNAL_CASE
from store.ledger import SqlLedger
from tests.house import House, Life
from tests.replay.paths.begin import change, end_soon, serve, start
from tests.workflow.lives import HOOLI, clock, done, refusal, rests, settled_length
from workflows.lifecycle import CustomerLifecycle

DAY = timedelta(days=1)


async def _retry(life: Life, case: str, **how: Any) -> None:
    command = RetryStep(case=case, by="ops", **how)
    await life.handle.execute_update(CustomerLifecycle.retry_step, command)


async def _case(life: Life, begins: str) -> str:
    view = await life.until(lambda view: any(case.id.startswith(begins) for case in view.cases))
    return next(case.id for case in view.cases if case.id.startswith(begins))


async def retried(house: House) -> Life:
    """The ERP refuses: it is tried again by itself, which fails, then by hand. A level is refused, and goes back
    to what was told before."""
    await house.fault(system="erp", operation="create_subscription", kind="refuse", reason="blocked")
    life = await start(house, "retried")
    case = await _case(life, "subscription:")
    await life.travel(0.01)
    await settled_length(life)
    await house.mend()
    await _retry(life, case)
    await serve(life)
    await settled_length(life)
    await house.fault(system="cs", operation="set_health", kind="refuse", reason="closed")
    await life.tell(SupportChanged(severities={1: 1}))
    await _case(life, "cs.set_health")
    await life.tell(SupportChanged(severities={}))
    await life.until(rests)
    await house.mend()
    await end_soon(life)
    return life


async def settled_by_hand(house: House) -> Life:
    """An onboarding that CS refuses is taken as done outside; an upsell that the ERP refuses is given up."""
    await house.fault(system="cs", operation="launch_onboarding", kind="refuse", reason="no plan", times=1)
    life = await start(house, "settled_by_hand")
    await _retry(life, await _case(life, "onboarding:"), done_as="plan-by-hand")
    await serve(life)
    await house.fault(system="erp", operation="amend_subscription", kind="refuse", reason="blocked", times=1)
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    await _retry(life, await _case(life, "amendment:"), drop=True)
    await life.until(rests)
    await end_soon(life)
    return life


async def held(house: House) -> Life:
    """Not approved at first, then approved; on hold by hand while it is activated, and released; told twice, told
    nonsense, and refused what can't be."""
    life = await start(house, "held", HOOLI, **{"lines[1].quantity": 1000})
    await life.until(lambda view: view.cases)
    reject = RejectOrder(revision=1, by="fin", reason="too large")
    await life.handle.execute_update(CustomerLifecycle.reject, reject)
    document = (await life.orders.revisions(life.contract))[-1].document
    revision = await life.orders.add(life.contract, apply_fixes(document, {"lines[1].quantity": 900}), "sales")
    await life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=revision, by="sales"))
    await life.until(lambda view: view.cases and view.cases[0].kind == "approval")
    hold = HoldCredit(by="fin", reason="unpaid")
    await life.handle.execute_update(CustomerLifecycle.hold, hold)
    await life.tell(AmendmentWon(deal="EARLY-1", mode="target", changes={"PLATFORM": Decimal(70)}))
    await life.tell(AmendmentWon(deal="EARLY-2", mode="target", changes={"NO-SUCH": Decimal(70)}))
    await life.handle.execute_update(CustomerLifecycle.approve, ApproveOrder(revision=revision, by="fin"))
    await life.until(lambda view: done(view, "customer") and not view.pending)
    await life.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin"))
    await _retry(life, await _case(life, "refused-amendment:"))
    await serve(life)
    today = (await clock(life)).date()
    before = MilestoneReached(milestone="kick-off", on=today - 4000 * DAY)
    again = MilestoneReached(milestone="go-live", on=today + DAY)
    assert await life.tell(before, again) == ["refused", "applied"]
    life.seq -= 2
    assert await life.tell(before, again) == ["refused", "stale"]
    assert await life.tell(RenewalLost(opportunity="006-other")) == ["refused"]
    await life.tell(UsageChanged(adoption=Decimal("0.9")))
    await refusal(life.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin")))
    await life.until(rests)
    await end_soon(life)
    return life


async def out_of_order(house: House) -> Life:
    """Upsells that are effective before an earlier one: while the order waits, and of a live contract."""
    life = await start(house, "out_of_order", HOOLI, **{"lines[1].quantity": 1000})
    await life.until(lambda view: view.cases)
    far, soon = (await clock(life)).date() + 90 * DAY, (await clock(life)).date() + 30 * DAY
    await life.tell(_upsell("EARLY-1", far), _upsell("EARLY-2", soon))
    approve = ApproveOrder(revision=1, by="fin")
    await life.handle.execute_update(CustomerLifecycle.approve, approve)
    await _retry(life, await _case(life, "refused-amendment:"))
    await serve(life)
    assert await life.tell(_upsell("UP-1", soon), _upsell("UP-2", far)) == ["refused", "applied"]
    await life.until(rests)
    await end_soon(life)
    return life


def _upsell(deal: str, effective: date) -> AmendmentWon:
    changes = {"PLATFORM": Decimal(25)}
    return AmendmentWon(deal=deal, mode="difference", changes=changes, effective=effective)


async def signalled(house: House) -> Life:
    """Told by signals, one of them of no use; somebody asks Temporal to cancel it. Overdue for long, and paid."""
    life = await start(house, "signalled")
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    today = (await clock(life)).date()
    reached = {"kind": "milestone_reached", "milestone": "go-live", "on": today.isoformat()}
    await life.handle.signal(CustomerLifecycle.tell, reached)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    await life.handle.signal(CustomerLifecycle.tell, {"kind": "no such event"})
    await _retry(life, await _case(life, SIGNAL_CASE))
    await life.handle.cancel()
    await _retry(life, await _case(life, CANCEL_CASE))
    since = today - 40 * DAY
    await life.tell(CollectionsChanged(delinquent=("INV-1", "INV-2"), overdue_since=since, long_overdue=True))
    await life.until(lambda view: view.risk != "low" and rests(view))
    await life.tell(CollectionsChanged())
    await life.until(lambda view: view.risk == "low" and rests(view))
    await end_soon(life)
    return life


async def frozen(house: House) -> Life:
    """The ERP is frozen when an amendment is due; it goes on by itself after the thaw, and another is undone before."""
    life = await start(house, "frozen")
    await serve(life)
    await SqlLedger(house.database).freeze("erp")
    await change(life, Amend(quantities={"PLATFORM": Decimal(60)}), "a")
    await _case(life, "amendment:")
    await change(life, Amend(quantities={"PLATFORM": Decimal(80)}), "b")
    await change(life, Undo(change="b"), "c")
    await SqlLedger(house.database).thaw("erp")
    await life.travel(0.02)
    await life.until(rests)
    await end_soon(life)
    return life


async def ended_today(house: House) -> Life:
    """Ended on the day itself, before onboarding is launched: what was to serve it is given up."""
    await house.fault(system="cs", operation="ensure_company", kind="refuse", reason="closed")
    life = await start(house, "ended_today")
    await _case(life, "company:")
    on = (await clock(life)).date()
    await life.handle.execute_update(CustomerLifecycle.end, EndContract(by="csm", reason="by mistake", on=on))
    await life.until(lambda view: done(view, "ending"))
    await house.mend()
    await _retry(life, await _case(life, "company:"))
    return life
