"""The proof at the demo's end: what the outside systems themselves hold. Everything exactly once, or the demo fails."""

from typing import TYPE_CHECKING, Any

from starter.demo.box import Box, Customer

if TYPE_CHECKING:
    from starter.office import Office


async def holdings(box: Box, office: "Office", customer: Customer, contract: str) -> dict[str, tuple[int, int]]:
    """What there must be, and what there is: {what: (wanted, found)}."""
    of_account = await _counter(box, lambda record: record.get("account") == customer.account)
    of_external_id = await _counter(box, lambda record: record.get("external_id") == customer.account)
    of_contract = await _counter(box, lambda record: record.get("contract") == contract)
    opportunities = await box.records("crm", "opportunities", lambda o: o.get("Tenure_Contract__c") == contract)
    renewal_opportunities = [each for each in opportunities if each["Id"] not in (customer.deal, customer.upsell)]
    running = await office.client.count_workflows(f"AccountId = '{customer.account}'")
    subscriptions = await box.records("erp", "subscriptions", lambda record: record.get("contract") == contract)
    starts = await box.records("erp", "billing_starts", lambda record: record.get("contract") == contract)
    proof = {
        "lifecycles (Temporal)": (1, running.count),
        "customers (ERP)": (1, of_account("erp", "customers")),
        "subscriptions (ERP)": (1, of_contract("erp", "subscriptions")),
        "activations (ERP)": (1, of_contract("erp", "activations")),
        "amendments (ERP)": (1, of_contract("erp", "amendments")),
        "renewals (ERP)": (1, of_contract("erp", "renewals")),
        "companies (CS)": (1, of_external_id("cs", "companies")),
        "onboarding plans (CS)": (1, of_contract("cs", "plans")),
        "renewal playbooks (CS)": (1, of_contract("cs", "playbooks")),
        "renewal opportunities (CRM)": (1, len(renewal_opportunities)),
    }
    for line in subscriptions[0]["lines"] if subscriptions else []:
        found = sum(start["line"] == line["id"] for start in starts)
        proof[f"billing starts of {line['product']} (ERP)"] = (1, found)
    return proof


async def _counter(box: Box, belongs: Any) -> Any:
    state = (await box.do("GET", "/admin/state"))["records"]

    def count(system: str, kind: str) -> int:
        return sum(bool(belongs(record)) for record in state.get(system, {}).get(kind, []))

    return count
