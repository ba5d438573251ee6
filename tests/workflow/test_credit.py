"""A customer on credit hold: by the company's policy, account-wide, or by hand; and what it holds up."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, update
from temporalio.client import Client

from domain.company import CreditPolicy
from domain.finance import credit
from domain.finance.commands import HoldCredit, ReleaseCredit
from domain.messages import CreditHoldChanged
from domain.state import LifecycleState
from starter.customers import command_customer
from starter.mistakes import Refusal
from starter.office import Office
from store.database import change
from store.tables import LifecycleRow
from tests.dispatch import Post
from tests.house import House, Life, open_house
from tests.workflow.lives import HOOLI, calls, done, eventually, go_live, onboarding, records, refusal, rests, today
from workflows.lifecycle import CustomerLifecycle

DAYS = 20
BY_HAND = HoldCredit(by="fin", reason="cheque returned")


@pytest.fixture
async def strict(temporal: Client, tmp_path: Path) -> AsyncIterator[House]:
    """A company that gives nothing on credit to who is twenty days late."""
    rules = {"credit": CreditPolicy(hold_after_days_overdue=DAYS)}
    async with open_house(temporal, tmp_path, rules=rules) as opened:
        yield opened


@pytest.fixture
def post(strict: House) -> Post:
    return Post(strict)


def ago(days: int) -> date:
    return today() - timedelta(days=days)


async def share_account(post: Post, *lives: Life) -> None:
    """Several contracts of one account, as intake lets in by a person's hand."""
    account = (await lives[0].view()).account
    for life in lives[1:]:
        moved = update(LifecycleRow).where(LifecycleRow.contract == life.contract).values(account=account)  # type: ignore[arg-type]  # a column
        await post.house.database.write(lambda session, moved=moved: change(session, moved))  # type: ignore[misc]  # a default holds it


async def held(life: Life) -> str | None:
    return (await life.view()).hold


async def held_in_erp(house: House, wanted: bool) -> bool:
    customers = await records(house, "erp", "customers")
    return all((customer.get("credit_hold") or {}).get("held") is wanted for customer in customers)


async def test_who_is_late_for_too_long_is_held_and_released_when_it_has_paid(post: Post) -> None:
    life = await post.win("006-cra")
    await post.invoice(life, "overdue", 1, ago(DAYS - 1))
    await post.settle()
    assert await held(life) is None
    await post.invoice(life, "due_date_changed", 2, ago(DAYS))
    await post.settle()
    assert await held(life) == "overdue for too long: inv_1"
    assert "policy holds it for inv_1" in await refusal(
        life.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin"))
    )
    await eventually(lambda: held_in_erp(post.house, True))
    await post.invoice(life, "paid", 3, ago(DAYS))
    await post.settle()
    assert await held(life) is None
    await eventually(lambda: held_in_erp(post.house, False))


async def test_a_disputed_invoice_is_not_delinquent(post: Post) -> None:
    life = await post.win("006-crb")
    await post.invoice(life, "overdue", 1, ago(2 * DAYS))
    await post.settle()
    assert await held(life) is not None
    await post.invoice(life, "disputed", 2, ago(2 * DAYS))
    await post.settle()
    assert await held(life) is None
    await post.invoice(life, "dispute_resolved", 3, ago(2 * DAYS))
    await post.settle()
    assert await held(life) == "overdue for too long: inv_1"


async def test_every_contract_of_the_customer_is_told_the_same(post: Post) -> None:
    one, other, stranger = await post.win("006-crc"), await post.win("006-crd"), await post.win("006-cre")
    await share_account(post, one, other)
    await post.invoice(one, "overdue", 1, ago(DAYS), name="inv_a")
    await post.invoice(other, "overdue", 1, ago(DAYS + 1), name="inv_b")
    await post.settle()
    assert await held(one) == await held(other) == "overdue for too long: inv_b, inv_a"
    assert await held(stranger) is None
    await post.invoice(one, "paid", 2, ago(DAYS), name="inv_a")
    await post.settle()
    assert await held(one) == await held(other) == "overdue for too long: inv_b"
    await post.invoice(other, "paid", 2, ago(DAYS), name="inv_b")
    await post.settle()
    assert (await held(one), await held(other)) == (None, None)


