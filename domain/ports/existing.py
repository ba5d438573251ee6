"""What an ERP can tell of the contracts that it holds already: optional, for an import."""

from typing import Any, Protocol

from domain.base import Frozen


class ExistingSubscription(Frozen):
    """A subscription that lives. `order`: the canonical order as far as the ERP knows it, `existing`: its facts
    (domain/existing.py). What an ERP does not know, such as notice and renewal, is left out."""

    id: str
    order: dict[str, Any]
    existing: dict[str, Any]


class ExistingPage(Frozen):
    """`cursor` leads to the next page; None: this was the last."""

    subscriptions: tuple[ExistingSubscription, ...]
    cursor: str | None = None


class ErpReader(Protocol):
    """An adapter has this beside domain.ports.Erp where its ERP can list what it holds. Nothing is written there."""

    async def subscriptions(self, cursor: str | None = None) -> ExistingPage:
        """The subscriptions that are active, or end on a day to come, in the order in which they were made."""
        ...
