"""Two ERPs side by side: the same id in both means two records, and an event means that of the system it comes from."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain import keys
from domain.books import ViewRow
from domain.errors import Rejected
from domain.view import LifecycleView, Stage
from starter.routing import Router, unpark_known
from starter.settings import Settings
from starter.slips import RECORD
from starter.sources.reading import Sources
from starter.unserved import check_served
from store.cases import Cases
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.tables import LifecycleRow, utc_now
from store.views import SqlViews
from tests.intake import Desk, open_desk

US, EU, OLD = "crm/006-us/1", "crm/006-eu/1", "crm/006-old/1"
HOME = {"us": {"kind": "erp", "default": True}, "eu": {"kind": "erp"}}


def settings_with(erps: dict[str, Any]) -> Settings:
    others = {kind: {"kind": kind} for kind in ("crm", "cs", "support", "usage")}
    webhooks = {name: {"connection": name, "secrets": [{"env": "X"}]} for name in (*erps, "cs")}
    feeds = {f"{name}-feed": {"connection": name} for name in erps}
    routes = [{"kind": "erp", "connection": name, "regions": [name.upper()]} for name in ("us",) if len(erps) > 1]
    return Settings.model_validate(
        {"connections": {**erps, **others}, "webhooks": webhooks, "feeds": feeds, "routes": routes}
    )


def connect(desk: Desk, erps: dict[str, Any]) -> None:
    settings = settings_with(erps)
    desk.router = Router(desk.company, desk.router.mapping, "crm", Sources(settings), settings.landscape)


@pytest.fixture
async def desk(either_url: str) -> AsyncIterator[Desk]:
    with open_desk(either_url) as desk:
        connect(desk, HOME)
        yield desk


async def life(desk: Desk, contract: str, erp: str | None = None, *, account: str = "acme", entity: str = "E") -> None:
    """A live contract, whose last view says to which ERP it went."""
    row = LifecycleRow(
        contract=contract, tenant="t", account=account, deal=contract, selling_entity=entity, workflow_id=contract
    )
    await Lifecycles(desk.database).add(row)
    view = LifecycleView(contract=contract, stage=Stage.SERVING, connections={"erp": erp} if erp else {})
    shown = ViewRow(contract=contract, run_started=utc_now(), sequence=1, view=view.model_dump(mode="json"))
    await SqlViews(desk.database).publish(shown)


async def make(desk: Desk, erp: str, method: str, contract: str, key: str, id: str = "5") -> None:
    ledger, operation = SqlLedger(desk.database), f"{erp}.{method}"
    claim = await ledger.claim(key, contract=contract, operation=operation, arguments="a", lease=5, generation=1)
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    assert await ledger.done(key, fence=claim.fence, result={"id": id})


async def failed_payment(desk: Desk, source: str, **about: str) -> list[str]:
    """A payment failed: the contracts whose timelines say so. Each event is another invoice's."""
    before = len(await desk.deliveries())
    data = {"invoice": f"inv_{before}_{source}", "version": 2, "payment": "pay_1", **about}
    row = await desk.arrive("payment.failed", data, source=source)
    told = sorted(stream for stream, kind, _ in (await desk.deliveries())[before:] if kind == RECORD)
    return told or [row.state, row.parked_for or row.reason]


async def test_the_same_customer_id_in_two_erps_is_two_customers(desk: Desk) -> None:
    for contract, erp in ((US, "us"), (EU, "eu")):
        await life(desk, contract, erp, account=f"account-{erp}")
        await make(desk, erp, "create_customer", contract, f"customer:account-{erp}:E@{erp}")
        await make(desk, erp, "create_subscription", contract, f"subscription:{contract}", "7")
    assert await failed_payment(desk, "us", customer="5") == [US]
    assert await failed_payment(desk, "eu", customer="5") == [EU]
    assert await failed_payment(desk, "eu-feed", subscription="7") == [EU]
    assert await failed_payment(desk, "us-feed", subscription="7") == [US]
    [state, reason] = await failed_payment(desk, "cs", customer="5")
    assert state == "dead"
    assert "us and eu have a customer 5 each" in reason


async def test_who_is_no_erp_may_mean_whichever_has_the_record(desk: Desk) -> None:
    assert await failed_payment(desk, "cs", subscription="7") == ["parked", "erp*:subscription:7"]
    await life(desk, EU, "eu")
    await make(desk, "eu", "create_subscription", EU, f"subscription:{EU}", "7")
    await desk.route()
    assert [stream for stream, _, _ in await desk.deliveries()] == [EU]
    assert await failed_payment(desk, "cs", subscription="7") == [EU]


