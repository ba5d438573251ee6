"""What the API says of one contract: its order, its renewal, its story, its cases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain.call_times import Calls
from domain.policies.readiness import Readings, assess_readiness
from domain.view import CaseView, LifecycleView, Stage
from store.contract_calls import add_calls
from store.tables import CaseRow, EffectRow
from store.timeline import Timeline
from tests.experience import Experience

CONTRACT = "crm/C-1/1"
TODAY = datetime.now(UTC).date()


def view(**changes: Any) -> LifecycleView:
    values: dict[str, Any] = {"contract": CONTRACT, "stage": Stage.SERVING, "account": "ACC-C", "zone": "UTC"}
    return LifecycleView(**(values | changes))


def effect(key: str, at: float, **changes: Any) -> EffectRow:
    values: dict[str, Any] = {"state": "DONE", "fence": 1, "result": {"id": "E-1"}, "operation": "erp.activate_order"}
    return EffectRow(
        key=key,
        contract=CONTRACT,
        arguments="",
        generation=1,
        asked_arguments="",
        asked_generation=1,
        lease_until=0.0,
        created_at=at,
        updated_at=at,
        **(values | changes),
    )


async def add(experience: Experience, *rows: Any) -> None:
    await experience.database.write(lambda session: session.add_all(rows))


async def test_an_order_that_waits_says_for_what(experience: Experience) -> None:
    wrong = CaseView(id="order", kind="invalid_order", title="no tax id", opened_at=datetime.now(UTC))
    await experience.publish(view(stage=Stage.ORDER_ACTIVATION, cases=[wrong], next_step="needs attention"))
    await add(experience, effect(f"subscription:{CONTRACT}", 1.0), effect(f"ending:{CONTRACT}", 2.0))
    [line] = (await experience.get("/activations"))["items"]
    assert (line["progress"], line["waits_for"]) == ("needs_attention", "needs attention")
    found = await experience.get(f"/activations/{CONTRACT}")
    assert [step["effect"] for step in found["steps"]] == [f"subscription:{CONTRACT}"]
    assert (found["confirmed_at"], found["cases"][0]["title"]) == (None, "no tax id")
    await experience.publish(view())
    await add(experience, effect(f"activation:{CONTRACT}", 3.0))
    done = await experience.get(f"/activations/{CONTRACT}")
    assert (done["progress"], done["confirmed_at"]) == ("activated", "1970-01-01T00:00:03Z")
    assert (await experience.get("/activations"))["items"] == []


async def test_a_renewal_is_eligible_from_its_window_on(experience: Experience) -> None:
    later = TODAY + timedelta(days=3)
    await experience.publish(view(window_opens=later, renewal_date=later + timedelta(days=90)))
    early = await experience.get(f"/renewals/{CONTRACT}/eligibility")
    assert (early["eligible"], early["reasons"]) == (False, [f"the renewal window opens on {later}"])
    await experience.publish(view(window_opens=TODAY, renewal_date=TODAY + timedelta(days=90)))
    now = await experience.get(f"/renewals/{CONTRACT}/eligibility")
    assert (now["eligible"], now["reasons"]) == (True, [])


async def test_readiness_says_why_and_how_fresh_its_sources_are(experience: Experience) -> None:
    assessed = assess_readiness(Readings(), date(2027, 3, 1), former={"erp": date(2027, 2, 1)})
    await experience.publish(view(readiness=assessed.model_dump(mode="json"), renewal_date=TODAY, term=1))
    found = await experience.get(f"/renewals/{CONTRACT}/readiness")
    assert found["readiness"]["verdict"] == "attention"
    assert "−5: billing history: not read since 2027-02-01" in found["readiness"]["reasons"]
    assert found["freshness"]["erp"] == "2027-02-01T00:00:00Z"
    assert found["freshness"]["cs"] is None
    [line] = (await experience.get("/renewals", renews_before=str(TODAY + timedelta(days=1))))["items"]
    assert (line["contract"], line["verdict"]) == (CONTRACT, "attention")


async def test_the_story_is_told_page_by_page_the_newest_first(experience: Experience) -> None:
    await experience.publish(view(as_of=datetime(2027, 1, 1, tzinfo=UTC)))
    timeline = Timeline(experience.database)
    for day in (2, 3):
        at = datetime(2027, 1, day, tzinfo=UTC)
        await timeline.add(CONTRACT, business_at=at, kind="invoice", summary=f"day {day}", ref=f"r{day}")
    first = await experience.get(f"/lifecycles/{CONTRACT}/timeline", limit=2)
    assert [line["summary"] for line in first["items"]] == ["day 3", "day 2"]
    rest = await experience.get(f"/lifecycles/{CONTRACT}/timeline", limit=2, cursor=first["next"])
    assert ([line["summary"] for line in rest["items"]], rest["next"]) == (["serving"], None)
    assert (await experience.http.get("/api/v1/lifecycles/crm/nobody/1/timeline")).status_code == 404


async def test_effects_and_what_they_cost(experience: Experience) -> None:
    await experience.publish(view())
    await add(experience, effect("a", 1.0, fence=3), effect("b", 2.0, state="SENT", result=None))
    page = await experience.get(f"/lifecycles/{CONTRACT}/effects", limit=1)
    assert [(each["key"], each["attempts"], each["record"]) for each in page["items"]] == [("a", 3, "E-1")]
    rest = await experience.get(f"/lifecycles/{CONTRACT}/effects", limit=1, cursor=page["next"])
    assert [(each["key"], each["state"]) for each in rest["items"]] == [("b", "SENT")]
    cost = await experience.get(f"/lifecycles/{CONTRACT}/cost")
    assert (cost["effects"], cost["attempts"], cost["retries"]) == (1, 4, 2)
    assert cost["calls"] == []
    called = {(CONTRACT, "erp"): Calls(7, 1), (CONTRACT, "crm"): Calls(2), ("crm/C-2/1", "erp"): Calls(9)}
    for _ in range(2):
        await experience.database.write(lambda session: add_calls(session, called))
    cost = await experience.get(f"/lifecycles/{CONTRACT}/cost")
    erp = {"connection": "erp", "calls": 14, "failed": 2}
    assert cost["calls"] == [{"connection": "crm", "calls": 4, "failed": 0}, erp]
    page = (await experience.http.get(f"/console/lifecycles/{CONTRACT}")).text
    assert "14 calls to erp, 2 retries; 0 of 0 events woke it" in page


async def test_cases_are_chosen_and_shown(experience: Experience) -> None:
    await add(
        experience,
        CaseRow(id="one", kind="dead_letter", title="first", tags=["tax"], opened_at=datetime(2027, 1, 1, tzinfo=UTC)),
        CaseRow(id="two", kind="frozen", title="second", opened_at=datetime(2027, 1, 2, tzinfo=UTC)),
        CaseRow(id="three", kind="frozen", title="third", opened_at=datetime(2027, 1, 2, tzinfo=UTC), state="resolved"),
    )
    first = await experience.get("/cases", limit=1)
    assert [case["id"] for case in first["items"]] == ["two"]
    rest = await experience.get("/cases", limit=1, cursor=first["next"])
    assert ([case["id"] for case in rest["items"]], rest["next"]) == (["one"], None)
    assert len((await experience.get("/cases", state="any"))["items"]) == 3
    assert [case["id"] for case in (await experience.get("/cases", tag="tax"))["items"]] == ["one"]
    assert (await experience.get("/cases/one"))["case"]["title"] == "first"
    assert (await experience.http.get("/api/v1/cases/nothing-like-it")).status_code == 404


async def test_words_and_the_backlog(experience: Experience) -> None:
    words = {entry["term"] for entry in (await experience.get("/glossary"))["terms"]}
    assert {"active customer", "renewal eligibility", "invoice delinquent"} <= words
    assert (await experience.get("/backlog"))["parked"] == 0
