"""What the API says of invoices, accounts and entitlements: from the facts that the dispatcher keeps."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlmodel import Session

from domain.facts import INVOICE, MOVEMENT, PAYMENT, Fact, stamp
from domain.view import LifecycleView, Stage
from store.facts import learn
from store.orders import SqlOrders
from tests.experience import Experience

TODAY = datetime.now(UTC).date()


def view(number: int, **changes: Any) -> LifecycleView:
    values: dict[str, Any] = {
        "contract": f"crm/F-{number}/1",
        "stage": Stage.SERVING,
        "account": "ACC-F",
        "entitlement": "active",
        "as_of": datetime.now(UTC),
    }
    return LifecycleView(**(values | changes))


async def bill(experience: Experience, contract: str, invoice: str, amount: str, due: date, paid: str = "") -> None:
    facts = [Fact(INVOICE, invoice, stamp(1), {"due_on": due.isoformat(), "amount": amount})]
    if paid:
        named = {"invoice": invoice, "what": PAYMENT, "name": "p1", "amount": paid}
        facts.append(Fact(MOVEMENT, f"{invoice}/{PAYMENT}/p1", stamp(0), named))

    def tell(session: Session) -> None:
        for fact in facts:
            learn(session, contract, fact)

    await experience.database.write(tell)


async def test_an_account_owes_what_is_open_and_two_contracts_share_an_invoice(experience: Experience) -> None:
    for number in (1, 2):
        await experience.publish(view(number, hold="20 days overdue" if number == 2 else None))
        await SqlOrders(experience.database).add(
            f"crm/F-{number}/1", {"currency": "EUR", "account": {"name": "Hooli"}}, "test"
        )
        await bill(experience, f"crm/F-{number}/1", "INV-1", "100.00", TODAY - timedelta(days=20), paid="40.00")
    await bill(experience, "crm/F-1/1", "INV-2", "10.50", TODAY + timedelta(days=5))
    await bill(experience, "crm/F-1/1", "INV-3", "7.00", TODAY - timedelta(days=90), paid="7.00")
    found = await experience.get("/accounts/ACC-F/financial-status")
    assert (found["standing"], found["customer"]) == ("on_hold", "Hooli")
    assert found["oldest_due"] == (TODAY - timedelta(days=20)).isoformat()
    assert found["holds"] == [{"contract": "crm/F-2/1", "reason": "20 days overdue"}]
    [sums] = found["sums"]
    assert (sums["currency"], sums["invoices"], sums["unpaid"], sums["delinquent"]) == ("EUR", 3, 2, 1)
    assert (sums["invoiced"], sums["open"], sums["due"]) == ("117.50", "70.50", "60.00")
    page = await experience.get("/invoices", account="ACC-F", limit=2)
    assert [line["invoice"] for line in page["items"]] == ["INV-3", "INV-1"]
    assert page["items"][1]["contracts"] == ["crm/F-1/1", "crm/F-2/1"]
    rest = await experience.get("/invoices", account="ACC-F", limit=2, cursor=page["next"])
    assert [(line["invoice"], line["collection"]) for line in rest["items"]] == [("INV-2", "open")]
    late = await experience.get("/invoices", collection="delinquent")
    assert [line["invoice"] for line in late["items"]] == ["INV-1"]


async def test_contracts_of_the_whole_hierarchy_roll_up(experience: Experience) -> None:
    await experience.publish(view(1, account="TOP", risk="low"))
    await experience.publish(view(2, account="MID", parent_account="TOP", risk="high", entitlement="grace"))
    await experience.publish(view(3, account="LOW", parent_account="MID", stage=Stage.ENDED, entitlement="ended"))
    top = await experience.get("/accounts/TOP")
    assert (top["children"], top["hierarchy"]) == (["MID"], ["TOP"])
    assert (top["own"]["contracts"], top["own"]["risk"]) == (1, "low")
    rolled = top["rolled_up"]
    assert (rolled["accounts"], rolled["contracts"], rolled["open"], rolled["risk"]) == (3, 3, 2, "high")
    assert rolled["by_entitlement"] == {"active": 1, "ended": 1, "grace": 1}
    low = await experience.get("/accounts/LOW")
    assert (low["hierarchy"], low["own"]["active"]) == (["LOW", "MID", "TOP"], False)
    names = [line["account"] for line in (await experience.get("/accounts"))["items"]]
    assert names == ["LOW", "MID", "TOP"]
    assert (await experience.http.get("/api/v1/accounts/NOBODY")).status_code == 404


async def test_parents_that_go_round_in_a_circle_end(experience: Experience) -> None:
    await experience.publish(view(1, account="A", parent_account="B"))
    await experience.publish(view(2, account="B", parent_account="A"))
    found = await experience.get("/accounts/A")
    assert (found["hierarchy"], found["rolled_up"]["contracts"]) == (["A", "B"], 2)


async def test_an_entitlement_has_its_reason(experience: Experience) -> None:
    await experience.publish(view(1, entitlement="grace", entitlement_reason="an invoice is overdue"))
    await experience.publish(view(2))
    found = await experience.get("/entitlements", level="grace")
    assert [(each["contract"], each["reason"]) for each in found["items"]] == [("crm/F-1/1", "an invoice is overdue")]
    one = await experience.get("/entitlements/crm/F-1/1")
    assert (one["entitlement"], one["erp"]) == ("grace", None)
    assert set(one["freshness"]) == {"lifecycle", "erp"}
