"""What the ERP says of orders and contracts. From activation on it owns contract, billing and legal entity."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field

from domain.events.base import OfContract, event


@event("tenure.order.approved.v1", owner="finance", truth="erp", subject="contract", wakes=None, since="0.2")
class OrderApproved(OfContract):
    """The order passed the ERP's own approval."""


@event("tenure.order.activated.v1", owner="finance", truth="erp", subject="contract", wakes=None, since="0.2")
class OrderActivated(OfContract):
    """The ERP made the subscription effective. Tenure asks for that and takes the answer; this confirms it."""

    activated_on: date = Field(description="first day on which the subscription is effective: civil date")


@event("tenure.order.rejected.v1", owner="finance", truth="erp", subject="contract", wakes=None, since="0.2")
class OrderRejected(OfContract):
    """The ERP rejected the order: a case, with the ERP's reason."""

    reason: str = Field(min_length=1, description="why, in the ERP's words")


@event("tenure.contract.amended.v1", owner="finance", truth="erp", subject="contract", wakes=None, since="0.2")
class ContractAmended(OfContract):
    """Somebody changed the contract in the ERP itself: a case, until deal and contract agree again."""

    effective: date | None = Field(None, description="first day of the change: civil date; null when unknown")
    quantities: dict[str, Decimal] = Field({}, description="target quantity by product's code: what holds afterwards")


@event("tenure.contract.ended.v1", owner="finance", truth="erp", subject="contract", wakes=None, since="0.2")
class ContractEnded(OfContract):
    """Somebody ended the contract in the ERP itself: a case, until it is ended here too."""

    ends: date = Field(description="first day not served: civil date")
    reason: str = Field("", description="why, in the ERP's words")


@event(
    "tenure.subscription.changed.v1",
    owner="finance",
    truth="erp",
    subject="contract",
    wakes="when status or entitlement is another than Tenure's own writes make it",
    since="0.2",
)
class SubscriptionChanged(OfContract):
    """A snapshot of a contract's subscription in the ERP, whoever changed it there; a lower `version` is history."""

    status: Literal["draft", "active", "ended", "cancelled"] = Field(
        description="ended: also one whose end is ordered for a day to come"
    )
    entitled: bool = Field(
        description="whether the customer may use what was sold, its dates apart: false while the ERP suspends it"
    )
    ends: date | None = Field(None, description="first day not served: civil date; null where it has no end")
    version: int = Field(
        ge=0, lt=10**18, description="the subscription's version in the ERP; it grows with every change"
    )