async def test_an_early_event_waits_for_its_own_erp_and_not_for_the_same_id_elsewhere(desk: Desk) -> None:
    assert await failed_payment(desk, "us", subscription="7") == ["parked", "us:subscription:7"]
    await life(desk, EU, "eu")
    await make(desk, "eu", "create_subscription", EU, f"subscription:{EU}", "7")
    await desk.route()
    assert await desk.deliveries() == []
    assert await desk.database.write(lambda session: unpark_known(session, desk.router.landscape)) == 0
    await life(desk, US, "us")
    await make(desk, "us", "create_subscription", US, f"subscription:{US}", "7")
    await desk.route()
    assert [stream for stream, _, _ in await desk.deliveries()] == [US]


async def test_of_one_account_and_entity_each_erp_s_customer_pays_its_own_contracts(desk: Desk) -> None:
    """Routed by region or product line, two contracts of one account and entity may lie in two ERPs."""
    await life(desk, OLD)
    await life(desk, US, "us")
    await life(desk, EU, "eu")
    await make(desk, "us", "create_customer", US, keys.customer("acme", "E"))
    await make(desk, "eu", "create_customer", EU, keys.customer("acme", "E", "eu"))
    assert await failed_payment(desk, "us", customer="5") == sorted([US, OLD])
    assert await failed_payment(desk, "eu", customer="5") == [EU]


async def test_what_was_recorded_under_the_kind_is_still_found_at_its_home(desk: Desk) -> None:
    await life(desk, OLD)
    await make(desk, "erp", "create_customer", OLD, keys.customer("acme", "E"))
    await make(desk, "erp", "create_subscription", OLD, f"subscription:{OLD}", "7")
    assert await failed_payment(desk, "us", customer="5") == [OLD]
    assert await failed_payment(desk, "us", subscription="7") == [OLD]
    assert await failed_payment(desk, "eu", subscription="7") == ["parked", "eu:subscription:7"]
    assert await failed_payment(desk, "cs", subscription="7") == [OLD]


async def test_a_system_that_takes_the_place_of_another_does_not_inherit_its_records(desk: Desk) -> None:
    await life(desk, OLD)
    await make(desk, "erp", "create_customer", OLD, keys.customer("acme", "E"))
    connect(desk, {"successor": {"kind": "erp"}})
    assert await failed_payment(desk, "successor", customer="5") == ["parked", "successor:customer:5"]


async def test_a_key_that_one_system_has_is_never_given_to_another(desk: Desk) -> None:
    await make(desk, "us", "create_subscription", US, f"subscription:{US}")
    with pytest.raises(Rejected, match="was given to us, and eu is another system"):
        await make(desk, "eu", "create_subscription", US, f"subscription:{US}")
    await make(desk, "erp", "create_customer", US, keys.customer("acme", "E"))
    ledger = SqlLedger(desk.database)
    again = await ledger.claim(
        keys.customer("acme", "E"),
        contract=OLD,
        operation="us.create_customer",
        arguments="a",
        lease=5,
        generation=1,
    )
    assert (again.state, again.result) == ("done", {"id": "5"}), "an old row is the home's"


async def test_contracts_in_a_system_that_is_gone_are_a_case_until_it_is_back(desk: Desk) -> None:
    await life(desk, OLD)
    await life(desk, US, "us")
    await life(desk, EU, "eu")
    await life(desk, "crm/006-eu/2", "eu")
    successor = settings_with({"us": {"kind": "erp"}}).landscape
    for _ in range(2):
        assert await desk.database.write(lambda session: check_served(session, successor)) == ["eu"]
    [case] = await Cases(desk.database).list()
    assert (case.id, case.title) == ("unserved:eu", "2 contract(s) live in eu, which is not in tenure.toml")
    assert "[connections.eu]" in case.mend
    assert await desk.database.write(lambda session: check_served(session, settings_with(HOME).landscape)) == []
    assert await Cases(desk.database).list() == []
    await Lifecycles(desk.database).mark_closed(EU)
    await Lifecycles(desk.database).mark_closed("crm/006-eu/2")
    assert await desk.database.write(lambda session: check_served(session, successor)) == [], "nobody is left there"


async def test_contracts_from_before_are_a_case_while_no_connection_is_their_home(desk: Desk) -> None:
    await life(desk, OLD)
    homeless = settings_with({"us": {"kind": "erp"}, "eu": {"kind": "erp"}}).landscape
    assert await desk.database.write(lambda session: check_served(session, homeless)) == ["erp"]
    [case] = await Cases(desk.database).list()
    assert "default = true" in case.mend
    assert await desk.database.write(lambda session: check_served(session, settings_with(HOME).landscape)) == []
    assert await Cases(desk.database).list() == []
