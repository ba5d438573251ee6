"""Differences as their reader gets them: the open ones, oldest first, one by one, and left for a while."""

import re
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from domain.reconciling.difference import Found
from domain.view import LifecycleView, Stage
from store.difference_tables import ReconciliationRow
from store.differences import Compared, record
from store.reconciliations import Reconciliations
from tests.experience import Experience

TODAY = datetime.now(UTC).date()
OURS = {"Sec-Fetch-Site": "same-origin"}


def found(number: int, kind: str = "erp_quantity") -> Found:
    return Found(
        kind=kind,
        subject=f"L{number}",
        sentence=f"line <{number}> has another quantity",
        ours="25",
        theirs="20",
        connection="erp",
        contract=f"crm/RC-{number}/1",
        account="ACC-1",
    )


async def keep(experience: Experience, *differences: Found) -> None:
    for each in differences:
        await experience.publish(LifecycleView(contract=each.contract or "", stage=Stage.SERVING))
    contracts = [each.contract or "" for each in differences]
    compared = Compared(systems=("erp", "cs", "crm"), contracts=contracts)
    await experience.database.write(lambda session: record(session, differences, compared))


async def page(experience: Experience, **asked: str) -> str:
    answer = await experience.http.get("/console/reconciliation", params=asked)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", answer.text)


def shown(text: str) -> list[str]:
    return re.findall(r"line &lt;(\d)&gt; has another quantity</a>", text)


async def test_open_differences_are_listed_and_chosen(experience: Experience) -> None:
    assert "The systems agree" in await page(experience)
    await keep(experience, found(1), found(2, "cs_risk"), found(3))
    text = await page(experience)
    assert sorted(shown(text)) == ["1", "2", "3"]
    assert "ours: 25; erp: 20" in text
    assert 'href="/console/reconciliation?klass=quantity"' in text
    assert sorted(shown(await page(experience, klass="quantity"))) == ["1", "3"]
    assert shown(await page(experience, contract="crm/RC-3/1")) == ["3"]
    assert "No difference is like this" in await page(experience, status="healed")


async def test_one_is_left_for_a_reason_until_a_day(experience: Experience) -> None:
    await keep(experience, found(1))
    address = f"/console/reconciliation/{found(1).id}"
    text = (await experience.http.get(address)).text
    assert "Leave it for a while" in text
    until = TODAY + timedelta(days=7)
    for wrong in (
        {"reason": " ", "until": str(until)},
        {"reason": "agreed", "until": str(TODAY)},
        {"reason": "agreed"},
    ):
        assert (await experience.http.post(f"{address}/ignore", data=wrong, headers=OURS)).status_code == 422
    form = {"reason": "agreed with <finance>", "until": str(until)}
    answer = await experience.http.post(f"{address}/ignore", data=form, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    assert shown(await page(experience)) == []
    assert shown(await page(experience, status="ignored")) == ["1"]
    told = (await experience.http.get(address)).text
    assert f"ignored until {until}: agreed with &lt;finance&gt;" in told


async def test_what_there_is_not_is_one_clear_line(experience: Experience) -> None:
    assert (await experience.http.get("/console/reconciliation/diff-nobody")).status_code == 404
    for asked in ({"status": "x"}, {"klass": "x"}, {"system": "x"}):
        assert (await experience.http.get("/console/reconciliation", params=asked)).status_code == 422


async def test_how_the_newest_run_stands(experience: Experience) -> None:
    runs = Reconciliations(experience.database)
    number = await runs.begin()
    assert "A run is under way" in await page(experience)
    assert (await experience.get("/reconciliation"))["newest_run"]["state"] == "under_way"

    def die(session: Session) -> None:
        row = session.get_one(ReconciliationRow, number)
        row.started_at = row.started_at - timedelta(hours=1)

    await experience.database.write(die)
    assert "was broken off: its process has died" in await page(experience)
    told = await experience.get(f"/reconciliation/runs/{number}")
    assert (told["state"], told["ended_at"], told["problem"][:20]) == ("broken_off", None, "its process has died")
    await runs.end(await runs.begin(), contracts=1, found=1, sources=[])
    text = await page(experience)
    assert "broken off" not in text
    assert "1 contract, 1 difference," in text
