"""Contracts that live already come in: in shadow first, without a trace outside, then live, each thing once."""

import uuid
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from bench.old_process import OldCustomer, lives_in, renew
from domain import keys
from domain.messages import CollectionsChanged
from starter.handles import lifecycle_handle
from starter.importing.entry import Entrance
from starter.importing.files import to_rows
from starter.importing.machine import Importer
from starter.importing.promoting import Promotion
from starter.mistakes import Mistake
from store.cases import Cases
from store.imports import Imports
from store.orders import SqlOrders
from store.tables import EffectRow, LifecycleRow, OutgoingRow
from store.transit import ImportRow
from tests.dispatch import Post
from tests.house import House, Life
from tests.workflow.lives import eventually, rests, to_day, today

STARTED, STAGE_CHANGED = "tenure.lifecycle.started.v1", "tenure.lifecycle.stage_changed.v1"
ACTIVATED, BILLING_STARTED = "tenure.lifecycle.activated.v1", "tenure.lifecycle.billing_started.v1"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Migration:
    """An import into a house, and what the box saw of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.erp = house.systems["erp"].port
        entrance = Entrance(house.company, house.landscape, "crm", {"erp": self.erp})
        self.importer = Importer(house.database, house.client, entrance, task_queue=house.task_queue)
        self.promotion = Promotion(house.database, house.client, entrance)
        self.imports = Imports(house.database)
        self.batch = uuid.uuid4().hex[:6]  # a server serves many tests
        self._before = 0

    async def bring(self, *entries: dict[str, Any], cut_over: date | None = None) -> dict[str, int]:
        """Import, and from here on count what is written outside."""
        self._before = len(await self._calls())
        waiting = await self.importer.run(
            to_rows([(str(n), each) for n, each in enumerate(entries)], crm="crm", cut_over=cut_over or today())
        )
        assert not waiting
        return await self.imports.counts()

    async def old(self, number: int, age: int, **how: Any) -> dict[str, Any]:
        given = {name: how.pop(name) for name in ("billed", "renewed") if name in how}
        cs = self.house.systems["cs"].port
        return await lives_in(self.erp, cs, self.house.http, self.customer(number, age, **how), **given)

    def customer(self, number: int, age: int = 0, **how: Any) -> OldCustomer:
        return OldCustomer(number, age, today(), batch=self.batch, **how)

    async def row(self, number: int = 1) -> ImportRow:
        found = await self.imports.get(self.customer(number).contract)
        assert found is not None
        return found

    async def life(self, number: int = 1) -> Life:
        contract = self.customer(number).contract
        handle = lifecycle_handle(self.house.client, keys.lifecycle_id(self.house.company.tenant, contract))
        return Life(self.house, contract, handle, SqlOrders(self.house.database))

    async def _calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = (await self.house.http.get("/admin/calls")).json()
        return [call for call in calls if call["method"] in WRITES]

    async def written(self) -> Counter[str]:
        """What has been written outside since the import began, by operation."""
        return Counter(call["operation"] for call in (await self._calls())[self._before :])

    async def told(self) -> list[str]:
        query = select(OutgoingRow.type)
        return list(await self.house.database.read(lambda session: session.exec(query).all()))


@pytest.fixture
def migration(house: House) -> Migration:
    return Migration(house)


async def test_a_contract_enters_where_its_facts_say_and_leaves_no_trace_outside(migration: Migration) -> None:
    counts = await migration.bring(await migration.old(1, 400))
    assert counts == {"shadow": 1}
    life = await migration.life()
    view = await life.until(rests)
    assert (view.mode, view.stage, view.term) == ("shadow", "serving", 2)
    assert {line.billing_starts for line in view.lines} == {migration.customer(1, 400).activated_on}
    await life.tell(CollectionsChanged(delinquent=("INV-1",), overdue_since=today()))
    await life.until(lambda view: view.risk == "medium")
    assert await migration.written() == Counter()
    assert await migration.told() == [], "subscribers hear nothing of a shadow"
    query = select(EffectRow.key, EffectRow.state)
    ledger = dict(await migration.house.database.read(lambda session: session.exec(query).all()))
    assert set(ledger.values()) == {"DONE"}
    assert keys.billing_start(life.contract, "2", 1) in ledger, "what is done already can't be done again"


async def test_the_same_command_again_does_nothing_twice(migration: Migration) -> None:
    entry = await migration.old(1, 100)
    await migration.bring(entry)
    assert await migration.bring(entry) == {"shadow": 1}
    rows = await migration.house.database.read(lambda session: session.exec(select(LifecycleRow)).all())
    assert len(rows) == 1


async def test_promoted_it_acts_from_then_on_each_thing_once(migration: Migration) -> None:
    await migration.bring(await migration.old(1, 100))
    life = await migration.life()
    await life.until(rests)
    assert await migration.promotion.promote(await migration.row(), "ops") == f"live since {today()}"
    view = await life.until(lambda view: view.mode == "live" and rests(view) and not view.withheld)
    assert await migration.written() == Counter({"update_opportunity": 1, "set_health": 1})
    assert await migration.imports.counts() == {"promoted": 1}

    async def told() -> bool:
        said = await migration.told()
        return bool(said) and (said[0], said[-1]) == (STARTED, STAGE_CHANGED)

    await eventually(told)
    assert not {ACTIVATED, BILLING_STARTED} & set(await migration.told()), "that was before"
    await to_day(life, view.window_opens)
    await life.until(lambda view: view.readiness is not None and rests(view))
    written = await migration.written()
    assert (written["create_renewal_opportunity"], written["start_playbook"], written["post_note"]) == (1, 1, 1)


async def test_what_came_due_in_shadow_is_the_old_processs_before_the_cut_over_and_ours_after(
    migration: Migration,
) -> None:
    await migration.bring(await migration.old(1, 200), await migration.old(2, 200))
    for number in (1, 2):
        life = await migration.life(number)
        view = await life.until(rests)
        await to_day(life, view.window_opens)
        await life.until(lambda view: view.readiness is not None and rests(view))
    assert await migration.written() == Counter()
    opens = (await (await migration.life()).view()).window_opens
    assert opens is not None
    early, late = await migration.life(1), await migration.life(2)
    await migration.promotion.promote(await migration.row(1), "ops", cut_over=opens - timedelta(days=1))
    await migration.promotion.promote(await migration.row(2), "ops", cut_over=opens)
    for life in (early, late):
        await life.until(lambda view: view.mode == "live" and rests(view))
    written = await migration.written()
    assert written["create_renewal_opportunity"] == 2, "due on the day of the cut-over or later: each once"


async def test_what_was_due_before_the_cut_over_is_never_done(migration: Migration) -> None:
    await migration.bring(await migration.old(1, 200))
    life = await migration.life()
    view = await life.until(rests)
    assert view.window_opens is not None
    await to_day(life, view.window_opens)
    await life.until(lambda view: view.readiness is not None and rests(view))
    await to_day(life, view.window_opens + timedelta(days=3))
    await migration.promotion.promote(await migration.row(), "ops", cut_over=view.window_opens + timedelta(days=2))
    view = await life.until(lambda view: view.mode == "live" and rests(view))
    assert "create_renewal_opportunity" not in await migration.written()
    assert {held.settled for held in view.withheld} == {"left to the old process"}


async def test_a_renewal_that_the_old_process_has_done_is_recorded_and_one_that_it_has_not_is_asked(
    migration: Migration,
) -> None:
    await migration.bring(await migration.old(1, 300), await migration.old(2, 300))
    old = migration.customer(1, 300)
    for number in (1, 2):
        life = await migration.life(number)
        await life.until(rests)
        await to_day(life, old.term_ends - timedelta(days=10))
        await life.until(lambda view: view.decision is not None and rests(view))
    await renew(
        migration.erp, old, (await (await migration.life(1)).view()).effects[keys.subscription(old.contract)], 2
    )

    report = {each.key: each for each in (await migration.promotion.compare(await migration.row(1))).differences}
    assert report[keys.renewal(old.contract, 2)].kind == "same"
    other = migration.customer(2, 300)
    [missing] = [
        each
        for each in (await migration.promotion.compare(await migration.row(2))).differences
        if each.key == keys.renewal(other.contract, 2)
    ]
    assert (missing.kind, missing.words) == ("only_tenure", f"the ERP's term ends on {other.term_ends}")

    cut_over = old.term_ends - timedelta(days=10)
    await migration.promotion.promote(await migration.row(1), "ops", cut_over=cut_over)
    with pytest.raises(Mistake, match="renew the subscription into term 2 was due"):
        await migration.promotion.promote(await migration.row(2), "ops", cut_over=cut_over)
    await migration.promotion.promote(
        await migration.row(2), "ops", cut_over=cut_over, perform=[keys.renewal(other.contract, 2)]
    )
    for number in (1, 2):
        await (await migration.life(number)).until(lambda view: view.mode == "live" and rests(view))
    assert (await migration.written())["renew_subscription"] == 1 + 1, "the old process's, and the one we were told to"


async def test_a_contract_that_can_not_enter_is_refused_with_every_reason_and_enters_corrected(
    migration: Migration,
) -> None:
    right = await migration.old(1, 100)
    wrong = {**right, "currency": "XXX", "existing": {**right["existing"], "billing": {"9": "2026-01-01"}}}
    assert await migration.bring(wrong) == {"refused": 1}
    assert await migration.bring({**wrong, "currency": "EUR"}) == {"refused": 1}
    assert (await migration.row()).reasons == ["existing.billing.9: The order has no line 9; it has 1, 2."]
    assert await migration.bring(right) == {"shadow": 1}


async def test_a_subscription_that_the_erp_does_not_have_or_bills_otherwise_is_refused(migration: Migration) -> None:
    entry = await migration.old(1, 100)
    entry["existing"]["subscription"] = "sub_none"
    other = await migration.old(2, 100, billed=("1",))
    other["existing"]["billing"] = {"2": other["existing"]["activated_on"]}
    assert await migration.bring(entry, other) == {"refused": 2}
    assert "has no subscription 'sub_none'" in (await migration.row(1)).reasons[0]
    assert "The ERP bills the line not at all" in (await migration.row(2)).reasons[0]


async def test_without_a_subscription_it_lives_in_shadow_and_is_promoted_when_the_file_names_it(
    migration: Migration,
) -> None:
    entry = await migration.old(1, 100)
    facts = entry["existing"]
    day = facts["activated_on"]
    bare = {name: value for name, value in facts.items() if name not in ("customer", "subscription")}
    await migration.bring({**entry, "existing": {**bare, "billing": {"1": day, "2": day}}})
    await (await migration.life()).until(rests)
    with pytest.raises(Mistake, match="the ERP's subscription is not known"):
        await migration.promotion.promote(await migration.row(), "ops")
    assert await migration.bring(entry) == {"shadow": 1}
    await migration.promotion.promote(await migration.row(), "ops")
    view = await (await migration.life()).until(lambda view: view.mode == "live" and rests(view))
    assert view.effects[keys.subscription(view.contract)] == facts["subscription"]


async def test_events_reach_a_shadow_and_its_cases_are_nobodys_until_it_is_live(
    migration: Migration, house: House
) -> None:
    await migration.bring(await migration.old(1, 100, auto_renew=False))
    post, life = Post(house), await migration.life()
    view = await life.until(rests)
    assert await post.settle() == 0
    await to_day(life, view.term_ends)
    await life.until(lambda view: view.cases)
    assert await Cases(house.database).list() == []
    with pytest.raises(Mistake):
        await migration.promotion.promote(await migration.row(), "ops", cut_over=today() + timedelta(days=3650))


async def test_a_line_that_should_be_billed_long_since_is_reported_and_asked(migration: Migration) -> None:
    await migration.bring(await migration.old(1, 100, billed=("1",)))
    life = await migration.life()
    await life.until(rests)
    key = keys.billing_start(life.contract, "2", 1)
    found = {each.key: each for each in (await migration.promotion.compare(await migration.row())).differences}
    assert (found[key].kind, found[key].words) == ("only_tenure", "the ERP does not bill line 2")
    with pytest.raises(Mistake, match=f"--perform or --leave '{key}'"):
        await migration.promotion.promote(await migration.row(), "ops")
    await migration.promotion.promote(await migration.row(), "ops", perform=[key])
    await life.until(lambda view: view.mode == "live" and rests(view))
    assert (await migration.written())["start_billing"] == 1


async def test_contracts_come_from_an_erp_that_can_list_them(migration: Migration) -> None:
    await migration.old(1, 100)
    await migration.old(2, 500)
    page = await migration.erp.subscriptions()
    assert page.cursor is None
    shared = {"terms": {"zone": "Europe/Berlin", "auto_renew": True}}
    entries = [(each.id, {**each.order, "existing": each.existing}) for each in page.subscriptions]
    rows = to_rows(entries, crm="crm", cut_over=today(), defaults=shared)
    assert [row.contract for row in rows] == [migration.customer(number).contract for number in (1, 2)]
    assert not await migration.importer.run(rows)
    assert await migration.imports.counts() == {"shadow": 2}, [
        row.reasons for row in await migration.imports.waiting(["refused"])
    ]
    view = await (await migration.life(2)).until(rests)
    assert (view.term, view.stage, view.term_ends) == (2, "onboarding", migration.customer(2, 500).term_ends)
