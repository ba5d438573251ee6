"""What can be wrong outside, planted: for each kind of difference, how a contract of the town gets it."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col

from bench.agreed import ENDS, ENTITY, STARTED, Plain
from domain import keys
from domain.view import Stage
from store.database import change
from store.tables import EffectRow, LifecycleViewRow
from tests.reconciling.town import Town

OTHER = (STARTED + timedelta(days=45)).isoformat()
LATER = ENDS.replace(year=ENDS.year + 1).isoformat()
Planting = Callable[[Town, Plain], Awaitable[None] | None]


def edit(system: str, kind: str, what: str, **fields: Any) -> Planting:
    """Fields of the contract's record of that name: `deal`, `account`, or what its id begins with."""

    def plant(town: Town, of: Plain) -> None:
        town.edit(system, kind, _id(of, what), **fields)

    return plant


def line(number: str, **fields: Any) -> Planting:
    return lambda town, of: town.edit_line(of.id("sub"), number, **fields)


def drop(system: str, kind: str, what: str) -> Planting:
    return lambda town, of: town.drop(system, kind, _id(of, what))


def again(system: str, kind: str, what: str, **fields: Any) -> Planting:
    """Another record beside the contract's own."""

    def plant(town: Town, of: Plain) -> None:
        name = "Id" if system == "crm" else "id"
        town.put(system, kind, {**town.get(system, kind, of.id(what)), name: f"{of.id(what)}-again", **fields})

    return plant


def of_nobody(system: str, kind: str, what: str, **fields: Any) -> Planting:
    """A record of a contract that nobody knows."""

    def plant(town: Town, of: Plain) -> None:
        name, contract = ("Id", "Tenure_Contract__c") if system == "crm" else ("id", "contract")
        stranger = {name: f"{of.id(what)}-nobody", contract: f"crm/006NOBODY{of.n}/1", **fields}
        town.put(system, kind, {**town.get(system, kind, of.id(what)), **stranger})

    return plant


def _id(of: Plain, what: str) -> str:
    return str(getattr(of, what)) if what in ("deal", "account") else of.id(what)


async def _amended(town: Town, of: Plain) -> None:
    """An amendment that the ledger has, and the view, and the ERP has not."""
    key = keys.amendment(of.contract, "chg-1")
    view = of.view()
    view.lines[1].quantity = "80"
    view.effects[key] = of.id("sub")
    row = next(row for row in of.rows() if isinstance(row, EffectRow))
    row.key = key
    row.operation = "erp.amend_subscription"

    def write(session: Any) -> None:
        session.add(row)
        shown = update(LifecycleViewRow).where(col(LifecycleViewRow.contract) == of.contract)
        change(session, shown.values(view=view.model_dump(mode="json")))

    await town.database.write(write)


async def _viewed(town: Town, of: Plain, **fields: Any) -> None:
    view = of.view().model_copy(update=fields)
    shown = update(LifecycleViewRow).where(col(LifecycleViewRow.contract) == of.contract)
    await town.database.write(lambda session: change(session, shown.values(view=view.model_dump(mode="json"))))


async def _unbilled(town: Town, of: Plain) -> None:
    """The ERP bills a line that nothing of ours has started."""
    view = of.view()
    view.lines[2].billing_starts = None
    effects = {key: ref for key, ref in of.effects.items() if key != keys.billing_start(of.contract, "3", 1)}
    await _viewed(town, of, lines=view.lines, effects=effects)


async def _inactive(town: Town, of: Plain) -> None:
    """Not activated here, and active in the ERP."""
    effects = {key: ref for key, ref in of.effects.items() if key.split(":")[0] in ("customer", "subscription")}
    await _viewed(town, of, stage=Stage.ORDER_ACTIVATION, effects=effects, term=0, term_starts=None, term_ends=None)
    town.edit("crm", "opportunities", of.deal, Tenure_Status__c="activating")


def _extra_line(town: Town, of: Plain) -> None:
    lines = town.get("erp", "subscriptions", of.id("sub"))["lines"]
    town.edit("erp", "subscriptions", of.id("sub"), lines=[*lines, {**lines[2], "id": "9", "billing_starts": None}])


def _lacks_line(town: Town, of: Plain) -> None:
    lines = town.get("erp", "subscriptions", of.id("sub"))["lines"]
    town.edit("erp", "subscriptions", of.id("sub"), lines=[each for each in lines if each["id"] != "3"])


def _health(**fields: Any) -> Planting:
    return edit("cs", "health", "company", **fields)


def _deal_line(**fields: Any) -> Planting:
    def plant(town: Town, of: Plain) -> None:
        items = town.get("crm", "opportunities", of.deal)["OpportunityLineItems"]["records"]
        items[1] |= fields
        town.edit("crm", "opportunities", of.deal, OpportunityLineItems={"records": items})

    return plant


async def _no_run(town: Town, of: Plain) -> None:
    handle = town.client.get_workflow_handle(keys.lifecycle_id(town.task_queue, of.contract))
    await handle.terminate("planted")


async def _strange_run(town: Town, of: Plain) -> None:
    await town.begin(f"crm/006STRANGE{of.n}/1")


SUB = ("erp", "subscriptions", "sub")
CUS = ("erp", "customers", "cus")
DEAL = ("crm", "opportunities", "deal")

