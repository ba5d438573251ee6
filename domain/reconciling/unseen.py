"""What a comparison says nothing about: of that, nothing is known to be gone."""

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

from domain.reconciling.difference import Found
from domain.reconciling.expected import Expected
from domain.reconciling.kinds import KINDS

_LINES = (
    "erp_line_*", "erp_product", "erp_quantity", "erp_amendment_missing", "erp_price", "erp_billing_*",
    "erp_billed_unasked",
)  # fmt: skip
_TERM = ("erp_term_*", "erp_renew*")
_STATUS = ("erp_not_active", "erp_active_unasked", "erp_cancelled", "erp_ended")
_CUSTOMER = ("erp_customer_*", "erp_hold_*")
_DEAL = ("crm_deal_contract", "crm_stage", "crm_deal_customer", "crm_deal_subscription", "crm_renewal_date")
_OPPORTUNITY = ("crm_opportunity_*", "crm_decided_unasked")
_SHOWN = ("cs_risk", "cs_priority", "cs_stage")
_SUBSCRIPTION = ("erp_subscription_*", "erp_currency", "erp_not_ended", *_STATUS, *_TERM, *_LINES)

UNDER_WAY: Mapping[str, Collection[str]] = {
    "customer": _CUSTOMER,
    "erp.set_credit_hold": ("erp_hold_missing",),
    "subscription": _SUBSCRIPTION,
    "activation": _STATUS,
    "ending": _STATUS,
    "cancellation": _STATUS,
    "renewal": _TERM,
    "term-change": _TERM,
    "amendment": _LINES,
    "billing-start": ("erp_billing_*", "erp_billed_unasked"),
    "crm.write_status": _DEAL,
    "renewal-opportunity": _OPPORTUNITY,
    "company": ("cs_*",),
    "onboarding": ("cs_onboarding_*",),
    "playbook": ("cs_playbook_*",),
    "cs.set_health": _SHOWN,
}
"""By what is under way, the kinds that are not compared meanwhile."""
HIDDEN_BY: Mapping[str, Collection[str]] = {
    "erp_customer_missing": _CUSTOMER,
    "erp_subscription_missing": _SUBSCRIPTION,
    **dict.fromkeys((*_STATUS, "erp_not_ended"), (*_TERM, *_LINES)),
    "crm_account_missing": ("crm_account_parent",),
    "crm_deal_missing": ("crm_deal_*", "crm_stage", "crm_renewal_date", "crm_quantity", "crm_price", "crm_currency"),
    "crm_opportunity_missing": _OPPORTUNITY,
    "cs_company_missing": ("cs_company_*", *_SHOWN),
}
"""By a difference that is found, the kinds that can't be seen behind it."""


def unseen(e: Expected, found: Collection[Found]) -> frozenset[str]:
    """The kinds of difference of which nothing can be told now. `found`: what was found of the contract."""
    globs = [glob for key in e.under_way for glob in UNDER_WAY.get(key.partition(":")[0], ())]
    globs += [glob for each in found for glob in HIDDEN_BY.get(each.kind, ())]
    return frozenset(kind for kind in KINDS if any(fnmatchcase(kind, glob) for glob in globs))
