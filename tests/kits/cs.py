"""The kit of the port CustomerSuccess."""

from datetime import date
from uuid import uuid4

import pytest

from domain.errors import NotFound
from domain.ports import CustomerSuccess, Health, NewCompany, NewOnboarding, NewPlaybook, OnboardingTask
from tests.kits.effects import EffectContract, Write
from tests.kits.reads import Read
from tests.kits.world import CsWorld


class CsContract(EffectContract):
    writes = ("ensure_company", "launch_onboarding", "set_health", "start_playbook", "post_note")
    reads = ("find_onboarding", "find_playbook", "open_tasks", "probe")

    async def read(self, world: CsWorld, reading: str) -> Read:
        match reading:
            case "find_onboarding":
                return lambda port: port.find_onboarding("onboarding:none")
            case "find_playbook":
                return lambda port: port.find_playbook("playbook:none")
            case _:
                company = await _company(world.port)
                return lambda port: port.open_tasks(company)

    async def write(self, world: CsWorld, writing: str) -> Write:
        port, key = world.port, f"{writing}:{uuid4()}"
        company = "" if writing == "ensure_company" else await _company(port)
        already = 0 if writing == "set_health" else await world.count(writing)

        async def standing() -> int:
            return await world.count(writing) - already

        match writing:
            case "ensure_company":
                new = NewCompany(account=f"001-{uuid4()}", name="Hooli GmbH")
                return Write(lambda port: port.ensure_company(new, key=key), standing)
            case "launch_onboarding":
                plan = _plan(company)
                return Write(
                    lambda port: port.launch_onboarding(plan, key=key), standing, lambda: port.find_onboarding(key)
                )
            case "start_playbook":
                book = NewPlaybook(
                    company=company,
                    contract="crm/1/1",
                    name="Renewal",
                    due=date(2027, 9, 2),
                    steps=("Review", "Decide"),
                )
                return Write(lambda port: port.start_playbook(book, key=key), standing, lambda: port.find_playbook(key))
            case "post_note":
                return Write(lambda port: port.post_note(company, "Ready to renew", key=key), standing)
            case _:
                return self._health(world, company)

    def _health(self, world: CsWorld, company: str) -> Write:
        raised = Health(
            company=company, risk="high", renewal_priority="urgent", lifecycle_stage="serving",
            reasons=("invoice overdue", "two severe cases"),
        )  # fmt: skip
        calm = Health(company=company, risk="low", renewal_priority="normal", lifecycle_stage="serving", reasons=())

        async def is_set() -> int:
            return int(await world.value("set_health", company) == raised.model_dump(mode="json", exclude={"company"}))

        return Write(lambda port: port.set_health(raised), is_set, other=lambda port: port.set_health(calm))

    async def test_an_account_has_one_company_whatever_the_key(self, world: CsWorld) -> None:
        new = NewCompany(account=f"001-{uuid4()}", name="Hooli GmbH")
        first = await world.port.ensure_company(new, key="company:1")
        assert await world.port.ensure_company(new, key="company:2") == first
        assert await world.count("ensure_company") == 1

    async def test_a_plan_opens_its_tasks_until_they_are_completed(self, world: CsWorld) -> None:
        company = await _company(world.port)
        assert await world.port.open_tasks(company) == 0
        await world.port.launch_onboarding(_plan(company), key="onboarding:1")
        assert await world.port.open_tasks(company) == 2
        await world.complete_a_task(company)
        assert await world.port.open_tasks(company) == 1

    async def test_an_unknown_company_is_not_found(self, world: CsWorld) -> None:
        with pytest.raises(NotFound):
            await world.port.open_tasks("no-such")
        with pytest.raises(NotFound):
            await world.port.post_note("no-such", "Ready to renew", key="note:1")
        with pytest.raises(NotFound):
            await self._health(world, "no-such").send(world.port)


def _plan(company: str) -> NewOnboarding:
    tasks = (
        OnboardingTask(name="Kick-off", due_in_days=7),
        OnboardingTask(name="Go live", due_in_days=30, milestone="go-live"),
    )
    return NewOnboarding(
        company=company, contract="crm/1/1", template="standard", starts=date(2026, 12, 1), tasks=tasks
    )


async def _company(port: CustomerSuccess) -> str:
    return (await port.ensure_company(NewCompany(account=f"001-{uuid4()}", name="Hooli GmbH"), key="company")).id
