"""The outside systems as Protocols. Requests and answers are in our words; adapters translate.

Every writing operation takes a `key` (domain/keys.py) and is declared in the adapter's `effects`, by its method name,
with its class. An operation of class LOOKUP has a `find_*` twin that answers with what an earlier call made, or None.

Errors are those of domain/errors.py. A write raises OutcomeUnknown when it may have been done.
"""

from domain.ports.crm import (
    ChangedDeal,
    ChangedDeals,
    Crm,
    CrmReader,
    DealRecord,
    DealStatus,
    NewRenewalOpportunity,
    OpportunityRef,
)
from domain.ports.cs import CustomerSuccess, Health, NewCompany, NewOnboarding, NewPlaybook, OnboardingTask
from domain.ports.erp import (
    Activated,
    Activation,
    Amendment,
    Balance,
    BillingHistory,
    BillingStart,
    BillingStarted,
    CreditHold,
    CustomerCandidate,
    Ending,
    Erp,
    Invoice,
    InvoicePage,
    LineState,
    NewCustomer,
    NewSubscription,
    Ref,
    Renewal,
    Renewed,
    SubscriptionLine,
    SubscriptionState,
    TermChange,
)
from domain.ports.feeds import ChangeFeed
from domain.ports.probing import Probe, Probed, Problem
from domain.ports.signals import Adoption, Support, SupportCases, Usage

__all__ = [
    "Activated",
    "Activation",
    "Adoption",
    "Amendment",
    "Balance",
    "BillingHistory",
    "BillingStart",
    "BillingStarted",
    "ChangeFeed",
    "ChangedDeal",
    "ChangedDeals",
    "CreditHold",
    "Crm",
    "CrmReader",
    "CustomerCandidate",
    "CustomerSuccess",
    "DealRecord",
    "DealStatus",
    "Ending",
    "Erp",
    "Health",
    "Invoice",
    "InvoicePage",
    "LineState",
    "NewCompany",
    "NewCustomer",
    "NewOnboarding",
    "NewPlaybook",
    "NewRenewalOpportunity",
    "NewSubscription",
    "OnboardingTask",
    "OpportunityRef",
    "Probe",
    "Probed",
    "Problem",
    "Ref",
    "Renewal",
    "Renewed",
    "SubscriptionLine",
    "SubscriptionState",
    "Support",
    "SupportCases",
    "TermChange",
    "Usage",
]
