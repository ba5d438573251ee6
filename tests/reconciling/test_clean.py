"""What nobody disagrees about."""

from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from starter.reconciling.reconciler import Reconciler
from tests.reconciling.town import open_town


async def test_contracts_that_agree_with_the_outside_are_no_difference(temporal: Client, tmp_path: Path) -> None:
    async with open_town(temporal, tmp_path, 60) as town:
        done = await Reconciler(town.database, town.sources, {}, settle=timedelta(0)).run()
    assert (done.contracts, done.found, done.waiting) == (60, 0, 0), done
    assert {each.source: each.problem for each in done.sources} == dict.fromkeys(("erp", "crm", "cs", "temporal"), "")
