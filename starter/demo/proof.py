"""The proof at the demo's end: what the outside systems themselves hold. Everything exactly once, or the demo fails."""

from typing import TYPE_CHECKING, Any

from starter.demo.box import Box, Customer
from starter.demo.erp import ErpSide, Proof

if TYPE_CHECKING:
    from starter.office import Office


async def holdings(box: Box, erp: ErpSide, office: "Office", customer: Customer, contract: str) -> Proof:
    """What there must be, and what there is: {what: (wanted, found)}."""
    of_external_id = await _counter(box, lambda record: record.get("external_id") == customer.account)
    of_contract = await _counter(box, lambda record: record.get("contract") == contract)
    opportunities = await box.records("crm", "opportunities", lambda o: o.get("Tenure_Contract__c") == contract)
    renewal_opportunities = [each for each in opportunities if each["Id"] not in (customer.deal, customer.upsell)]
    running = await office.client.count_workflows(f"AccountId = '{customer.account}'")
    return {
        "lifecycles (Temporal)": (1, running.count),
        **await erp.holdings(customer, contract),
        "companies (CS)": (1, of_external_id("cs", "companies")),
        "onboarding plans (CS)": (1, of_contract("cs", "plans")),
        "renewal playbooks (CS)": (1, of_contract("cs", "playbooks")),
        "renewal opportunities (CRM)": (1, len(renewal_opportunities)),
    }


async def _counter(box: Box, belongs: Any) -> Any:
    state = (await box.do("GET", "/admin/state"))["records"]

    def count(system: str, kind: str) -> int:
        return sum(bool(belongs(record)) for record in state.get(system, {}).get(kind, []))

    return count
