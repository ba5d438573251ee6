"""The CRM: what is written to it, and how its deals are read back."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, Protocol

from domain.base import Frozen
from domain.effects import EffectClass


class DealStatus(Frozen):
    """What a CRM's deal shows of its contract: a LEVEL, set whole, the last value stands."""

    deal_id: str
    contract: str
    status: str
    erp_customer: str | None = None
    erp_subscription: str | None = None
    renewal_date: date | None = None


class NewRenewalOpportunity(Frozen):
    """`renews_deal` is the deal whose contract runs out; `close_by` the day on which the term ends."""

    account: str
    renews_deal: str
    contract: str
    name: str
    close_by: date


class OpportunityRef(Frozen):
    id: str
    stage: str


class Crm(Protocol):
    effects: Mapping[str, EffectClass]

    async def account_exists(self, account: str) -> bool: ...
    async def read_opportunity(self, opportunity: str) -> OpportunityRef: ...
    async def write_status(self, status: DealStatus) -> None: ...
    async def create_renewal_opportunity(self, new: NewRenewalOpportunity, *, key: str) -> OpportunityRef: ...
    async def find_renewal_opportunity(self, key: str) -> OpportunityRef | None: ...


class DealRecord(Frozen):
    """A deal as the CRM's mapping reads it, with lines and account.

    `id` is the one that the CRM answers with, another than was asked for where deals were merged. `version` is
    `<id>@<modified stamp>`: it changes with every change of the deal.
    """

    id: str
    version: str
    outcome: Literal["won", "lost", "open"]
    record: dict[str, Any]


class ChangedDeal(Frozen):
    """`modified` is the CRM's own stamp, as in a record's version."""

    id: str
    modified: str


class ChangedDeals(Frozen):
    """One page. `cursor` leads to the next one; None: this was the last."""

    deals: tuple[ChangedDeal, ...]
    cursor: str | None = None


class CrmReader(Protocol):
    """Reads deals back, since an event that only hints at a change says neither what it is nor whether it still holds.

    Source: the CRM. Nothing is written there.
    """

    async def read_deal(self, deal: str) -> DealRecord:
        """Raises NotFound also for a deal that is archived or deleted."""
        ...

    async def changed_deals(self, since: datetime, cursor: str | None = None) -> ChangedDeals:
        """Deals modified at `since` or later, oldest first; a deal may come more than once."""
        ...
