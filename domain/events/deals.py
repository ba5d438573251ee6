"""What the CRM says: deals, renewal opportunities, accounts. It owns a deal until the order is activated."""

from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from domain.events.base import EventData, OfAccount, OfContract, Subject, event


class _Deal(EventData):
    """`record` is the deal as the CRM returns it, with lines and account; the CRM's mapping reads it."""

    record: dict[str, Any] = Field(description="the deal with lines and account, as the CRM returns it")


@event(
    "tenure.deal.closed_won.v1",
    owner="sales",
    truth="crm",
    subject="contract",
    wakes="always: it starts a lifecycle, or changes one",
)
class DealClosedWon(_Deal):
    """A deal was won, of whatever kind: intake tells new business, expansion and renewal apart."""


@event(
    "tenure.deal.corrected.v1",
    owner="sales",
    truth="crm",
    subject="contract",
    wakes="while the order is not activated",
    since="0.2",
)
class DealCorrected(_Deal):
    """A won deal was changed. Before activation the order is checked anew; after it the ERP owns the contract, and the
    difference is a case."""


@event("tenure.deal.reopened.v1", owner="sales", truth="crm", subject="contract", wakes=None, since="0.2")
class DealReopened(_Deal):
    """A won deal is open again in the CRM: a case, since nobody but a person can undo what was begun."""


@event("tenure.deal.lost.v1", owner="sales", truth="crm", subject="contract", wakes="when it is a renewal opportunity")
class DealLost(_Deal):
    """A deal was lost. A lost renewal opportunity is the decision to end; one that had been won before is a case."""


class _Opportunity(EventData):
    """`opportunity`: the CRM's id of the renewal opportunity, which is an alias of its contract."""

    opportunity: str = Field(min_length=1, description="id of the renewal opportunity in the CRM")

    def subjects(self) -> tuple[Subject, ...]:
        return (Subject(kind="contract", alias=f"crm:deal:{self.opportunity}"),)


@event(
    "tenure.renewal_opportunity.won.v1",
    owner="sales",
    truth="crm",
    subject="contract",
    wakes="always: it is the renewal decision",
    since="0.2",
)
class RenewalOpportunityWon(_Opportunity):
    """The renewal opportunity was won, and says no more than that; a CRM that sends the record sends a won deal."""


@event(
    "tenure.renewal_opportunity.lost.v1",
    owner="sales",
    truth="crm",
    subject="contract",
    wakes="always: it is the renewal decision",
    since="0.2",
)
class RenewalOpportunityLost(_Opportunity):
    """The renewal opportunity was lost: the contract ends with its term."""


@event(
    "tenure.expansion_opportunity.identified.v1", owner="sales", truth="crm", subject="account", wakes=None, since="0.2"
)
class ExpansionOpportunityIdentified(OfAccount):
    """Somebody sees room to grow. It is kept in the timeline; the won upsell deal is what changes a contract."""

    opportunity: str = Field(min_length=1, description="id of the opportunity in the CRM")
    reason: str = Field("", description="what speaks for it, in the source's words")


@event("tenure.account.merged.v1", owner="sales", truth="crm", subject="account", wakes=None, since="0.2")
class AccountMerged(OfAccount):
    """`account` was merged into `into`, and its id is gone. What comes in for either finds the lifecycles of both."""

    into: str = Field(min_length=1, description="id of the account in the CRM that stays")


@event("tenure.account.reparented.v1", owner="sales", truth="crm", subject="account", wakes="always", since="0.2")
class AccountReparented(OfAccount):
    """`account` has another parent in the hierarchy, or none. Before activation the order is checked anew."""

    parent: str | None = Field(None, description="id of the parent account in the CRM; null when there is none")


@event("tenure.legal_entity.changed.v1", owner="finance", truth="erp", subject="account", wakes=None, since="0.2")
class LegalEntityChanged(OfAccount):
    """The customer's legal entity has another name, tax id or address: a case, for contracts and invoices name it."""

    changed: tuple[str, ...] = Field(
        (), description="names of the fields that changed, such as tax_id; never their values"
    )


@event(
    "tenure.purchase_order.received.v1",
    owner="sales",
    truth="crm",
    subject="contract",
    wakes="always",
    since="0.2",
)
class PurchaseOrderReceived(OfContract):
    """The customer's purchase order has come; billing, or a renewal, that waits for it goes on."""

    number: str = Field(min_length=1, description="the purchase order's number, as the customer gave it")
    limit: Decimal | None = Field(None, description="what may be billed against it, in the contract's currency")
    expires_on: date | None = Field(None, description="last day on which it may be billed against: civil date")


@event("tenure.renewal.decided.v1", owner="sales", truth="crm", subject="contract", wakes="always", since="0.2")
class RenewalDecided(OfContract):
    """Somebody entitled to it has decided on the renewal of the running term."""

    outcome: Literal["renew", "end"] = Field(description="renew for a further term, or end with the running one")
    by: str = Field(min_length=1, description="who decided, as the source names people")


@event("tenure.contract.succeeded.v1", owner="sales", truth="tenure", subject="contract", wakes="always", since="0.3")
class ContractSucceeded(OfContract):
    """Another contract has taken this one's place: it ends on the day on which the other starts. Tenure sends it to
    itself when the order of a replacement, or of a converted trial, is activated."""

    by: str = Field(min_length=1, description="id of the contract that follows, as Tenure gave it")
    how: Literal["replaces", "converts"] = Field("replaces", description="what the contract that follows does")
    on: date = Field(description="the first day that the contract that follows serves")


@event(
    "tenure.renewal_window.opened.v1",
    owner="customer success",
    truth="tenure",
    subject="contract",
    wakes=None,
    since="0.2",
)
class RenewalWindowOpened(OfContract):
    """Another system opened its own renewal window. The contract's terms say when ours opens: it is kept, no more."""
