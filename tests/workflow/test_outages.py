"""Systems that are down, slow, or lose their answers: everything is done once, and nothing waits needlessly."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from domain import calendar
from domain.messages import AmendmentWon, CollectionsChanged, EndContract, RenewalWon, RetryStep, SupportChanged
from domain.view import LifecycleView, Stage
from tests.house import House, Life
from tests.workflow.lives import (
    HOOLI,
    ZONE,
    calls,
    clock,
    counts,
    deal,
    done,
    eventually,
    go_live,
    health,
    onboarding,
    open_window,
    opportunity,
    records,
    refusal,
    rests,
    serving,
    set_box_clock,
    to_end,
    to_instant,
    to_term_end,
)
from workflows.lifecycle import CustomerLifecycle


async def retry(life: Life, case: str, done_as: str | None = None, *, drop: bool = False) -> None:
    command = RetryStep(case=case, by="ops", done_as=done_as, drop=drop)
    await life.handle.execute_update(CustomerLifecycle.retry_step, command)


def case_of(view: LifecycleView, system_fact: str) -> str:
    [case] = [case.id for case in view.cases if case.id.startswith(system_fact)]
    return case


async def test_with_cs_down_the_erp_goes_on_and_cs_catches_up_in_order(house: House) -> None:
    await house.fault(system="cs", kind="down", retry_after="1")
    life = await house.start(house.payload(HOOLI))

    async def crm_knows() -> bool:
        return (await deal(life)).get("Tenure_Status__c") == "active"

    await eventually(crm_knows)
    assert not (await life.view()).cases  # it is still tried: nobody had to wait until CS was given up
    view = await life.until(lambda view: view.cases and sum(bool(line.billing_starts) for line in view.lines) == 2)
    assert view.stage is Stage.ONBOARDING
    assert (view.cases[0].kind, view.cases[0].id.split(":")[0]) == ("source_unavailable", "company")
    assert await counts(house, "cs") == {}
    await house.mend()
    await retry(life, view.cases[0].id)
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    await health(house, lifecycle_stage="onboarding")
    told = [call["operation"] for call in await calls(house, "cs") if call["status"] < 400]
    assert told[0] == "ensure_company"
    assert set(told) == {"ensure_company", "launch_onboarding", "set_health"}
    assert await counts(house, "cs") == {"companies": 1, "plans": 1, "tasks": 5, "health": 1}


async def test_with_the_erp_down_an_amendment_waits_and_cs_still_hears_of_risk(house: House) -> None:
    life = await serving(house)
    await house.fault(system="erp", kind="down", retry_after="0")
    await life.tell(AmendmentWon(deal="UP-1", mode="target", changes={"PLATFORM": Decimal(60)}))
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await health(house, risk="medium")
    await life.travel(0.01)
    view = await life.until(lambda view: view.cases)
    assert case_of(view, "amendment:")
    await house.mend()
    await life.travel(0.5)  # nobody does anything: it tries again by itself
    await life.until(rests)
    [amendment] = await records(house, "erp", "amendments")
    assert list(amendment["quantities"].values()) == ["60"]


async def test_an_outage_of_days_ends_with_everything_done_once(house: House) -> None:
    """CS is closed on the two days on which the window opens; the tries in between come to nothing and cost nothing."""
    life = await serving(house)
    await health(house, lifecycle_stage="serving")  # comes last, and would be tried every six hours until then
    view = await life.view()
    assert view.window_opens is not None
    opens = calendar.start_of_day(view.window_opens, ZONE)
    first, last = opens.date() - timedelta(days=1), opens.date() + timedelta(days=3)
    await house.fault(system="cs", kind="down", **{"from": first.isoformat(), "until": last.isoformat()})
    await to_instant(life, opens)
    for day in (1, 2):
        await to_instant(life, opens + timedelta(days=day))
        view = await life.until(lambda view: view.cases)
        assert view.stage is Stage.RENEWAL
    assert "playbooks" not in await counts(house, "cs")
    assert any(each["Type"] == "Renewal" for each in await records(house, "crm", "opportunities"))
    await set_box_clock(house, datetime.combine(last, opens.timetz()))
    await life.travel(0.5)
    await life.until(lambda view: done(view, "readiness-note") and rests(view))
    heard = [call["operation"] for call in await calls(house, "cs") if call["status"] < 400]
    assert [each for each in heard if each in ("start_playbook", "post_note")] == ["start_playbook", "post_note"]
    assert {kind: number for kind, number in (await counts(house, "cs")).items() if kind in ("playbooks", "notes")} == {
        "playbooks": 1,
        "notes": 1,
    }


async def test_retry_after_is_honoured(house: House) -> None:
    await house.fault(system="erp", operation="create_customer", kind="rate_limit", times=1, retry_after="2")
    await onboarding(house)
    asked = [datetime.fromisoformat(call["received_at"]) for call in await calls(house, "erp", "create_customer")]
    assert len(asked) == 2
    assert timedelta(seconds=2) <= asked[1] - asked[0] < timedelta(seconds=6)
    assert (await counts(house, "erp"))["customers"] == 1


async def test_every_lost_answer_of_an_activation_leaves_one_of_each(house: House) -> None:
    for operation in ("create_customer", "create_subscription", "activate_order", "start_billing"):
        await house.fault(system="erp", operation=operation, kind="lose_answer", times=1)
    for operation in ("ensure_company", "launch_onboarding", "set_health"):
        await house.fault(system="cs", operation=operation, kind="lose_answer", times=1)
    life = await house.start(house.payload(HOOLI))
    await house.fault(system="crm", operation="update_opportunity", kind="lose_answer", times=1)
    await life.until(lambda view: done(view, "onboarding") and done(view, "billing-start") and rests(view), 40)
    await go_live(life)
    await health(house, lifecycle_stage="serving")
    assert {fault["times"] for fault in (await house.http.get("/admin/faults")).json()} == {0}
    assert await counts(house, "erp") == {"customers": 1, "subscriptions": 1, "activations": 1, "billing_starts": 3}
    assert await counts(house, "cs") == {"companies": 1, "plans": 1, "tasks": 5, "health": 1}


async def test_every_lost_answer_of_a_renewal_and_an_end_leaves_one_of_each(house: House) -> None:
    life = await serving(house)
    for operation in ("amend_subscription", "renew_subscription", "end_subscription"):
        await house.fault(system="erp", operation=operation, kind="lose_answer", times=1)
    await house.fault(system="cs", operation="start_playbook", kind="lose_answer", times=1)
    await house.fault(system="crm", operation="create_renewal_opportunity", kind="lose_answer", times=1)
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(1)}))
    await life.until(rests)
    view = await open_window(life)
    await life.tell(RenewalWon(opportunity=opportunity(view)))
    await life.until(lambda view: done(view, "renewal"))
    await to_term_end(life)
    await life.until(lambda view: view.term == 2)
    ending = EndContract(by="csm", reason="moved away", on=(await clock(life)).date() + timedelta(days=2))
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    await to_end(life, ending.on or date.max)
    in_erp, in_cs = await counts(house, "erp"), await counts(house, "cs")
    assert (in_erp["amendments"], in_erp["renewals"], in_erp["endings"]) == (1, 1, 1)
    assert (in_cs["playbooks"], in_cs["notes"]) == (1, 1)
    opportunities = await records(house, "crm", "opportunities")
    assert len([each for each in opportunities if each["Type"] == "Renewal"]) == 1


async def doubted_note(house: House) -> tuple[Life, str]:
    """The CSM's note was posted, its answer lost: nobody but a person can know."""
    life = await serving(house)
    await house.fault(system="cs", operation="post_note", kind="lose_answer", times=1)
    await open_window_without_note(life)
    view = await life.until(lambda view: any(case.kind == "in_doubt" for case in view.cases))
    return life, case_of(view, "readiness-note:")


