"""Every kind of difference over five hundred contracts: found as what it is, nothing else; repaired, and clean."""

from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from inspect import isawaitable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bench.agreed import Plain
from domain.reconciling.difference import CLASSES, Difference, Remedy
from domain.reconciling.kinds import KINDS
from domain.standins import is_real
from starter.reconciling.reconciler import Reconciler
from store.differences import Differences
from tests.reconciling.drift import PLANTS, pick
from tests.reconciling.town import Town, open_town, repairs_of

COUNT = 500
TOLD = (
    "erp_customer_missing", "erp_subscription_missing", "crm_opportunity_missing", "cs_company_missing",
    "cs_onboarding_missing", "cs_playbook_missing",
)  # fmt: skip
"""What is repaired with another record, of which the lifecycle is told."""
BY_HAND = ("crm_account_missing", "crm_deal_missing", "run_orphaned")


async def test_drift_is_found_classified_and_repaired(temporal: Client, tmp_path: Path) -> None:
    assert {KINDS[kind].klass for kind in PLANTS} == set(CLASSES)
    async with open_town(temporal, tmp_path, COUNT) as town, AsyncExitStack() as stack:
        for worker in town.workers():
            await stack.enter_async_context(worker)
        planted = dict(pick(town.contracts))
        await town.settle(planted[kind] for kind in TOLD)
        for kind, of in planted.items():
            if isawaitable(done := PLANTS[kind](town, of)):
                await done
        reconciler, differences = (
            Reconciler(town.database, town.sources, {}, settle=timedelta(0)),
            Differences(town.database),
        )

        first = await reconciler.run()
        found = await differences.list()
        assert {(each.kind, each.contract) for each in found} == {_as_told(*each) for each in planted.items()}
        assert first.found == first.new == len(found) == len(planted)
        assert first.contracts == COUNT
        assert all(each.klass == KINDS[each.kind].klass and each.owner and each.sentence for each in found)

        repairs = repairs_of(town, reconciler)
        for each in found:
            if each.kind in BY_HAND:
                await _by_hand(town, each, planted[each.kind])
                continue
            remedy: Remedy = "accept" if each.kind == "run_over" else "redrive"
            assert (await repairs.preview(each.id, remedy, by="finance")).steps, each
            after = await repairs.repair(each.id, remedy, by="finance", reason="as the terms say")
            assert (after.status, after.settled) == ("repaired", "repaired by finance"), after.sentence

        second = await reconciler.run()
        left = await differences.list()
        assert (second.found, second.healed) == (0, len(BY_HAND)), [each.sentence for each in left]
        made_anew = {planted[kind] for kind in TOLD}
        assert town.get("erp", "subscriptions", planted["erp_active_unasked"].id("sub"))["status"] == "draft"
        for of in [each for each in town.contracts if each != planted["erp_active_unasked"]]:
            _holds_its_terms(town, of, new=of in made_anew)


SHARED = ("erp_customer", "erp_hold", "cs_company", "cs_risk", "cs_priority", "cs_stage", "crm_account")


def _as_told(kind: str, of: Plain) -> tuple[str, str | None]:
    """A workflow that was ended is still listed; what an account shares, or nobody knows, is of no one contract."""
    alone = kind.startswith(SHARED) or (KINDS[kind].klass == "orphaned" and kind != "erp_line_unknown")
    return "run_over" if kind == "run_missing" else kind, None if alone else of.contract


async def _by_hand(town: Town, difference: Difference, of: Plain) -> None:
    """What only the people of a system can do: a record comes back, a stray workflow is ended."""
    if difference.kind == "run_orphaned":
        await town.client.get_workflow_handle(difference.subject).terminate("by hand")
        return
    kind, id = ("accounts", of.account) if difference.kind == "crm_account_missing" else ("opportunities", of.deal)
    for system, each, document in of.documents():
        if (system, each) == ("crm", kind) and document["Id"] == id:
            town.put(system, each, document)


def _holds_its_terms(town: Town, of: Plain, *, new: bool) -> None:
    """Field by field what the contract should have; a record that was made anew has another id."""
    for system, kind, wanted in of.documents():
        id = wanted.get("id") or wanted.get("Id") or wanted["company"]
        there = town.box.store.get(system, kind, id)
        if there is None:
            assert new, (of.contract, system, kind)
            continue
        assert not there.get("archived"), (of.contract, system, kind)
        for name, value in wanted.items():
            if name == "lines":
                _lines(of, value, there["lines"])
            elif name == "OpportunityLineItems":
                assert there[name]["records"] == value["records"], of.contract
            elif not new and name not in ("SystemModstamp", "reasons"):
                assert there.get(name) == value, (of.contract, system, kind, name)


def _lines(of: Plain, wanted: list[dict[str, Any]], there: list[dict[str, Any]]) -> None:
    held = {line["id"]: line for line in there}
    for line in wanted:
        mine = held[line["id"]]
        assert mine["product"] == line["product"]
        assert mine["billing_starts"] in (line["billing_starts"], None), of.contract
        assert Decimal(mine["unit_price"]) == Decimal(line["unit_price"])
        assert Decimal(mine["quantity"]) in (Decimal(line["quantity"]), Decimal(80)), of.contract
    assert is_real(held["1"]["id"])
