"""What the systems hold that may be about one contract, side by side."""

from dataclasses import dataclass, field

from domain.ports.records import (
    AccountRecord,
    CompanyRecord,
    CustomerRecord,
    OpportunityRecord,
    PlanRecord,
    RunRecord,
    SubscriptionRecord,
)


@dataclass
class Outside:
    """`read`: the kinds of system that could be read, of those that serve the contract. `customers_of_parent`: whether
    the ERP has a customer for the parent account, without which it shows no parent."""

    read: frozenset[str] = frozenset()
    customers: list[CustomerRecord] = field(default_factory=list)
    subscriptions: list[SubscriptionRecord] = field(default_factory=list)
    accounts: list[AccountRecord] = field(default_factory=list)
    opportunities: list[OpportunityRecord] = field(default_factory=list)
    companies: list[CompanyRecord] = field(default_factory=list)
    plans: list[PlanRecord] = field(default_factory=list)
    playbooks: list[PlanRecord] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    customers_of_parent: bool = True