async def open_window_without_note(life: Life) -> None:
    opens = (await life.view()).window_opens
    assert opens is not None
    await to_instant(life, calendar.start_of_day(opens, ZONE))


async def test_a_note_in_doubt_is_a_case_for_a_person_and_does_not_hold_cs_up(house: House) -> None:
    life, case = await doubted_note(house)
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=(await clock(life)).date()))
    await health(house, risk="medium")
    await life.travel(5)
    assert len(await records(house, "cs", "notes")) == 1
    await retry(life, case, done_as="note_000001")
    view = await life.until(rests)
    assert view.effects[case] == "note_000001"
    assert len(await records(house, "cs", "notes")) == 1


async def test_a_note_that_a_person_says_was_not_posted_is_posted_again(house: House) -> None:
    life, case = await doubted_note(house)
    await retry(life, case)
    view = await life.until(rests)
    assert view.effects[case] == "note_000002"
    assert len(await records(house, "cs", "notes")) == 2


async def test_a_deal_that_the_crm_does_not_take_holds_nothing_else_up(house: House) -> None:
    await house.fault(system="crm", operation="update_opportunity", kind="refuse", reason="validation rule")
    life = await house.start(house.payload(HOOLI))
    view = await life.until(lambda view: done(view, "onboarding") and view.cases)
    assert [(case.id, case.kind) for case in view.cases] == [("crm.write_status", "rejected")]
    await house.mend()
    await retry(life, "crm.write_status")
    await life.until(rests)

    async def shown() -> bool:
        found = await records(house, "crm", "opportunities")
        return bool(found[0].get("Tenure_Status__c") == "active")

    await eventually(shown)


