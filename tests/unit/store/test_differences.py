"""Differences as the store keeps them: once, aged, closed when gone, open again; and repairs that are begun once."""

import asyncio
from datetime import timedelta

from sqlmodel import Session, select

from domain.reconciling.difference import Found
from store.database import Database
from store.difference_tables import DifferenceRow, RepairRow
from store.differences import Compared, Differences, healed_since, record
from store.lifecycles import find_contract
from store.relinking import forget, relink
from store.tables import EffectRow, utc_now

ERP = Compared(systems=("erp",), contracts=("c/1/1",))


def found(subject: str = "1", contract: str | None = "c/1/1", **said: str) -> Found:
    return Found(kind="erp_quantity", subject=subject, sentence="3, not 4", contract=contract, account="a1", **said)


async def kept(database: Database, *differences: Found, compared: Compared = ERP) -> tuple[list[str], int]:
    return await database.write(lambda session: record(session, differences, compared))


async def test_found_again_it_is_the_same_with_what_is_said_now(database: Database) -> None:
    first = found()
    assert await kept(database, first) == ([first.id], 0)
    assert await kept(database, found(theirs="5")) == ([], 0)
    [here] = await Differences(database).list()
    assert (here.id, here.theirs, here.status, here.owner) == (first.id, "5", "open", "finance")
    assert here.found_at < here.seen_at
    assert here.age_days(here.found_at + timedelta(days=3)) == 3


async def test_what_is_gone_heals_and_comes_back_as_new(database: Database) -> None:
    await kept(database, found())
    began = utc_now()
    assert await kept(database) == ([], 1)
    assert await database.read(lambda session: healed_since(session, began)) == 1
    assert await kept(database, found()) == ([found().id], 0)
    assert [each.what.split(":")[0] for each in await Differences(database).notes(found().id)] == [
        "found", "closed", "found again",
    ]  # fmt: skip


async def test_nothing_closes_but_what_was_compared(database: Database) -> None:
    await kept(database, found(), found(contract=None), found(contract="c/2/1"))
    assert await kept(database, compared=Compared(systems=("crm",), contracts=("c/1/1",))) == ([], 0)
    assert await kept(database, compared=Compared(systems=("erp",), contracts=("c/3/1",))) == ([], 0)
    assert await kept(database, compared=Compared(systems=("erp",), accounts=("a1",))) == ([], 1)
    assert await kept(database, compared=Compared(systems=("erp",), contracts=("c/1/1", "c/2/1"))) == ([], 2)


async def test_what_was_not_looked_at_is_not_gone(database: Database) -> None:
    await kept(database, found(), found(contract=None))
    blind = {"c/1/1": {"erp_quantity"}, "a1": {"erp_quantity"}}
    about = Compared(systems=("erp",), contracts=("c/1/1",), whole=True, unseen=blind)
    assert await kept(database, compared=about) == ([], 0)
    assert await kept(database, compared=Compared(systems=("erp",), contracts=("c/1/1",), whole=True)) == ([], 2)


async def test_what_was_read_before_somebody_saw_it_does_not_close_it(database: Database) -> None:
    began = utc_now()
    await kept(database, found())
    assert await kept(database, compared=Compared(("erp",), ("c/1/1",), as_of=began)) == ([], 0)
    assert await kept(database, compared=Compared(("erp",), ("c/1/1",), as_of=utc_now())) == ([], 1)


async def test_ignored_it_stays_so_until_the_day_is_over(database: Database) -> None:
    differences, today = Differences(database), utc_now().date()
    await kept(database, found())
    await differences.ignore(found().id, "f", "next week", today)
    assert await kept(database, found()) == ([], 0)
    assert [each.status for each in await differences.list(status=())] == ["ignored"]

    def past(session: object) -> None:
        row = session.exec(select(DifferenceRow)).one()  # type: ignore[attr-defined]
        row.ignored_until = today - timedelta(days=1)

    await database.write(past)
    assert await kept(database, found()) == ([found().id], 0)
    assert await differences.ignore("diff-none", "f", "r", today) is None


async def test_pages_and_counts(database: Database) -> None:
    differences = Differences(database)
    await kept(database, *(found(str(n)) for n in range(5)))
    page = await differences.list(limit=2)
    rest = await differences.list(after=page[-1].id)
    assert len({each.id for each in (*page, *rest)}) == 5
    assert await differences.counts() == {"open": {"quantity": 5}}
    assert (await differences.get(page[0].id[:11])) == page[0]
    assert await differences.list(klass="dates") == []


async def test_two_who_repair_at_once_do_one_repair(database: Database) -> None:
    differences = Differences(database)
    await kept(database, found())

    def asked(by: str) -> RepairRow:
        return RepairRow(difference=found().id, remedy="redrive", by=by, mends=[{"by": by}], results=[])

    first, second = await asyncio.gather(differences.begin_repair(asked("a")), differences.begin_repair(asked("b")))
    assert (first.id, first.mends) == (second.id, second.mends)
    await differences.advance_repair(first.id or 0, ["x"], "done", "all of it")
    assert await kept(database) == ([], 1)
    [closed] = await differences.list(status=("repaired",))
    assert closed.settled == f"repaired by {first.by}"


async def test_a_lost_record_is_forgotten_once_and_another_is_linked(database: Database) -> None:
    key = "customer:a1:ACME-DE"
    row = EffectRow(
        key=key, contract="c/1/1", operation="erp.create_customer", state="DONE", fence=1, arguments="a", generation=1,
        asked_arguments="a", asked_generation=1, lease_until=0, result={"id": "old"}, created_at=1, updated_at=1,
    )  # fmt: skip
    await database.write(lambda session: session.add(row))
    assert not await database.write(lambda session: forget(session, key, "another"))
    assert await database.write(lambda session: forget(session, key, "old"))
    assert not await database.write(lambda session: forget(session, key, "old"))

    def refuse(session: Session) -> None:
        session.get_one(EffectRow, key).state = "REFUSED"

    await database.write(refuse)
    assert await database.write(lambda session: forget(session, key, "old")), "what it was refused for may be mended"
    for _ in range(2):
        await database.write(lambda session: relink(session, "c/1/1", key, "new", "erp"))
    now = await database.read(lambda session: session.get_one(EffectRow, key))
    assert (now.state, now.result) == ("DONE", {"id": "new"})
    assert await database.read(lambda session: find_contract(session, "erp", "customer", "new")) == "c/1/1"
