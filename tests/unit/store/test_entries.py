"""What is known to be done already comes into the ledger, over a step that was given up, never over one under way."""

from collections.abc import Iterator
from functools import partial

import pytest

from domain.existing import Entry
from store.database import Database
from store.imports import Conflict, record_effects
from store.ledger import SqlLedger

KEY, CONTRACT = "billing-start:crm/d1/1:line:1", "crm/d1/1"
KNOWN = {KEY: Entry("erp.start_billing", "reconciled", {"id": "sub_1"})}


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url)
    yield database
    database.close()


async def claimed(ledger: SqlLedger) -> int:
    claim = await ledger.claim(
        KEY, contract=CONTRACT, operation="erp.start_billing", arguments="asked", lease=15.0, generation=1
    )
    return claim.fence


async def found(ledger: SqlLedger) -> tuple[str, object]:
    [row] = await ledger.rows(CONTRACT)
    return row.state, row.result


async def test_a_step_that_was_given_up_before_it_was_sent_is_done_by_what_is_there(database: Database) -> None:
    ledger = SqlLedger(database)
    await ledger.released(KEY, fence=await claimed(ledger))
    assert (await found(ledger))[0] == "RELEASED"
    await database.write(partial(record_effects, contract=CONTRACT, effects=KNOWN))
    assert await found(ledger) == ("DONE", {"id": "sub_1"})
    await database.write(partial(record_effects, contract=CONTRACT, effects=KNOWN))


async def test_a_step_that_is_under_way_is_left_alone(database: Database) -> None:
    ledger = SqlLedger(database)
    await ledger.mark_sent(KEY, fence=await claimed(ledger), deadline=1.0)
    with pytest.raises(Conflict, match="one that is sent for billing-start"):
        await database.write(partial(record_effects, contract=CONTRACT, effects=KNOWN))
    assert await found(ledger) == ("SENT", None)


async def test_another_record_is_a_conflict(database: Database) -> None:
    ledger = SqlLedger(database)
    await database.write(partial(record_effects, contract=CONTRACT, effects=KNOWN))
    other = {KEY: Entry("erp.start_billing", "reconciled", {"id": "sub_2"})}
    with pytest.raises(Conflict, match="the ledger has sub_1"):
        await database.write(partial(record_effects, contract=CONTRACT, effects=other))
    assert await found(ledger) == ("DONE", {"id": "sub_1"})
