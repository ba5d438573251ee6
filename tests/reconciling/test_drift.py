"""Every kind of difference, planted once over five hundred contracts: all found, each as what it is, nothing else."""

from datetime import timedelta
from inspect import isawaitable
from pathlib import Path

from temporalio.client import Client

from domain.reconciling.difference import CLASSES
from domain.reconciling.kinds import KINDS
from starter.reconciling.reconciler import Reconciler
from store.differences import Differences
from tests.reconciling.drift import OF_NOBODY, PLANTS, pick
from tests.reconciling.town import open_town

COUNT = 500


async def test_every_kind_is_found_and_classified_and_nothing_else(temporal: Client, tmp_path: Path) -> None:
    assert set(PLANTS) | {"run_over"} == set(KINDS), set(KINDS) ^ set(PLANTS)
    assert {KINDS[kind].klass for kind in PLANTS} == set(CLASSES)
    async with open_town(temporal, tmp_path, COUNT) as town:
        planted = {}
        for kind, of in pick(town.contracts):
            if isawaitable(done := PLANTS[kind](town, of)):
                await done
            planted[kind] = of
        run = await Reconciler(town.database, town.sources, {}, settle=timedelta(0)).run()
        found = await Differences(town.database).list()
    shared = ("erp_customer", "erp_hold", "cs_company", "cs_risk", "cs_priority", "cs_stage", "crm_account")
    wanted = {
        (kind, None if kind in OF_NOBODY or kind.startswith(shared) else of.contract) for kind, of in planted.items()
    }
    told = {(each.kind, each.contract) for each in found}
    assert told == {("run_over", of) if kind == "run_missing" else (kind, of) for kind, of in wanted}
    assert len(found) == len(planted)
    assert run.found == run.new == len(planted)
    assert all(each.klass == KINDS[each.kind].klass and each.owner and each.sentence for each in found)
