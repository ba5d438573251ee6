"""A contract that a reseller bills: onboarded and renewed like any other, and never billed by us."""

from datetime import date

from domain.messages import CollectionsChanged, CreditHoldChanged, MilestoneReached, RenewalWon
from domain.view import LifecycleView, Stage
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    calls,
    clock,
    counts,
    done,
    open_window,
    opportunity,
    records,
    rests,
    to_term_end,
)

RESOLD = {"terms.kind": "reseller", "terms.billed_by": "Marketplace One", "purchase_order": None}


async def resold(house: House) -> Life:
    life = await house.start(house.payload(HOOLI), **RESOLD)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    today = (await clock(life)).date()
    assert await life.tell(MilestoneReached(milestone="go-live", on=today)) == ["applied"]
    await life.until(lambda view: all(line.billing_starts for line in view.lines) and rests(view))
    return life


def billed_by(view: LifecycleView) -> set[str | None]:
    return {line.billed_by for line in view.lines}


async def test_its_lines_are_billed_elsewhere_and_the_erp_is_never_asked(house: House) -> None:
    life = await resold(house)
    view = await life.view()
    assert (view.stage, billed_by(view)) == (Stage.SERVING, {"Marketplace One"})
    assert len(await records(house, "erp", "activations")) == 1
    assert await calls(house, "erp", "start_billing") == []
    assert (await counts(house, "cs"))["plans"] == 1


async def test_overdue_invoices_are_the_reseller_s_business(house: House) -> None:
    life = await resold(house)
    since = date(2026, 1, 1)
    told = await life.tell(
        CollectionsChanged(delinquent=("R-1",), overdue_since=since, long_overdue=True),
        CreditHoldChanged(invoices=("R-1",)),
    )
    assert told == ["applied", "applied"]
    view = await life.until(rests)
    assert (view.risk, view.hold) == ("low", None)
    [customer] = await records(house, "erp", "customers")
    assert "credit_hold" not in customer


async def test_it_is_renewed_with_no_purchase_order_of_the_customer_s(house: House) -> None:
    life = await resold(house)
    view = await open_window(life)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: done(view, "renewal") and rests(view))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2 and rests(view))
    assert len(await records(house, "erp", "renewals")) == 1
    assert await calls(house, "erp", "start_billing") == []