PLANTS: dict[str, Planting] = {
    "erp_customer_missing": drop(*CUS),
    "erp_customer_duplicated": again(*CUS),
    "erp_customer_orphaned": again(*CUS, external_id=f"customer:001NOBODY:{ENTITY}", account="001NOBODY"),
    "erp_customer_account": edit(*CUS, account="001OTHER"),
    "erp_customer_entity": edit(*CUS, selling_entity="ACME-US"),
    "erp_customer_parent": edit(*CUS, parent_account="001WRONG"),
    "erp_hold_unasked": edit(*CUS, credit_hold={"held": True, "reason": "by hand"}),
    "erp_hold_missing": lambda town, of: _viewed(town, of, hold="unpaid"),
    "erp_subscription_missing": drop(*SUB),
    "erp_subscription_duplicated": again(*SUB),
    "erp_subscription_orphaned": of_nobody(*SUB),
    "erp_subscription_customer": edit(*SUB, customer="cus_other"),
    "erp_subscription_contract": edit(*SUB, contract=None),
    "erp_currency": edit(*SUB, currency="CHF"),
    "erp_not_active": edit(*SUB, status="draft"),
    "erp_active_unasked": _inactive,
    "erp_cancelled": edit(*SUB, status="cancelled"),
    "erp_ended": edit(*SUB, status="ended", ends=OTHER),
    "erp_not_ended": edit(*SUB, status="active"),
    "erp_term_start": edit(*SUB, starts=OTHER),
    "erp_term_end": edit(*SUB, ends=(ENDS + timedelta(days=90)).isoformat()),
    "erp_renewal_missing": edit(*SUB, term=1, ends=STARTED.isoformat()),
    "erp_renewed_unasked": edit(*SUB, term=2, ends=LATER),
    "erp_line_missing": _lacks_line,
    "erp_line_unknown": _extra_line,
    "erp_product": line("2", product="ANALYTICS"),
    "erp_quantity": line("2", quantity="49"),
    "erp_amendment_missing": _amended,
    "erp_price": line("2", unit_price="1100"),
    "erp_billing_missing": line("2", billing_starts=None, accepted_on=None),
    "erp_billed_unasked": _unbilled,
    "erp_billing_date": line("2", billing_starts=OTHER),
    "crm_account_missing": drop("crm", "accounts", "account"),
    "crm_account_parent": edit("crm", "accounts", "account", ParentId="001WRONG"),
    "crm_deal_missing": drop(*DEAL),
    "crm_deal_not_won": edit(*DEAL, StageName="Prospecting", IsWon=False, IsClosed=False),
    "crm_deal_account": edit(*DEAL, AccountId="001OTHER"),
    "crm_deal_contract": edit(*DEAL, Tenure_Contract__c=None),
    "crm_deal_customer": edit(*DEAL, ERP_Customer__c="cus_other"),
    "crm_deal_subscription": edit(*DEAL, ERP_Subscription__c="sub_other"),
    "crm_stage": edit(*DEAL, Tenure_Status__c="activating"),
    "crm_renewal_date": edit(*DEAL, Tenure_Renewal_Date__c=OTHER),
    "crm_quantity": _deal_line(Quantity=60.0),
    "crm_price": _deal_line(UnitPrice=999.0),
    "crm_currency": edit(*DEAL, CurrencyIsoCode="CHF"),
    "crm_opportunity_missing": drop("crm", "opportunities", "opp"),
    "crm_opportunity_duplicated": again("crm", "opportunities", "opp"),
    "crm_opportunity_orphaned": of_nobody("crm", "opportunities", "opp", Tenure_External_Id__c=None),
    "crm_opportunity_close": edit("crm", "opportunities", "opp", CloseDate=OTHER),
    "crm_decided_unasked": edit("crm", "opportunities", "opp", StageName="Closed Won", IsClosed=True, IsWon=True),
    "cs_company_missing": drop("cs", "companies", "company"),
    "cs_company_account": edit("cs", "companies", "company", external_id="001OTHER"),
    "cs_company_parent": edit("cs", "companies", "company", parent_external_id="001WRONG"),
    "cs_risk": _health(risk="high"),
    "cs_priority": _health(renewal_priority="urgent"),
    "cs_stage": _health(lifecycle_stage="onboarding"),
    "cs_onboarding_missing": drop("cs", "plans", "plan"),
    "cs_onboarding_duplicated": again("cs", "plans", "plan"),
    "cs_onboarding_orphaned": of_nobody("cs", "plans", "plan", external_id=None),
    "cs_onboarding_company": edit("cs", "plans", "plan", company="company_other"),
    "cs_playbook_missing": drop("cs", "playbooks", "playbook"),
    "cs_playbook_duplicated": again("cs", "playbooks", "playbook"),
    "cs_playbook_orphaned": of_nobody("cs", "playbooks", "playbook", external_id=None),
    "cs_playbook_due": edit("cs", "playbooks", "playbook", due=OTHER),
    "run_missing": _no_run,
    "run_orphaned": _strange_run,
}

_RENEWING = ("opportunity", "playbook", "crm_decided")


def pick(contracts: list[Plain]) -> Iterator[tuple[str, Plain]]:
    """For each kind a contract of its own in which it can happen."""
    free = list(contracts)
    for kind in PLANTS:
        of = next(each for each in free if _suits(kind, each))
        free.remove(of)
        yield kind, of


def _suits(kind: str, of: Plain) -> bool:
    if kind == "erp_not_ended":
        return of.stage is Stage.ENDED
    if any(part in kind for part in _RENEWING):
        return of.stage is Stage.RENEWAL
    return of.stage is Stage.SERVING and of.term == (2 if kind == "erp_renewal_missing" else 1)
