"""Lifecycles over HTTP: the list page by page, one of them, and asked for conditionally."""

from datetime import UTC, date, datetime
from typing import Any

from domain.view import CaseView, LifecycleView, Stage
from tests.experience import Experience


def view(number: int, **changes: Any) -> LifecycleView:
    values: dict[str, Any] = {
        "contract": f"crm/L-{number}/1",
        "stage": Stage.SERVING,
        "account": f"ACC-{number % 2}",
        "renewal_date": date(2027, 1 + number, 1),
        "as_of": datetime(2027, 1, 1, tzinfo=UTC),
    }
    return LifecycleView(**(values | changes))


async def all_pages(experience: Experience, **asked: Any) -> list[str]:
    """The contracts, page by page."""
    seen: list[str] = []
    page = await experience.get("/lifecycles", limit=2, **asked)
    while True:
        seen += [item["contract"] for item in page["items"]]
        assert len(page["items"]) <= 2
        if page["next"] is None:
            return seen
        page = await experience.get("/lifecycles", limit=2, cursor=page["next"], **asked)


async def test_each_lifecycle_stands_on_one_page_the_nearest_renewal_first(experience: Experience) -> None:
    for number in (3, 1, 2):
        await experience.publish(view(number))
    await experience.publish(view(4, renewal_date=None))
    await experience.publish(view(5, renewal_date=date(2027, 2, 1)))
    order = ["crm/L-1/1", "crm/L-5/1", "crm/L-2/1", "crm/L-3/1", "crm/L-4/1"]
    assert await all_pages(experience) == order
    assert await all_pages(experience, order="contract") == sorted(order)


async def test_a_lifecycle_that_comes_between_two_pages_repeats_none(experience: Experience) -> None:
    for number in (1, 2, 3):
        await experience.publish(view(number))
    first = await experience.get("/lifecycles", limit=2)
    await experience.publish(view(0))
    second = await experience.get("/lifecycles", limit=2, cursor=first["next"])
    assert [item["contract"] for item in second["items"]] == ["crm/L-3/1"]


async def test_filters_choose(experience: Experience) -> None:
    await experience.publish(view(1))
    await experience.publish(view(2, stage=Stage.RENEWAL))
    wrong = CaseView(id="order", kind="order", title="wrong", opened_at=datetime(2027, 1, 1, tzinfo=UTC))
    await experience.publish(view(3, cases=[wrong]))
    assert await all_pages(experience, stage="renewal") == ["crm/L-2/1"]
    assert await all_pages(experience, account="ACC-1") == ["crm/L-1/1", "crm/L-3/1"]
    assert await all_pages(experience, needs_attention=True) == ["crm/L-3/1"]
    assert await all_pages(experience, contract="L-2") == ["crm/L-2/1"]
    assert await all_pages(experience, renews_from="2027-03-01", renews_before="2027-04-01") == ["crm/L-2/1"]


async def test_one_lifecycle_says_how_fresh_it_is(experience: Experience) -> None:
    await experience.publish(view(1))
    found = await experience.get("/lifecycles/crm/L-1/1")
    assert found["lifecycle"]["stage"] == "serving"
    assert found["freshness"] == {"lifecycle": found["updated_at"]}


async def test_nothing_comes_again_until_it_changes(experience: Experience) -> None:
    await experience.publish(view(1))
    first = await experience.http.get("/api/v1/lifecycles/crm/L-1/1")
    same = {"If-None-Match": first.headers["etag"]}
    again = await experience.http.get("/api/v1/lifecycles/crm/L-1/1", headers=same)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await experience.publish(view(1, stage=Stage.RENEWAL))
    changed = await experience.http.get("/api/v1/lifecycles/crm/L-1/1", headers=same)
    assert (changed.status_code, changed.json()["lifecycle"]["stage"]) == (200, "renewal")


async def test_what_is_wrong_is_a_problem_document(experience: Experience) -> None:
    for path, status in {
        "/lifecycles/crm/nobody/1": 404,
        "/lifecycles?cursor=wrong": 422,
        "/lifecycles?limit=0": 422,
        "/nothing": 404,
    }.items():
        answer = await experience.http.get(f"/api/v1{path}")
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
