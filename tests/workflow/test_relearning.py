"""A store that was restored asks the lifecycles what it has forgotten."""

from sqlmodel import Session, col, delete, select

from starter.reconciling.reconciler import HOMES
from starter.relearning import relearn
from store.cases import open_case
from store.ledger import SqlLedger
from store.tables import AliasRow, CaseRow, ContractRiskRow, EffectRow, LifecycleViewRow, OrderRow, RolledUpRow
from tests.dispatch import Post
from tests.house import House
from tests.intake import deal
from tests.workflow.lives import eventually

DEAL, WAITS, CORRECTED = "006RELEARN1", "006RELEARN2", "006RELEARN3"


async def _relearn(post: Post, lives: int) -> None:
    async def asked() -> bool:
        """Temporal's list is a moment late."""
        return (await relearn(post.house.database, post.house.client, post.house.company.tenant, HOMES)).asked >= lives

    await eventually(asked)


async def test_what_the_store_forgot_is_there_again_and_what_waited_for_it_is_heard(house: House) -> None:
    post = Post(house)
    life = await post.win(DEAL)
    waits = await post.win(WAITS, Selling_Entity__c="ACME-NOWHERE")
    row = await post.lifecycles.get(life.contract)
    assert row is not None
    ledger = SqlLedger(house.database)
    before = {each.key: each.result for each in await ledger.rows(life.contract)}
    subscription = (before[f"subscription:{life.contract}"] or {})["id"]
    [case] = await post.cases.list(contract=waits.contract)

    def health(session: Session) -> list[object]:
        rows = session.exec(select(ContractRiskRow).where(ContractRiskRow.contract == life.contract)).all()
        rolled = session.exec(select(RolledUpRow).where(col(RolledUpRow.subject).in_([each.subject for each in rows])))
        return [*(each.health for each in rows), *((each.health, each.shown) for each in rolled.all())]

    told = await house.database.read(health)
    assert len(told) == 2

    def restored(session: Session) -> None:
        risk = session.get_one(ContractRiskRow, life.contract)
        older = {**risk.health, "risk": "high"}
        session.get_one(RolledUpRow, risk.subject).sqlmodel_update({"health": older, "shown": {"health": older}})
        risk.health = older
        session.exec(delete(AliasRow).where(col(AliasRow.foreign_id) == subscription))
        for table in (EffectRow, LifecycleViewRow, CaseRow):
            session.exec(delete(table).where(col(table.contract).in_([life.contract, waits.contract])))

    await house.database.write(restored)

    await _relearn(post, 2)
    assert await post.lifecycles.find("erp", "subscription", subscription) == life.contract
    after = {each.key: (each.state, each.result) for each in await ledger.rows(life.contract)}
    assert after[f"subscription:{life.contract}"] == ("DONE", {"id": subscription})
    activation = f"activation:{life.contract}"
    assert (after[activation][1] or {})["on"] == (before[activation] or {})["on"], "leakage counts from that day"
    assert await house.database.read(health) == told, "CS is compared with what it was shown last"
    view = await post.views.get(life.contract)
    assert view is not None
    assert view.effects[f"subscription:{life.contract}"] == subscription
    assert [each.id for each in await post.cases.list(contract=waits.contract)] == [case.id]


async def test_an_order_that_was_corrected_since_the_backup_is_what_its_deal_is_by_now(house: House) -> None:
    post = Post(house)
    life = await post.win(CORRECTED, Selling_Entity__c="ACME-NOWHERE")
    mended = deal(Id=CORRECTED, AccountId=f"acc-{CORRECTED}", SystemModstamp="2026-11-30T10:00:00.000+0000")
    await post.desk.receive("deal.corrected", mended)
    await post.settle()
    await life.until(lambda view: "onboarding" in str(view.effects) and not view.pending)
    right = await life.orders.read(life.contract, 2)
    differing = CaseRow(
        id=f"deal-differs:{life.contract}", contract=life.contract, kind="deal_differs", title="heard again", reasons=[]
    )

    def restored(session: Session) -> None:
        """The backup was taken before the correction; the CRM has sent it again since, to an activated order."""
        session.exec(delete(OrderRow).where(col(OrderRow.contract) == life.contract, col(OrderRow.revision) == 2))
        open_case(session, differing)

    await house.database.write(restored)
    await _relearn(post, 1)
    assert await life.orders.read(life.contract, 2) == right
    assert [each.kind for each in await post.cases.list(contract=life.contract)] == []
