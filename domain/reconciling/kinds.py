"""Every kind of difference that reconciliation knows, as data. docs/reconciliation.md is written from it."""

from domain.reconciling.difference import Class, Kind, Remedy, System

_DO: tuple[Remedy, ...] = ("redrive", "ignore")
_HAND: tuple[Remedy, ...] = ("ignore",)
"""Only the system's own people can bring it back; it then closes by itself."""
_EITHER: tuple[Remedy, ...] = ("redrive", "accept", "ignore")
_TAKE: tuple[Remedy, ...] = ("accept", "redrive", "ignore")
_RECORD: tuple[Remedy, ...] = ("redrive", "link", "ignore")


def _kinds(system: System, owner: str, *rows: tuple[str, Class, tuple[Remedy, ...], str]) -> dict[str, Kind]:
    return {
        name: Kind(name=name, klass=klass, system=system, owner=owner, remedies=remedies, meaning=meaning)
        for name, klass, remedies, meaning in rows
    }


KINDS: dict[str, Kind] = {
    **_kinds(
        "erp",
        "finance",
        ("erp_customer_missing", "missing", _RECORD, "the customer that was made is not in the ERP any more"),
        ("erp_customer_duplicated", "duplicated", _RECORD, "several customers stand for one account and entity"),
        ("erp_customer_orphaned", "orphaned", _DO, "a customer bears a key of ours, and no contract has it"),
        ("erp_customer_account", "cross_reference", _DO, "the customer stands for another account"),
        ("erp_customer_entity", "cross_reference", _DO, "the customer is one of another selling entity"),
        ("erp_customer_parent", "hierarchy", _DO, "the customer has another parent than the account"),
        ("erp_hold_unasked", "status", _DO, "the customer is on credit hold, and no contract asked for it"),
        ("erp_hold_missing", "status", _DO, "a contract holds its customer's credit, and the ERP does not"),
        ("erp_subscription_missing", "missing", _RECORD, "the subscription that was made is not in the ERP any more"),
        ("erp_subscription_duplicated", "duplicated", _RECORD, "several living subscriptions name one contract"),
        ("erp_subscription_orphaned", "orphaned", _DO, "a subscription names a contract that nobody knows"),
        ("erp_subscription_customer", "cross_reference", _DO, "the subscription is another customer's"),
        ("erp_subscription_contract", "cross_reference", _RECORD, "the subscription names another contract"),
        ("erp_currency", "currency", _DO, "the subscription is in another currency than was sold"),
        ("erp_not_active", "not_outside", _DO, "the activation is in the ledger, and the subscription is a draft"),
        ("erp_active_unasked", "not_in_ledger", _DO, "the subscription is active, and nothing of ours activated it"),
        ("erp_cancelled", "status", _EITHER, "the subscription is cancelled, and the contract lives"),
        ("erp_ended", "status", _EITHER, "the subscription is ended, and the contract lives"),
        ("erp_not_ended", "not_outside", _DO, "the end is in the ledger, and the subscription lives on"),
        ("erp_term_start", "dates", _DO, "the first day of the subscription is another"),
        ("erp_term_end", "dates", _EITHER, "the subscription's term ends on another day"),
        ("erp_renewal_missing", "not_outside", _DO, "the renewal is in the ledger, and the ERP has the old term"),
        ("erp_renewed_unasked", "not_in_ledger", _TAKE, "the ERP has the next term, and nothing of ours renewed it"),
        ("erp_line_missing", "missing", _DO, "a line of the contract is not in the subscription"),
        ("erp_line_unknown", "orphaned", _DO, "the subscription has a line that the contract has not"),
        ("erp_product", "cross_reference", _DO, "a line sells another product"),
        ("erp_quantity", "quantity", _EITHER, "a line has another quantity"),
        (
            "erp_amendment_missing",
            "not_outside",
            _EITHER,
            "an amendment is in the ledger, not in the ERP",
        ),
        ("erp_price", "amount", _DO, "a line has another unit price than was sold"),
        ("erp_billing_missing", "not_outside", _DO, "a billing start is in the ledger, and the ERP bills nothing"),
        ("erp_billed_unasked", "not_in_ledger", _TAKE, "the ERP bills a line, and nothing of ours started it"),
        ("erp_billing_date", "dates", _DO, "a line is billed from another day"),
    ),
    **_kinds(
        "crm",
        "operations",
        ("crm_account_missing", "missing", _HAND, "the CRM does not know the account any more"),
        ("crm_account_parent", "hierarchy", _DO, "the account has another parent in the CRM"),
        ("crm_deal_missing", "missing", _HAND, "the deal that was won is not in the CRM any more"),
        ("crm_deal_not_won", "status", _DO, "the deal is not won any more, and its contract lives"),
        ("crm_deal_account", "cross_reference", _DO, "the deal belongs to another account"),
        ("crm_deal_contract", "cross_reference", _DO, "the deal names another contract"),
        ("crm_deal_customer", "cross_reference", _DO, "the deal names another ERP customer"),
        ("crm_deal_subscription", "cross_reference", _DO, "the deal names another ERP subscription"),
        ("crm_stage", "stage_drift", _DO, "the deal shows another status of its contract"),
        ("crm_renewal_date", "dates", _DO, "the deal shows another renewal date"),
        ("crm_quantity", "quantity", _DO, "a line of the won deal has another quantity than the order"),
        ("crm_price", "amount", _DO, "a line of the won deal has another price than the order"),
        ("crm_currency", "currency", _DO, "the won deal is in another currency than the order"),
        ("crm_opportunity_missing", "not_outside", _RECORD, "the renewal opportunity is in the ledger, not in the CRM"),
        ("crm_opportunity_duplicated", "duplicated", _RECORD, "a renewal has several opportunities"),
        ("crm_opportunity_orphaned", "orphaned", _DO, "an opportunity names a contract that nobody knows"),
        ("crm_opportunity_close", "dates", _DO, "the renewal opportunity closes on another day than the term ends"),
        ("crm_decided_unasked", "not_in_ledger", _TAKE, "the renewal is decided in the CRM, and not for the contract"),
    ),
    **_kinds(
        "cs",
        "csm",
        ("cs_company_missing", "missing", _RECORD, "the company that was made is not in CS any more"),
        ("cs_company_account", "cross_reference", _DO, "the company stands for another account"),
        ("cs_company_parent", "hierarchy", _DO, "the company has another parent than the account"),
        ("cs_risk", "status", _DO, "CS shows another risk"),
        ("cs_priority", "status", _DO, "CS shows another renewal priority"),
        ("cs_stage", "stage_drift", _DO, "CS shows another stage of the lifecycle"),
        ("cs_onboarding_missing", "not_outside", _DO, "the onboarding is in the ledger, and CS has no plan"),
        ("cs_onboarding_duplicated", "duplicated", _DO, "a contract is onboarded by several plans"),
        ("cs_onboarding_orphaned", "orphaned", _DO, "a plan names a contract that nobody knows"),
        ("cs_onboarding_company", "cross_reference", _DO, "the plan is one of another company"),
        ("cs_playbook_missing", "not_outside", _DO, "the renewal playbook is in the ledger, and not in CS"),
        ("cs_playbook_duplicated", "duplicated", _DO, "a renewal has several playbooks"),
        ("cs_playbook_orphaned", "orphaned", _DO, "a playbook names a contract that nobody knows"),
        ("cs_playbook_due", "dates", _DO, "the playbook is due on another day than the term ends"),
    ),
    **_kinds(
        "workflow",
        "engineer",
        ("run_missing", "missing", ("accept", "ignore"), "a contract is open, and no workflow runs for it"),
        ("run_over", "status", ("accept", "ignore"), "a contract is open, and its workflow is over"),
        ("run_orphaned", "orphaned", ("accept", "ignore"), "a workflow runs for a contract that the store has not"),
    ),
}


def kind_of(name: str) -> Kind:
    return KINDS[name]
