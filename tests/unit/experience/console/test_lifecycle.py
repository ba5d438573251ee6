"""A lifecycle's page: where it stands, what waits for people, its story and its commands; all of it escaped."""

from datetime import UTC, date, datetime
from typing import Any

from domain.access import default_policy, demo_principal
from domain.view import CaseView, LifecycleView, Stage
from experience.console.commands import COMMANDS, offered
from experience.console.lifecycle import way
from store.tables import EffectRow
from store.timeline import add_line
from tests.experience import Experience

NOW = datetime.now(UTC)
HERE = "/console/lifecycles/crm/LP-1/1"


def view(**changes: Any) -> LifecycleView:
    values: dict[str, Any] = {
        "contract": "crm/LP-1/1",
        "stage": Stage.SERVING,
        "account": "ACC-LP",
        "deal": "LP-1",
        "term": 1,
        "term_starts": date(2026, 11, 27),
        "term_ends": date(2027, 11, 27),
        "next_step": "the renewal window opens",
    }
    return LifecycleView(**(values | changes))


async def page(experience: Experience, path: str = HERE, **asked: str) -> str:
    answer = await experience.http.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_way_shows_what_is_done_what_is_now_and_what_comes() -> None:
    assert [step.state for step in way(Stage.BILLING_ACTIVATION)] == ["done", "done", "now", "", ""]
    assert [(step.stage, step.state) for step in way(Stage.ENDED)][-2:] == [("serving", "done"), ("ended", "now")]
    assert [step.stage for step in way(Stage.CANCELLED)] == ["order_activation", "cancelled"]


async def test_its_story_is_told_and_what_was_made_outside_is_linked(experience: Experience) -> None:
    await experience.publish(view())
    effect = EffectRow(
        key="customer:ACC-LP:ACME-DE", contract="crm/LP-1/1", operation="erp.create_customer", state="DONE", fence=3,
        arguments="", generation=1, asked_arguments="", asked_generation=1, result={"id": "cus_7"}, lease_until=0.0,
        created_at=NOW.timestamp(), updated_at=NOW.timestamp(),
    )  # fmt: skip
    await experience.database.write(lambda session: session.add(effect))
    line: dict[str, Any] = {
        "business_at": NOW,
        "kind": "event",
        "summary": "<script>alert(1)</script> ada@hooli.example",
        "ref": "x",
    }
    await experience.database.write(lambda session: add_line(session, "crm/LP-1/1", **line))
    text = await page(experience)
    assert "/admin/records/erp/customers/cus_7" in text
    assert "3 tries" in text
    assert "<script>alert" not in text
    assert "ada@hooli.example" not in text
    assert "/namespaces/default/workflows/lifecycle%2Facme%2Fcrm%2FLP-1%2F1" in text
    assert "cus_7" not in (await page(experience, kind="stage")).partition("Timeline")[2].partition("Calendar")[0]


async def test_what_waits_for_people_leads_to_its_case(experience: Experience) -> None:
    case = CaseView(id="order", kind="order", title="the order is wrong", reasons=["currency: none"], opened_at=NOW)
    await experience.publish(view(stage=Stage.ORDER_ACTIVATION, term=0, cases=[case]))
    text = await page(experience)
    assert 'href="/console/cases/crm/LP-1/1%3Aorder"' in text
    assert "Correct the order" in text
    assert 'href="/console/do/fix/crm/LP-1/1"' in await page(experience, "/console/cases/crm/LP-1/1:order")


async def test_a_contract_that_there_is_not_is_a_page_that_says_so(experience: Experience) -> None:
    answer = await experience.http.get("/console/lifecycles/crm/NONE/1")
    assert answer.status_code == 404
    assert "there is no lifecycle crm/NONE/1" in answer.text


async def test_nothing_acts_without_a_preview(experience: Experience) -> None:
    await experience.publish(view())
    ours = {"Sec-Fetch-Site": "same-origin"}
    answer = await experience.http.post("/console/do/pause/crm/LP-1/1", data={"reason": "audit"}, headers=ours)
    assert answer.status_code == 422
    assert "a command is given from its preview" in answer.text
    asked = {"reason": "", "preview": "1"}
    answer = await experience.http.get("/console/do/pause/crm/LP-1/1", params=asked)
    assert answer.status_code == 422
    assert "a reason is needed" in answer.text


async def test_commands_are_those_that_fit(experience: Experience) -> None:
    everybody = demo_principal(default_policy())
    names = {command.name for command in offered(everybody, view())}
    assert {"amend", "extend", "renew", "notice", "end", "pause", "milestone"} <= names
    assert not names & {"resume", "withdraw", "cancel", "fix", "approve", "release"}
    assert {"resume"} <= {command.name for command in offered(everybody, view(paused="audit"))}
    csm = default_policy().principal("c", roles=["csm"])
    assert {command.permission for command in offered(csm, view())} <= csm.permissions
    assert all(command.title and command.says.endswith(".") for command in COMMANDS.values())
