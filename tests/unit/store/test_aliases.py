"""What a recorded effect and a last view mean for the store: new aliases free what waits, closed lives stay closed."""

from typing import Any

import pytest
from sqlmodel import Session

from domain.books import ViewRow
from domain.view import LifecycleView, Stage
from store.cases import Cases, open_case
from store.database import Database
from store.inbox import Inbox, mark_parked, next_received
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.relinking import relink
from store.subjects import open_of_account
from store.tables import CaseRow, InboxRow, LifecycleRow, utc_now
from store.views import SqlViews

CONTRACT = "crm/d1/1"


async def perform(
    ledger: SqlLedger, key: str, operation: str, result: dict[str, Any], contract: str = CONTRACT
) -> None:
    claim = await ledger.claim(key, contract=contract, operation=operation, arguments="a", lease=5, generation=1)
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    assert await ledger.done(key, fence=claim.fence, result=result)


@pytest.mark.parametrize(
    ("operation", "alias"),
    [
        ("erp.create_subscription", ("erp", "subscription", "sub_1")),
        ("crm.create_renewal_opportunity", ("crm", "deal", "sub_1")),
    ],
)
async def test_what_an_effect_made_finds_its_contract_and_frees_what_waits_for_it(
    database: Database, operation: str, alias: tuple[str, str, str]
) -> None:
    inbox, lifecycles = Inbox(database), Lifecycles(database)
    for event in ("early", "stranger"):
        await inbox.accept("erp", event, "t", "s", "{}")
    early, stranger = await database.read(next_received)
    await database.write(lambda session: mark_parked(session, early.id or 0, parked_for=":".join(alias)))
    await database.write(lambda session: mark_parked(session, stranger.id or 0, parked_for="erp:subscription:sub_2"))

    await perform(SqlLedger(database), "k", operation, {"id": "sub_1"})
    assert await lifecycles.find(*alias) == CONTRACT
    assert [row.event_id for row in await database.read(next_received)] == ["early"]


@pytest.mark.parametrize("operation", ["erp.create_subscription", "crm.create_renewal_opportunity"])
async def test_an_id_that_a_restored_system_gives_twice_opens_a_case(database: Database, operation: str) -> None:
    ledger = SqlLedger(database)
    await perform(ledger, "k", operation, {"id": "sub_1"})
    await perform(ledger, "k", operation, {"id": "sub_1"})
    assert await Cases(database).list() == [], "the same answer again"
    await perform(ledger, "other", operation, {"id": "sub_1"}, contract="crm/other/1")
    [case] = await Cases(database).list()
    assert (case.kind, case.contract) == ("reused_id", "crm/other/1")
    assert CONTRACT in case.title


async def test_a_deal_that_was_decided_before_a_restored_store_knew_it_again_is_heard(database: Database) -> None:
    await Inbox(database).accept("crm", "won", "deal.closed_won", "006R", "{}")
    event = await database.read(next_received)
    number = event[0].id or 0

    def unlinked(session: Session) -> None:
        session.get_one(InboxRow, number).state = "dead"
        open_case(session, CaseRow(id="deal:006R", kind="unlinked_deal", title="whose?", inbox_id=number))

    await database.write(unlinked)
    assert await database.read(next_received) == []
    await database.write(lambda session: relink(session, CONTRACT, f"renewal-opportunity:{CONTRACT}:1", "006R", "crm"))
    assert [row.event_id for row in await database.read(next_received)] == ["won"]


async def test_a_customer_may_be_that_of_several_contracts(database: Database) -> None:
    ledger = SqlLedger(database)
    await perform(ledger, "k", "erp.create_customer", {"id": "cus_1"})
    await perform(ledger, "other", "erp.create_customer", {"id": "cus_1"}, contract="crm/other/1")
    assert await Cases(database).list() == []


async def test_an_effect_that_only_changes_a_record_adds_no_alias(database: Database) -> None:
    await perform(SqlLedger(database), "k", "erp.renew_subscription", {"id": "ren_1"})
    assert await Lifecycles(database).aliases(CONTRACT) == []


async def test_the_subscription_that_a_renewal_made_finds_the_contract_too(database: Database) -> None:
    await perform(SqlLedger(database), "k", "erp.renew_subscription", {"id": "ren_1", "subscription": "sub_2"})
    assert await Lifecycles(database).find("erp", "subscription", "sub_2") == CONTRACT


async def test_an_id_that_finds_another_contract_keeps_finding_it(
    database: Database,
) -> None:
    lifecycles, ledger = Lifecycles(database), SqlLedger(database)
    await lifecycles.link("erp", "subscription", "sub_1", "crm/other/1")
    await perform(ledger, "k", "erp.create_subscription", {"id": "sub_1"})
    assert await lifecycles.find("erp", "subscription", "sub_1") == "crm/other/1"
    assert [row.state for row in await ledger.rows(CONTRACT)] == ["DONE"]


@pytest.mark.parametrize(("stage", "closed"), [(Stage.ENDED, True), (Stage.CANCELLED, True), (Stage.ENDING, False)])
async def test_a_lifecycle_whose_last_view_is_published_is_closed(
    database: Database, stage: Stage, closed: bool
) -> None:
    lifecycles = Lifecycles(database)
    life = LifecycleRow(contract=CONTRACT, tenant="t", account="acme", deal="d1", selling_entity="", workflow_id="w")
    await lifecycles.add(life)
    view = LifecycleView(contract=CONTRACT, stage=stage, account="acme")
    row = ViewRow(contract=CONTRACT, run_started=utc_now(), sequence=1, view=view.model_dump(mode="json"))
    await SqlViews(database).publish(row)
    live = await database.read(lambda session: open_of_account(session, "acme"))
    assert [row.contract for row in live] == ([] if closed else [CONTRACT])
