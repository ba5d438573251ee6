"""The adapters of the sandbox pass every kit; those that are its own show what a kit can't ask of every vendor."""

from collections.abc import Callable

import httpx
import pytest

from adapters.crm.sandbox import SandboxCrm
from adapters.cs.sandbox import SandboxCs
from adapters.erp.sandbox import SandboxErp
from adapters.support.sandbox import SandboxSupport
from adapters.usage.sandbox import SandboxUsage
from domain.errors import AuthFailed, InvalidInput, Rejected
from domain.ports import CreditHold, Probe
from tests.kits.contracts import (
    crm_contract,
    cs_contract,
    erp_contract,
    erp_records_contract,
    support_contract,
    usage_contract,
)
from tests.kits.sandbox import sandbox_world

TestSandboxCrm = crm_contract(lambda: sandbox_world("crm", SandboxCrm))
TestSandboxErp = erp_contract(lambda: sandbox_world("erp", SandboxErp))
TestSandboxErpRecords = erp_records_contract(lambda: sandbox_world("erp", SandboxErp, {"records": "list_records"}))
TestSandboxCs = cs_contract(lambda: sandbox_world("cs", SandboxCs))
TestSandboxSupport = support_contract(lambda: sandbox_world("support", SandboxSupport))
TestSandboxUsage = usage_contract(lambda: sandbox_world("usage", SandboxUsage))

WRITING: tuple[tuple[str, Callable[[httpx.AsyncClient], Probe], str], ...] = (
    ("crm", SandboxCrm, "Tenure_Status__c"),
    ("erp", SandboxErp, "external_id"),
    ("cs", SandboxCs, "external_id"),
)


@pytest.mark.parametrize(("system", "adapter", "field"), WRITING)
async def test_a_probe_finds_what_is_wrong_and_how_to_mend_it(
    system: str, adapter: Callable[[httpx.AsyncClient], Probe], field: str
) -> None:
    async with sandbox_world(system, adapter) as world:
        restriction = {"system": system, "read_only": True, "without": [field]}
        (await world.http.post("/admin/access", json=restriction)).raise_for_status()
        found = {problem.what: problem.mend for problem in (await world.port.probe()).problems}
        assert set(found) == {f"the credentials may only read the {system}", f"the {system} has no field {field}"}
        assert all(found.values())
        (await world.http.post("/admin/access", json={"system": system})).raise_for_status()
        assert (await world.port.probe()).problems == ()


async def test_what_a_probe_warns_of_is_what_fails() -> None:
    async with sandbox_world("erp", SandboxErp) as world:
        new = world.sample.customer()
        for restriction, error in (({"read_only": True}, AuthFailed), ({"without": ["external_id"]}, InvalidInput)):
            (await world.http.post("/admin/access", json={"system": "erp", **restriction})).raise_for_status()
            with pytest.raises(error):
                await world.port.create_customer(new, key="customer:1")
        assert await world.count("create_customer") == 0


async def test_a_held_customer_gets_no_new_subscription() -> None:
    async with sandbox_world("erp", SandboxErp) as world:
        customer = await world.sample.make_customer(world.port)
        await world.port.set_credit_hold(CreditHold(customer=customer, held=True, reason="long overdue"))
        with pytest.raises(Rejected, match="credit hold"):
            await world.port.create_subscription(world.sample.subscription(customer), key="subscription:1")
        await world.port.set_credit_hold(CreditHold(customer=customer, held=False, reason="paid"))
        await world.port.create_subscription(world.sample.subscription(customer), key="subscription:2")


async def test_two_customers_with_one_tax_id_are_nobodys_choice() -> None:
    async with sandbox_world("erp", SandboxErp) as world:
        new = world.sample.customer()
        for _ in range(2):
            await world.put_customer(new)
        with pytest.raises(Rejected, match="several customers"):
            await world.port.create_customer(new, key="customer:1")
        assert await world.count("create_customer") == 2


@pytest.mark.parametrize(("name", "alike"), [("HOOLI, G.m.b.H.", True), ("Hooli", True), ("Hooli Austria GmbH", False)])
async def test_a_legal_form_makes_no_other_company(name: str, alike: bool) -> None:
    async with sandbox_world("erp", SandboxErp) as world:
        await world.put_customer(world.sample.customer(name=name, tax_id=None))
        assert bool(await world.port.similar_customers(world.sample.customer(name="Hooli GmbH"))) is alike
