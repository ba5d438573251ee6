"""Orders, lifecycles, cross-references and mediation's facts."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest
from sqlmodel import Session

from domain.errors import AlreadyExists, NotFound
from domain.facts import Fact
from store.database import Database
from store.facts import facts_of, known_fact, learn, tell, told
from store.lifecycles import Lifecycles
from store.orders import SqlOrders
from store.subjects import open_of_account
from store.tables import LifecycleRow


def lifecycle(contract: str, account: str = "acme") -> LifecycleRow:
    return LifecycleRow(
        contract=contract,
        tenant="t",
        account=account,
        deal="d1",
        selling_entity="us",
        workflow_id=f"lifecycle/t/{contract}",
    )


async def test_every_correction_is_a_new_revision(database: Database) -> None:
    orders = SqlOrders(database)
    document = {"deal_id": "d1", "quantity": Decimal("12.50"), "signed_on": date(2028, 2, 29), "name": "Größe"}
    assert await orders.add("c", document, "crm") == 1
    assert await orders.add("c", {"deal_id": "d1"}, "ops") == 2
    assert await orders.add("other", {}, "crm") == 1
    read = await orders.read("c", 1)
    assert read == {"deal_id": "d1", "quantity": "12.50", "signed_on": "2028-02-29", "name": "Größe"}
    assert [(row.revision, row.author) for row in await orders.revisions("c")] == [(1, "crm"), (2, "ops")]
    with pytest.raises(NotFound):
        await orders.read("c", 3)


async def test_a_refused_revision_goes_unless_another_is_built_on_it(database: Database) -> None:
    orders = SqlOrders(database)
    for document in ({"deal_id": "d1"}, {"deal_id": "d1", "n": 2}, {"deal_id": "d1", "n": 3}):
        await orders.add("c", document, "ops")
    await orders.add("other", {}, "crm")
    await orders.withdraw("c", 2)
    assert [row.revision for row in await orders.revisions("c")] == [1, 2, 3]
    await orders.withdraw("c", 3)
    assert [row.revision for row in await orders.revisions("c")] == [1, 2]
    assert len(await orders.revisions("other")) == 1


async def test_revisions_added_at_once_are_all_kept(database: Database) -> None:
    orders = SqlOrders(database)
    revisions = await asyncio.gather(*(orders.add("c", {"n": n}, "ops") for n in range(6)))
    assert sorted(revisions) == [1, 2, 3, 4, 5, 6]


async def test_a_contract_has_one_lifecycle_for_ever(database: Database) -> None:
    lifecycles = Lifecycles(database)
    assert await lifecycles.add(lifecycle("c"))
    await lifecycles.mark_closed("c")
    assert not await lifecycles.add(lifecycle("c", account="other"))
    row = await lifecycles.get("c")
    assert row is not None
    assert (row.account, row.closed) == ("acme", True)


async def test_open_lifecycles_of_an_account(database: Database) -> None:
    lifecycles = Lifecycles(database)
    for contract, account in (("a", "acme"), ("b", "acme"), ("c", "hooli")):
        await lifecycles.add(lifecycle(contract, account))
    await lifecycles.mark_closed("a")
    await lifecycles.mark_started("b")
    live = await database.read(lambda session: open_of_account(session, "acme"))
    assert [row.contract for row in live] == ["b"]
    assert [row.contract for row in await lifecycles.not_started()] == ["c"]
    assert [row.contract for row in await lifecycles.list()] == ["a", "b", "c"]
    assert [row.contract for row in await lifecycles.list(closed=False)] == ["b", "c"]
    await lifecycles.shift_clock("b", 86_400.5)
    shifted = await lifecycles.get("b")
    assert shifted is not None
    assert shifted.clock_shift == 86_400.5


async def test_a_foreign_id_finds_one_contract(database: Database) -> None:
    lifecycles = Lifecycles(database)
    await lifecycles.link("crm", "deal", "d1", "c")
    await lifecycles.link("crm", "deal", "d1", "c")
    await lifecycles.link("erp", "subscription", "s1", "c")
    with pytest.raises(AlreadyExists):
        await lifecycles.link("crm", "deal", "d1", "another")
    assert await lifecycles.find("crm", "deal", "d1") == "c"
    assert await lifecycles.find("crm", "account", "d1") is None
    assert [row.foreign_id for row in await lifecycles.aliases("c")] == ["d1", "s1"]


async def test_a_fact_gives_way_to_a_newer_one_only(database: Database) -> None:
    def invoice(entity: str, version: str, paid: bool) -> Fact:
        return Fact("invoice", entity, version, {"paid": paid, "by": None})

    def write(session: Session) -> list[bool]:
        told_in_this_order = [("i1", "1", False), ("i2", "1", False), ("i1", "3", True), ("i1", "2", False)]
        news = [learn(session, "c", invoice(*said)) for said in (*told_in_this_order, ("i1", "3", True))]
        known = known_fact(session, "c", "invoice", "i1")
        assert known is not None
        assert known.version == "3", "the same transaction sees what it wrote"
        return news

    assert await database.write(write) == [True, True, True, False, False]
    facts = await database.read(lambda session: facts_of(session, "c", ["invoice"]))
    assert facts == [invoice("i1", "3", True), invoice("i2", "1", False)]
    assert await database.read(lambda session: known_fact(session, "c", "case", "i1")) is None


@pytest.mark.parametrize("first", [0, 1])
async def test_two_that_differ_within_one_version_end_the_same_in_either_order(database: Database, first: int) -> None:
    said = [Fact("usage", "a", "1", {"active": active}) for active in ("10", "20")]
    await database.write(lambda session: [learn(session, "c", said[n]) for n in (first, 1 - first)])
    assert await database.read(lambda session: facts_of(session, "c", ["usage"])) == [said[1]]


async def test_a_level_is_told_when_it_changes(database: Database) -> None:
    def tells(session: Session) -> list[bool]:
        return [tell(session, "c", "overdue", value) for value in (None, True, True, False, None, None, {"n": 1})]

    assert await database.write(tells) == [False, True, False, True, True, False, True]
    assert await database.read(lambda session: told(session, "c", "overdue")) == {"n": 1}
    assert await database.read(lambda session: told(session, "d", "overdue")) is None