async def test_a_refused_amendment_is_given_up_and_the_end_behind_it_reaches_the_erp(house: House) -> None:
    life = await serving(house)
    await house.fault(system="erp", operation="amend_subscription", kind="refuse", reason="too many seats")
    await life.tell(AmendmentWon(deal="UP-1", mode="difference", changes={"PLATFORM": Decimal(25)}))
    await life.until(lambda view: view.cases)
    ending = EndContract(by="csm", reason="moved away", on=(await clock(life)).date())
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    view = await life.until(lambda view: len(view.pending) == 2)
    await retry(life, case_of(view, "amendment:"), drop=True)
    assert (await life.handle.result()).outcome == "ended"
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["status"] == "ended"
    assert [line["quantity"] for line in subscription["lines"]] == ["1", "50", "1"]
    assert (await life.view()).lines[1].quantity == "50"


async def test_a_lifecycle_whose_deal_is_gone_from_the_crm_can_still_close(house: House) -> None:
    life = await serving(house)
    await house.fault(system="crm", operation="update_opportunity", kind="refuse", reason="no such deal")
    ending = EndContract(by="csm", reason="moved away", on=(await clock(life)).date())
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    await life.until(lambda view: view.stage is Stage.ENDED and view.cases)
    await retry(life, "crm.write_status", drop=True)
    assert (await life.handle.result()).outcome == "ended"
    assert (await life.view()).cases == []


async def test_what_cs_could_not_be_told_and_is_not_so_any_more_is_no_case(house: House) -> None:
    life = await serving(house)
    await health(house, lifecycle_stage="serving")
    await house.fault(system="cs", operation="set_health", kind="refuse", reason="no")
    await life.tell(SupportChanged(severities={1: 1}))
    await life.until(lambda view: view.cases)
    await life.tell(SupportChanged(severities={}))
    await life.until(rests)


async def test_a_step_that_is_being_tried_is_not_taken_as_done_by_hand(house: House) -> None:
    await house.fault(system="erp", operation="create_customer", kind="refuse", reason="no", times=1)
    life = await house.start(house.payload(HOOLI))
    view = await life.until(lambda view: view.cases)
    await house.fault(system="erp", operation="create_customer", kind="slow", seconds=1)
    before = len(await calls(house, "erp", "create_customer"))
    await retry(life, view.cases[0].id)

    async def asked() -> bool:
        return len(await calls(house, "erp", "create_customer")) > before

    await eventually(asked)
    by_hand = retry(life, view.cases[0].id, done_as="cus_by_hand")
    assert "being tried at this moment" in await refusal(by_hand)
    view = await life.until(lambda view: done(view, "onboarding") and rests(view))
    [customer] = await records(house, "erp", "customers")
    [subscription] = await records(house, "erp", "subscriptions")
    assert subscription["customer"] == customer["id"]
