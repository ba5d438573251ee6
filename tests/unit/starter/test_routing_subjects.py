"""What an event is about: contracts, customers and accounts, by whichever of their ids a source knows."""

from typing import Any

import pytest

from starter.slips import FACT, RECORD, TELL
from store.cases import Cases
from store.ledger import SqlLedger
from store.lifecycles import Lifecycles
from store.tables import LifecycleRow
from tests.intake import ACCOUNT, CONTRACT, DEAL, Desk, deal, open_desk

SECOND = "crm/006-second/1"
FAILED = {"invoice": "inv_1", "version": 2, "payment": "pay_1"}


@pytest.fixture
async def desk(either_url: str) -> Any:
    with open_desk(either_url) as desk:
        await desk.arrive("deal.closed_won", deal())
        yield desk


async def life(desk: Desk, contract: str, account: str = ACCOUNT, entity: str = "ACME-DE") -> None:
    row = LifecycleRow(
        contract=contract, tenant="acme", account=account, deal=contract, selling_entity=entity, workflow_id=contract
    )
    await Lifecycles(desk.database).add(row)


async def customer(desk: Desk) -> None:
    """The ledger records that the ERP has made the customer, for the first contract."""
    ledger, key = SqlLedger(desk.database), f"customer:{ACCOUNT}:ACME-DE"
    claim = await ledger.claim(
        key, contract=CONTRACT, operation="erp.create_customer", arguments="a", lease=5, generation=1
    )
    await ledger.mark_sent(key, fence=claim.fence, deadline=1)
    await ledger.done(key, fence=claim.fence, result={"id": "cus_1"})


async def queued(desk: Desk, kind: str) -> list[str]:
    return sorted(stream for stream, of, _ in await desk.deliveries() if of == kind)


async def test_an_invoice_of_a_customer_concerns_each_contract_that_it_pays(desk: Desk) -> None:
    early = await desk.arrive("payment.failed", {**FAILED, "customer": "cus_1"})
    assert (early.state, early.parked_for) == ("parked", "erp:customer:cus_1")
    await life(desk, SECOND)
    await life(desk, "crm/006-us/1", entity="ACME-US")
    await customer(desk)
    await desk.route()
    assert await queued(desk, RECORD) == sorted([CONTRACT, SECOND])


async def test_the_first_subject_that_is_known_counts(desk: Desk) -> None:
    await life(desk, SECOND)
    await customer(desk)
    await Lifecycles(desk.database).link("erp", "subscription", "sub_1", CONTRACT)
    await desk.arrive("payment.failed", {**FAILED, "customer": "cus_1", "subscription": "sub_1"})
    assert await queued(desk, RECORD) == [CONTRACT]


@pytest.mark.parametrize("names", [{"contract": CONTRACT}, {"deal": DEAL}, {"subscription": "sub_1"}])
async def test_a_contract_is_found_by_any_of_its_ids(desk: Desk, names: dict[str, str]) -> None:
    await Lifecycles(desk.database).link("erp", "subscription", "sub_1", CONTRACT)
    row = await desk.arrive("renewal.decided", {**names, "outcome": "renew", "by": "the board"})
    assert row.state == "routed"
    assert await queued(desk, TELL) == [CONTRACT]


async def test_an_event_that_names_nobody_is_a_dead_letter(desk: Desk) -> None:
    assert "names no contract" in (await desk.arrive("order.approved", {})).reason
    assert "neither subscription nor customer" in (await desk.arrive("payment.failed", FAILED)).reason


@pytest.mark.parametrize("order", [("gone", "kept"), ("kept", "gone")])
async def test_what_comes_in_for_either_of_two_merged_accounts_finds_the_lifecycles_of_both(
    desk: Desk, order: tuple[str, str]
) -> None:
    account, into = (ACCOUNT, "acc-other") if order == ("gone", "kept") else ("acc-other", ACCOUNT)
    await life(desk, SECOND, account="acc-other")
    row = await desk.arrive("account.merged", {"account": account, "into": into})
    assert row.state == "routed"
    asked = [case.contract for case in await Cases(desk.database).list()]
    assert asked == [CONTRACT if account == ACCOUNT else SECOND]
    for number, name in enumerate((ACCOUNT, "acc-other")):
        usage = {"account": name, "active": "1", "entitled": "2", "as_of": f"2027-01-0{number + 1}"}
        await desk.arrive("usage.reported", usage)
    assert await queued(desk, FACT) == sorted([CONTRACT, SECOND] * 2)


async def test_a_merge_in_a_circle_is_no_merge(desk: Desk) -> None:
    for account, into in ((ACCOUNT, "b"), ("b", "c"), ("c", ACCOUNT), (ACCOUNT, ACCOUNT)):
        await desk.arrive("account.merged", {"account": account, "into": into})
    usage = {"account": "c", "active": "1", "entitled": "2", "as_of": "2027-01-01"}
    await desk.arrive("usage.reported", usage)
    assert await queued(desk, FACT) == [CONTRACT]


async def test_a_won_deal_of_a_merged_account_becomes_no_second_customer(desk: Desk) -> None:
    await desk.arrive("account.merged", {"account": ACCOUNT, "into": "acc-new"})
    row = await desk.arrive("deal.closed_won", deal(Id="006-second", AccountId="acc-new"))
    assert row.state == "dead"
    assert CONTRACT in row.reason


QUESTIONS = [
    ("order.rejected", {"reason": "credit limit"}, "order_rejected", "credit limit"),
    ("contract.ended", {"ends": "2027-05-01"}, "ended_outside", "2027-05-01"),
    ("contract.amended", {"quantities": {"PLATFORM": "60"}}, "amended_outside", "PLATFORM 60"),
    ("service_delivery.failed", {"line": "l1", "reason": "no capacity"}, "service_delivery", "line l1: no capacity"),
]


@pytest.mark.parametrize(("event", "data", "kind", "reason"), QUESTIONS)
async def test_what_only_a_person_can_settle_is_a_case_and_a_line_in_the_timeline(
    desk: Desk, event: str, data: dict[str, Any], kind: str, reason: str
) -> None:
    row = await desk.arrive(event, {**data, "contract": CONTRACT})
    [case] = await Cases(desk.database).list()
    assert (case.id, case.kind, case.contract, case.account) == (f"{kind}:{CONTRACT}", kind, CONTRACT, ACCOUNT)
    assert reason in case.reasons[0]
    assert (case.inbox_id, "{" in case.mend) == (row.id, False)
    assert await queued(desk, RECORD) == [CONTRACT]


async def test_what_tenure_says_itself_is_not_believed_from_others(desk: Desk) -> None:
    said = {"contract": CONTRACT, "account": ACCOUNT, "deal": DEAL, "on": "2027-01-01"}
    row = await desk.arrive("lifecycle.ended", said)
    assert (row.state, "sent by Tenure" in row.reason) == ("dead", True)
