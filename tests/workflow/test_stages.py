"""Stages off, observing or acting, and a lifecycle in shadow: what the outside world is spared, and what it gets."""

from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from sqlmodel import select

from domain import keys
from domain.messages import CollectionsChanged, SetStages
from domain.policies.stages import Policy, StageName
from store.tables import EffectRow
from tests.house import House, Life
from tests.workflow.lives import HOOLI, clock, counts, done, go_live, health, refusal, rests, to_day
from workflows.lifecycle import CustomerLifecycle


async def begun(house: House, **stages: str) -> Life:
    house.company.stages.update(TypeAdapter(dict[StageName, Policy]).validate_python(stages))
    try:
        life = await house.start(house.payload(HOOLI), **{"account.id": f"acc-{datetime.now(UTC).timestamp()}"})
        await life.until(lambda view: view.term and rests(view))
        return life
    finally:
        house.company.stages.clear()


async def ledger(house: House, contract: str) -> set[str]:
    query = select(EffectRow.key).where(EffectRow.contract == contract)
    return set(await house.database.read(lambda session: session.exec(query).all()))


async def test_a_stage_that_observes_decides_with_its_day_and_does_nothing(house: House) -> None:
    life = await begun(house, onboarding="observe", billing="observe")
    view = await life.until(lambda view: len(view.withheld) > 2)
    today = (await clock(life)).date()
    held = {each.key: each for each in view.withheld}
    assert held[keys.onboarding(life.contract)].on == today
    assert "launch onboarding" in held[keys.onboarding(life.contract)].title
    assert (await counts(house, "erp"))["subscriptions"] == 1, "the activation acts"
    assert not await counts(house, "cs")
    assert (await counts(house, "erp")).get("billing_starts", 0) == 0
    assert not {key for key in await ledger(house, life.contract) if key.startswith(("company", "billing"))}


async def test_a_stage_that_acts_later_performs_what_it_withheld_since_a_day_once(house: House) -> None:
    life = await begun(house, billing="observe")
    await go_live(life)
    asked = SetStages(by="ops", stages={"billing": "act"}, since=(await clock(life)).date() - timedelta(days=400))
    answer = await life.handle.execute_update(CustomerLifecycle.set_stages, asked)
    assert answer.message == "billing is act"
    view = await life.until(lambda view: rests(view) and not view.withheld)
    assert (await counts(house, "erp"))["billing_starts"] == len(view.lines)
    await life.handle.execute_update(CustomerLifecycle.set_stages, asked)
    await life.until(rests)
    assert (await counts(house, "erp"))["billing_starts"] == len(view.lines)


async def test_a_policy_that_makes_no_sense_is_refused_with_its_reason(house: House) -> None:
    life = await begun(house, onboarding="off")
    asked = SetStages(by="ops", stages={"onboarding": "act"})
    assert "the company outside is not known" in await refusal(
        life.handle.execute_update(CustomerLifecycle.set_stages, asked)
    )


async def test_a_renewal_that_is_off_is_somebody_elses_and_the_terms_go_on(house: House) -> None:
    life = await begun(house, renewal="off")
    await go_live(life)
    before = await counts(house, "erp")
    view = await life.view()
    assert view.term_ends is not None
    await to_day(life, view.term_ends + timedelta(days=1))
    view = await life.until(lambda view: view.term == 2 and rests(view))
    assert not view.withheld
    assert not done(view, "readiness")
    after = await counts(house, "erp")
    assert after.get("renewals", 0) == before.get("renewals", 0)
    assert "opportunities" not in await counts(house, "crm") or (await counts(house, "crm"))["opportunities"] == 1


async def test_what_risk_would_be_is_assessed_where_serving_only_observes(house: House) -> None:
    life = await begun(house, serving="observe")
    since = (await clock(life)).date()
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=since))
    view = await life.until(lambda view: view.risk == "medium")
    assert [each.key for each in view.withheld] == ["cs.set_health"]
    assert "health" not in await counts(house, "cs")
    await life.handle.execute_update(CustomerLifecycle.set_stages, SetStages(by="ops", stages={"serving": "act"}))
    await health(house, risk="medium")


async def test_a_renewal_that_observes_goes_its_way_without_a_trace_outside(house: House) -> None:
    life = await begun(house, renewal="observe")
    await go_live(life)
    before = (await counts(house, "crm"), await counts(house, "cs"), await counts(house, "erp"))
    await to_day(life, (await life.view()).window_opens)
    view = await life.until(lambda view: view.readiness is not None and rests(view))
    held = {each.key.split(":")[0] for each in view.withheld}
    assert held >= {"renewal-opportunity", "playbook", "readiness-note"}
    assert before == (await counts(house, "crm"), await counts(house, "cs"), await counts(house, "erp"))
