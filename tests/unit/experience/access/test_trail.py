"""The audit trail over HTTP: sensitive reads and commands, with who and why."""

from typing import Any

from domain.view import LifecycleView, Stage
from store.tables import CaseRow, InboxRow
from tests.experience import Experience

OURS = {"Sec-Fetch-Site": "same-origin"}


async def a_case(experience: Experience, contract: str) -> str:
    await experience.publish(LifecycleView(contract=contract, stage=Stage.SERVING))
    row = InboxRow(source="cs", event_id=contract, type="t", subject="s", payload='{"data": 1}', state="dead")
    case = CaseRow(id=f"{contract}:dead", contract=contract, kind="dead_letter", title="of no use")

    def write(session: Any) -> None:
        session.add(row)
        session.flush()
        case.inbox_id = row.id
        session.add(case)

    await experience.database.write(write)
    return case.id


async def trail(experience: Experience, **wanted: Any) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = (await experience.get("/audit", **wanted))["items"]
    return [line for line in lines if line["permission"] != "audit.read"]


async def test_a_read_that_shows_something_sensitive_is_told_with_its_reason(experience: Experience) -> None:
    case = await a_case(experience, "crm/TRAIL-1/1")
    await experience.get("/lifecycles/crm/TRAIL-1/1")
    assert await trail(experience) == [], "nothing sensitive was shown"
    why = {"Tenure-Reason": "the customer asks"}
    assert (await experience.http.get(f"/api/v1/cases/{case}", headers=why)).status_code == 200
    [line] = await trail(experience)
    assert (line["actor"], line["kind"], line["permission"], line["way"]) == ("demo", "read", "case.read", "api")
    assert (line["subject"], line["reason"], line["shown"]) == (case, "the customer asks", ["payload"])
    await experience.http.get(f"/console/cases/{case}")
    page, _ = await trail(experience)
    assert (page["way"], page["shown"]) == ("console", ["payload"])


async def test_a_command_is_told_before_and_after(experience: Experience) -> None:
    case = await a_case(experience, "crm/TRAIL-2/1")
    key = {"Idempotency-Key": "k1"}
    answer = await experience.http.post(
        f"/api/v1/cases/{case}/resolve", json={"reason": "sent twice"}, headers=key | OURS
    )
    assert answer.status_code == 200, answer.text
    done, begun = await trail(experience, permission="case.resolve")
    assert (begun["outcome"], done["outcome"], begun["request"]) == ("begun", "done", done["request"])
    assert (done["subject"], done["reason"]) == (case, "sent twice")
    again = {"Idempotency-Key": "k2"}
    refused = await experience.http.post(
        f"/api/v1/cases/{case}/resolve", json={"reason": "again"}, headers=again | OURS
    )
    assert refused.status_code in (409, 422)
    last = (await trail(experience, permission="case.resolve"))[0]
    assert last["outcome"] in ("refused", "failed")
    assert "resolved already" in last["detail"]


async def test_the_trail_is_read_page_by_page_and_reading_it_is_told(experience: Experience) -> None:
    for number in range(3):
        await experience.http.get(f"/api/v1/cases/{await a_case(experience, f'crm/TRAIL-{number}/2')}")
    first = await experience.get("/audit", permission="case.read", limit=2)
    rest = await experience.get("/audit", permission="case.read", limit=2, cursor=first["next"])
    assert [len(page["items"]) for page in (first, rest)] == [2, 1]
    assert rest["next"] is None
    assert (await experience.get("/audit", permission="audit.read"))["items"][0]["shown"] == ["audit"]


async def test_a_form_of_another_site_commands_nothing(experience: Experience) -> None:
    case = await a_case(experience, "crm/TRAIL-3/1")
    for foreign in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = await experience.http.post(
            f"/api/v1/cases/{case}/resolve", json={"reason": "x"}, headers={"Idempotency-Key": "k", **foreign}
        )
        assert answer.status_code == 403
    assert await trail(experience, kind="command") == []


async def test_what_a_case_says_holds_no_personal_data(experience: Experience) -> None:
    case = CaseRow(
        id="crm/TRAIL-4/1:k",
        contract="crm/TRAIL-4/1",
        kind="k",
        title="ann@hooli.example",
        reasons=["bob@hooli.example"],
    )
    await experience.database.write(lambda session: session.add(case))
    for path in (f"/api/v1/cases/{case.id}", "/api/v1/cases", f"/console/cases/{case.id}", "/console/cases"):
        answer = await experience.http.get(path)
        assert answer.status_code == 200, path
        assert "hooli.example" not in answer.text, path
