"""The portfolio as its reader gets it: what needs attention first, filters that are links, and nothing inline."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain.view import CaseView, LifecycleView, Stage
from store.orders import add_order
from tests.experience import Experience

NOW = datetime.now(UTC)


def view(number: int, **changes: Any) -> LifecycleView:
    values: dict[str, Any] = {
        "contract": f"crm/PF-{number}/1",
        "stage": Stage.SERVING,
        "account": f"ACC-{number}",
        "deal": f"PF-{number}",
        "selling_entity": "ACME-DE",
        "renewal_date": (NOW + timedelta(days=200)).date(),
        "next_due": NOW + timedelta(days=number),
        "next_step": "the renewal window opens",
    }
    return LifecycleView(**(values | changes))


def case(hours: int) -> CaseView:
    return CaseView(id="order", kind="order", title="the order is not valid", opened_at=NOW - timedelta(hours=hours))


async def page(experience: Experience, **asked: str) -> str:
    answer = await experience.http.get("/console", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


def shown(text: str) -> list[str]:
    return re.findall(r'id="life-(crm/PF-\d+)/1"', text)


async def test_what_needs_attention_comes_first_the_longest_first(experience: Experience) -> None:
    await experience.publish(view(1))
    await experience.publish(view(2, cases=[case(2)]))
    await experience.publish(view(3, cases=[case(50), case(1)]))
    await experience.publish(view(4, stage=Stage.ENDED))
    text = await page(experience)
    assert shown(text) == ["crm/PF-3", "crm/PF-2", "crm/PF-1"]
    assert "the order is not valid" in text
    assert "for 2 days, and 1 more" in re.sub(r"\s+", " ", text)


async def test_filters_are_links_and_choose(experience: Experience) -> None:
    await experience.publish(view(1, renewal_date=(NOW + timedelta(days=20)).date()))
    await experience.publish(view(2, stage=Stage.RENEWAL, risk="high"))
    await experience.publish(view(3, hold="INV-1", selling_entity="ACME-US"))
    await experience.publish(view(4, stage=Stage.ENDED))
    text = await page(experience)
    assert 'href="/console?stage=renewal"' in text
    assert 'href="/console?matter=at_risk"' in text
    assert shown(await page(experience, stage="renewal")) == ["crm/PF-2"]
    assert shown(await page(experience, stage="ended")) == ["crm/PF-4"]
    assert shown(await page(experience, matter="on_hold")) == ["crm/PF-3"]
    assert shown(await page(experience, matter="renews_in_30_days")) == ["crm/PF-1"]
    assert shown(await page(experience, entity="ACME-US")) == ["crm/PF-3"]
    assert 'href="/console?stage=renewal&amp;matter=at_risk"' in await page(experience, stage="renewal")


async def test_a_customer_is_found_by_name_deal_or_account_also_when_it_is_over(experience: Experience) -> None:
    order = {"account": {"id": "ACC-2", "name": "Hooli Süd <GmbH>"}}
    await experience.database.write(lambda session: add_order(session, "crm/PF-2/1", order, "test"))
    await experience.publish(view(1))
    await experience.publish(view(2, stage=Stage.ENDED))
    for words in ("hooli", "SÜD", "pf-2", "ACC-2", "<GmbH>"):
        assert shown(await page(experience, q=words)) == ["crm/PF-2"], words
    assert "Hooli Süd &lt;GmbH&gt;" in await page(experience, q="hooli")
    assert "Nothing is like this" in await page(experience, q="%")


async def test_each_lifecycle_stands_on_one_page(experience: Experience) -> None:
    for number in range(1, 64):
        await experience.publish(view(number, cases=[case(number)] if number % 7 == 0 else [], next_due=None))
    first = await page(experience)
    following = re.search(r'href="([^"]*cursor=[^"]*)" rel="next"', first)
    assert following is not None
    second = (await experience.http.get(following[1].replace("&amp;", "&"))).text
    assert len(shown(first)) == 50
    assert sorted(shown(first) + shown(second)) == sorted(f"crm/PF-{number}" for number in range(1, 64))


async def test_a_filter_that_there_is_not_is_one_clear_line(experience: Experience) -> None:
    answer = await experience.http.get("/console", params={"stage": "<b>"})
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "&#39;&lt;b&gt;&#39; is none of order_activation" in answer.text


async def test_day_and_today_agree(experience: Experience) -> None:
    await experience.publish(view(1, renewal_date=date.fromisoformat(str(NOW.date()))))
    assert "today" in await page(experience)
