"""The lives that most contracts have, and those that finance and the calendar make of them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from domain.calendar import civil_date
from domain.document import apply_fixes
from domain.finance.commands import ApproveOrder
from domain.messages import (
    AmendmentWon,
    CancelOrder,
    CollectionsChanged,
    CreditHoldChanged,
    EndContract,
    EventBatch,
    FixOrder,
    ForecastRenewal,
    LifecycleEvent,
    MilestoneReached,
    PurchaseOrderReceived,
    RenewalLost,
    RenewalWon,
    RenewContract,
    RetryStep,
    SupportChanged,
)
from domain.view import LifecycleView
from starter.handles import lifecycle_handle
from tests.house import House, Life
from tests.replay.changing import change_in_every_way
from tests.replay.paths.begin import end_soon, serve, start
from tests.states import EVERGREEN
from tests.workflow.lives import (
    HOOLI,
    calls,
    clock,
    done,
    eventually,
    open_window,
    opportunity,
    rests,
    to_day,
    to_end,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle


async def happy(house: House) -> Life:
    """Overdue and paid, an upsell, renewed by a won opportunity, ended in the second term."""
    life = await start(house, "happy")
    await serve(life)
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await life.until(lambda view: view.risk == "medium")
    await life.tell(CollectionsChanged())
    await life.until(lambda view: view.risk == "low")
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    await life.until(rests)
    view = await open_window(life)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: done(view, "renewal"))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


async def levels_last(house: House) -> Life:
    """Risk comes and goes while other steps have their turn first; grows, and ends early."""
    life = await start(house, "levels_last")
    await serve(life)
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await life.until(lambda view: view.risk == "medium")
    await life.tell(
        CollectionsChanged(), AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)})
    )
    await life.until(lambda view: view.risk == "low" and rests(view))
    await end_soon(life)
    return life


async def kept(house: House) -> Life:
    """Whoever brings the events keeps the views: of one that changes nothing else, and of ones that steps follow."""
    life = await start(house, "kept")
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    day = (await clock(life)).date()
    await _bring(life, MilestoneReached(milestone="kick-off", on=day), row=True)
    await _bring(life, MilestoneReached(milestone="go-live", on=day), row=False)
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    await _bring(life, SupportChanged(severities={1: 1}), row=False)
    await life.until(lambda view: view.risk != "low" and rests(view))
    await end_soon(life)
    return life


async def _bring(life: Life, event: LifecycleEvent, *, row: bool) -> None:
    life.seq += 1
    event.seq = life.seq
    batch = EventBatch(events=[event], keeps=True)
    answer = await life.handle.execute_update(CustomerLifecycle.deliver, batch)
    assert (answer.row is not None) is row


async def bad_order_fixed(house: House) -> Life:
    """An order with two mistakes waits as a case, is mended and goes on."""
    life = await start(house, "bad_order_fixed", "salesforce_new_broken")
    await life.until(lambda view: view.cases)
    [broken] = await life.orders.revisions(life.contract)
    mended = apply_fixes(broken.document, {"sold_to.tax_id": "DE123456788", "lines[0].product": "ONBOARDING"})
    revision = await life.orders.add(life.contract, mended, "ops")
    await life.handle.execute_update(CustomerLifecycle.fix_order, FixOrder(revision=revision, by="ops"))
    await serve(life)
    await end_soon(life)
    return life


async def churn(house: House) -> Life:
    """The renewal opportunity is lost: the contract ends with its term."""
    life = await start(house, "churn")
    await serve(life)
    view = await open_window(life)
    await life.tell(RenewalLost(opportunity=opportunity(view)))
    assert view.term_ends is not None
    await to_end(life, view.term_ends)
    return life


async def cancelled_early(house: House) -> Life:
    """Cancelled while the ERP makes the subscription: that is undone."""
    await house.fault(system="erp", operation="create_subscription", kind="slow", seconds=1, times=1)
    life = await start(house, "cancelled_early")

    async def asked() -> bool:
        return bool(await calls(house, "erp", "create_subscription"))

    await eventually(asked)
    await life.handle.execute_update(CustomerLifecycle.cancel, CancelOrder(by="sales", reason="won by mistake"))
    return life


async def continued(house: House) -> Life:
    """A run that was begun by continue-as-new, with everything that its predecessor knew: amended, and ended."""
    life = await start(house, "continued")
    # the handle follows the chain of runs
    life.handle = lifecycle_handle(house.client, life.handle.id)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    first = (await life.handle.describe()).run_id

    async def begun_anew() -> bool:
        await life.tell(SupportChanged(severities={2: life.seq % 2}))
        await life.until(rests)
        return (await life.handle.describe()).run_id != first

    await eventually(begun_anew)
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    view = await life.until(rests)
    assert view.as_of is not None
    ending = EndContract(by="csm", reason="moved away", on=civil_date(view.as_of, view.zone))
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    return life


async def finance(house: House) -> Life:
    """Approved above the limit, held for credit, billed when its purchase order came, dated anew, and told too late."""
    record = house.payload(HOOLI)
    terms = {"terms.uplift_reference": "CPI-2027", "terms.price_notice_days": 90}
    life = await house.start(record, "corpus/finance/1", **{"lines[1].quantity": 1000, "purchase_order": None, **terms})
    await life.until(lambda view: view.cases)
    await life.tell(CreditHoldChanged(invoices=("INV-7",)))
    await life.handle.execute_update(CustomerLifecycle.approve, ApproveOrder(revision=1, by="fin"))
    await life.until(lambda view: done(view, "customer") and rests(view))
    await life.tell(CreditHoldChanged())
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await life.travel(8)
    await life.until(lambda view: view.cases)
    await life.tell(PurchaseOrderReceived(number="PO-9"))
    await life.until(lambda view: done(view, "billing-start") and rests(view))
    opens = (await clock(life)).date() + timedelta(days=3)
    (await house.http.post("/admin/books", json={"opens_on": opens.isoformat()})).raise_for_status()
    await life.tell(MilestoneReached(milestone="go-live", on=(await clock(life)).date()))
    [case] = (await life.until(lambda view: view.cases)).cases
    again = RetryStep(case=case.id, by="fin", on=opens)
    await life.handle.execute_update(CustomerLifecycle.retry_step, again)
    view = await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    assert view.price_notice is not None
    await to_day(life, view.price_notice.due + timedelta(days=1))
    await life.until(lambda view: view.cases and "can't apply" in view.cases[0].title)
    await end_soon(life)
    return life


async def watched(house: House) -> Life:
    """A renewal with a silent source, checkpoints and a note, that nobody decides until finance does."""
    life = await start(house, "watched", HOOLI, **{"terms.notice_days": 5})
    await serve(life)
    await house.fault(system="support", kind="down", retry_after="0")
    view = await open_window(life)
    assert view.term_ends is not None
    await life.travel(0.2)
    await house.mend()
    await life.travel(1)
    token = {"Authorization": "Bearer sandbox"}
    low = {"active": 5, "entitled": 50}
    await house.http.put(f"/usage/accounts/{view.account}", json=low, headers=token)
    await to_day(life, view.term_ends - timedelta(days=60))
    await life.until(lambda view: any(key.endswith(":60-days") for key in view.effects))
    said = ForecastRenewal(by="csm", category="at_risk", reason="nobody uses it")
    await life.handle.execute_update(CustomerLifecycle.forecast, said)
    await to_day(life, view.term_ends - timedelta(days=6))
    await life.until(lambda view: view.cases)
    await to_term_end(life)
    await life.until(lambda view: view.cases and view.cases[0].actor == "finance")
    await life.handle.execute_update(CustomerLifecycle.renew, RenewContract(by="fin"))
    await life.until(lambda view: view.term == 2 and rests(view))
    await end_soon(life)
    return life


def _reviewed(number: int) -> Callable[[LifecycleView], bool]:
    return lambda view: f"review-{number}" in str(view.effects) and rests(view)


async def reviewed(house: House) -> Life:
    """An evergreen contract, reviewed twice and ended."""
    life = await start(house, "reviewed", HOOLI, **EVERGREEN)
    await serve(life)
    for number in (1, 2):
        opens = (await life.view()).review_opens
        assert opens is not None
        await to_day(life, opens)
        await life.until(_reviewed(number))
    await end_soon(life)
    return life


async def changed(house: House) -> Life:
    """Amended, extended, paused, given notice, moved to another currency, renewed early, and ended."""
    life = await start(house, "changed")
    await serve(life)
    await change_in_every_way(life)
    await end_soon(life)
    return life
