"""What an ERP tells of a subscription with its own prices: optional, for the figures."""

from datetime import date
from decimal import Decimal
from typing import Protocol

from domain.ports.erp import LineState, SubscriptionState
from domain.terms import ChargeType, Frequency


class PricedLine(LineState):
    """`amount`: what the ERP charges for the line in one billing period, net of tax; None where only usage tells.

    `target`: the quantity that it holds for a day to come; None where nothing changes. `quantity_since`: the first day
    for which it bills the quantity that it has now, where that was another before; None where it does not tell.
    """

    charge: ChargeType
    frequency: Frequency
    amount: Decimal | None
    target: Decimal | None = None
    quantity_since: date | None = None


class PricedState(SubscriptionState):
    """A subscription as the ERP has it today, priced by it in `currency` (ISO 4217)."""

    currency: str
    lines: tuple[PricedLine, ...]


class ErpPrices(Protocol):
    """An adapter has this beside domain.ports.Erp where its ERP tells its own prices. Nothing is written there."""

    async def priced_state(self, subscription: str) -> PricedState: ...
