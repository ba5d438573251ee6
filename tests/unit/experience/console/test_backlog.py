"""The backlog as its reader gets it: what flows, what waits, what is dead, how long it takes."""

import re
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from domain.call_times import CallTimes
from domain.view import LifecycleView, Stage
from store.call_times import SqlCallTimes
from store.freezing import freeze
from store.tables import DeliveryRow, EffectRow, InboxRow
from tests.experience import Experience, open_experience

NOW = datetime.now(UTC)


def event(source: str, number: int, hours: float, state: str = "routed", problem: str = "") -> InboxRow:
    came = NOW - timedelta(hours=hours)
    return InboxRow(
        source=source,
        event_id=f"{source}-{number}",
        type="t",
        subject="",
        payload="{}",
        received_at=came,
        state=state,
        problem=problem,
    )


async def page(experience: Experience) -> str:
    answer = await experience.http.get("/console/backlog")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


async def test_before_anything_has_come_it_says_so(experience: Experience) -> None:
    text = await page(experience)
    assert "Nothing has come in yet" in text
    assert "Every event could be used" in text


async def test_it_says_what_came_what_waits_and_how_long_it_took(experience: Experience) -> None:
    await experience.publish(LifecycleView(contract="crm/BL-1/1", stage=Stage.SERVING))

    def put(session: Session) -> None:
        session.add_all(event("support", number, 0, "received") for number in range(3))
        session.add(event("support", 9, 100))
        session.add(event("<crm>", 1, 0, "dead", "unusable"))
        came = event("erp", 1, 0)
        session.add(came)
        session.flush()
        settled = NOW.timestamp() + 2.5
        delivery = DeliveryRow(inbox_id=came.id or 0, stream="crm/BL-1/1", kind="k", payload={}, state="delivered")
        delivery.settled_at = settled
        session.add(delivery)

    await experience.database.write(put)
    text = await page(experience)
    support = re.search(r'<th scope="row">support</th>(.*?)</tr>', text)
    assert support is not None
    assert re.findall(r">(\d+)<", support[1])[:2] == ["3", "3"], "received in the last day, and waiting"
    assert re.search(r'<th scope="row">erp</th>.*?>2\.5 s<', text)
    assert "&lt;crm&gt;" in text
    assert re.search(r'<th scope="row">unusable</th><td class="number">1</td>', text)


async def test_connections_say_how_long_a_call_takes_and_whether_they_are_frozen(experience: Experience) -> None:
    await experience.database.write(_done_outside)
    times = CallTimes()
    for took in (0.2, 0.2, 0.4, 0.4):
        times.add(took, failed=False)
    await SqlCallTimes(experience.database).add({"erp": times}, {})
    text = await page(experience)
    assert re.search(r'<th scope="row">erp</th> <td><span class="pill good">open</span>.*?>3<.*?>0\.25 s<', text)
    assert re.search(r'<th scope="row">cs</th> <td><span class="pill warn">frozen</span> maintenance until noon', text)


async def test_it_is_the_same_on_postgresql(postgres_url: str) -> None:
    async with open_experience(postgres_url) as experience:
        assert "Nothing has come in yet" in await page(experience)

        def put(session: Session) -> None:
            session.add_all(event("support", number, 0, "received") for number in range(3))
            _done_outside(session)

        await experience.database.write(put)
        text = await page(experience)
    support = re.search(r'<th scope="row">support</th>(.*?)</tr>', text)
    assert support is not None
    assert re.findall(r">(\d+)<", support[1])[:2] == ["3", "3"]
    assert re.search(r'<th scope="row">erp</th>.*?>3<', text)


def _done_outside(session: Session) -> None:
    freeze(session, "cs", "maintenance until noon")
    at = NOW.timestamp() - 60
    for number in range(3):
        session.add(
            EffectRow(
                key=f"k{number}", contract="c", operation="erp.start_billing", state="DONE", fence=1,
                arguments="a", generation=0, asked_arguments="a", asked_generation=0, lease_until=0.0,
                sent_at=at, created_at=at, updated_at=at + 1,
            )
        )  # fmt: skip