async def test_the_sweep_finds_who_has_become_late_for_too_long(post: Post) -> None:
    one, other = await post.win("006-crf"), await post.win("006-crg")
    await share_account(post, one, other)
    await post.invoice(one, "posted", 1, today())
    await post.settle()

    def later(session: Session) -> None:
        change(session, update(LifecycleRow).values(clock_shift=(DAYS + 1) * 86400.0))

    await post.house.database.write(later)
    await post.sweep()
    await post.settle()
    assert await held(one) == await held(other) == "overdue for too long: inv_1"
    assert await post.sweep() == 0


async def test_an_ended_contract_s_invoice_still_counts_and_so_does_its_payment(post: Post) -> None:
    gone, stays = await post.win("006-crh"), await post.win("006-cri")
    await share_account(post, stays, gone)

    def close(session: Session) -> None:
        session.get_one(LifecycleRow, gone.contract).closed = True

    await post.house.database.write(close)
    await post.invoice(gone, "overdue", 1, ago(DAYS))
    await post.settle()
    assert await held(stays) == "overdue for too long: inv_1"
    await post.invoice(gone, "paid", 2, ago(DAYS))
    await post.settle()
    assert await held(stays) is None


async def test_what_a_person_holds_only_a_person_releases(post: Post) -> None:
    life = await post.win("006-crj")
    await life.handle.execute_update(CustomerLifecycle.hold, BY_HAND)
    await post.invoice(life, "overdue", 1, ago(DAYS))
    await post.settle()
    await post.invoice(life, "paid", 2, ago(DAYS))
    await post.settle()
    assert await held(life) == "cheque returned (fin)"
    other = HoldCredit(by="other", reason="bad feeling")
    assert "by hand already" in await refusal(life.handle.execute_update(CustomerLifecycle.hold, other))
    await life.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin"))
    assert await held(life) is None
    assert "not on hold" in await refusal(
        life.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin"))
    )


async def test_a_hold_by_hand_is_the_customer_s_whichever_contract_is_named(post: Post) -> None:
    one, other, stranger = await post.win("006-crk"), await post.win("006-crl"), await post.win("006-crm")
    await share_account(post, one, other)
    house = post.house
    office = Office(house.database, house.client, house.company, house.mapping, "crm")
    life, command = await office.find(other.contract), BY_HAND

    def would(state: LifecycleState) -> str | None:
        credit.check_hold(state, command)
        return None if state.held_by_hand == credit.words(command) else "would be held"

    shown = await command_customer(office, life, "hold", command, would, dry_run=True)
    assert shown == {other.contract: "would be held", one.contract: "would be held"}
    assert (await held(one), await held(other)) == (None, None)
    # broken off after the first of the two
    await other.handle.execute_update(CustomerLifecycle.hold, command)
    answers = await command_customer(office, life, "hold", command, would)
    assert answers[other.contract] == "is so already"
    assert await held(one) == await held(other) == "cheque returned (fin)"
    assert await held(stranger) is None

    def released(state: LifecycleState) -> str | None:
        credit.check_release(state, ReleaseCredit(by="fin"))
        return "would be released"

    await one.handle.execute_update(CustomerLifecycle.release, ReleaseCredit(by="fin"))
    await command_customer(office, await office.find(one.contract), "release", ReleaseCredit(by="fin"), released)
    assert (await held(one), await held(other)) == (None, None)
    with pytest.raises(Refusal, match="not on hold"):
        await command_customer(office, life, "release", ReleaseCredit(by="fin"), released)


async def test_an_order_of_a_customer_on_hold_waits_and_the_erp_makes_no_subscription(house: House) -> None:
    await house.fault(system="erp", operation="create_customer", kind="slow", seconds=0.5)
    life = await house.start(house.payload(HOOLI))
    assert await life.tell(CreditHoldChanged(invoices=("INV-7",))) == ["applied"]
    view = await life.until(lambda view: done(view, "customer") and rests(view))
    assert view.next_step == "waits for the release of the credit hold (overdue for too long: INV-7)"
    await life.travel(2)
    assert await calls(house, "erp", "create_subscription") == []
    assert await life.tell(CreditHoldChanged()) == ["applied"]
    await life.until(lambda view: done(view, "onboarding") and rests(view))
    assert len(await records(house, "erp", "activations")) == 1


async def test_a_live_contract_on_hold_is_billed_on_by_what_it_agreed_to(house: House) -> None:
    life = await onboarding(house)
    await life.tell(CreditHoldChanged(invoices=("INV-7",)))
    view = await go_live(life)
    assert view.hold is not None
    assert len(await records(house, "erp", "billing_starts")) == 3
