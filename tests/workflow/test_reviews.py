"""An evergreen contract: no renewal, a look at it every year, and an end by notice."""

from datetime import date, timedelta

from domain import calendar
from domain.messages import EndContract
from domain.view import LifecycleView, Stage
from tests.house import House, Life
from tests.states import EVERGREEN
from tests.workflow.lives import ZONE, clock, counts, readiness, records, rests, serving, to_day, to_end
from workflows.lifecycle import CustomerLifecycle


def reviewed(number: int) -> str:
    return f":1:review-{number}"


def is_reviewed(view: LifecycleView, number: int) -> bool:
    done = [key for key in view.effects if key.endswith(reviewed(number))]
    return len(done) == 2 and rests(view)


async def review(life: Life, number: int) -> LifecycleView:
    """Go to the day on which the next review opens, and see it prepared."""
    opens = (await life.view()).review_opens
    assert opens is not None
    await to_day(life, opens)
    return await life.until(lambda view: is_reviewed(view, number))


async def test_an_evergreen_contract_is_reviewed_every_year_and_nothing_is_decided(house: House) -> None:
    life = await serving(house, **EVERGREEN | {"terms.notice_days": 10})
    starts = (await life.view()).term_starts
    assert starts is not None
    for number in (1, 2, 3):
        view = await review(life, number)
        due = calendar.add_months(starts, 12 * number)
        assert (view.review, view.stage, view.term_ends, view.decision) == (number, Stage.SERVING, None, None)
        assert (await clock(life)).date() >= due - timedelta(days=91)
        playbooks = await records(house, "cs", "playbooks")
        assert [each["due"] for each in playbooks][-1] == due.isoformat()
    assert view.forecast is None, "there is no renewal to forecast"
    assert "crm" not in readiness(view)["sources"], "no opportunity belongs to it"
    notes = await records(house, "cs", "notes")
    assert len(notes) == 3
    assert notes[0]["text"].startswith("Yearly review 1, due on")
    assert (await counts(house, "cs"))["playbooks"] == 3
    assert [each for each in await records(house, "crm", "opportunities") if each.get("Type") == "Renewal"] == []


async def test_an_evergreen_contract_ended_with_notice_is_reviewed_no_more(house: House) -> None:
    life = await serving(house, **EVERGREEN)
    await review(life, 1)
    day = (await clock(life)).date() + timedelta(days=400)
    ending = EndContract(by="csm", reason="moved away", on=day)
    await life.handle.execute_update(CustomerLifecycle.end, ending)
    view = await life.until(lambda view: view.stage is Stage.ENDING)
    assert (view.review_opens, view.forecast.category if view.forecast else None) == (None, "churn")
    await to_end(life, day, ZONE)
    [subscription] = await records(house, "erp", "subscriptions")
    assert (subscription["status"], date.fromisoformat(subscription["ends"])) == ("ended", day)
    assert (await counts(house, "cs"))["playbooks"] == 1
