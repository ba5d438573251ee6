"""What the ERP's kit writes: an order of nobody in particular, in the words of the world's own company.

Names, e-mail domains and tax ids are new with every call, since a live system keeps what earlier tests left there.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from stdnum.at import uid

from domain.order import Address
from domain.ports import (
    Activation,
    BillingStart,
    Erp,
    NewCustomer,
    NewSubscription,
    SubscriptionLine,
)
from domain.terms import ChargeType, Frequency

SEAT, SETUP = "line/seat 1", "line/setup"
CUSTOMER_FIELDS = frozenset({"name", "billing_address", "shipping_address", "email", "tax_id", "parent_account"})


def austrian_tax_id() -> str:
    """A VAT number with a right check digit, new with every call."""
    number = f"{random.randrange(10**7):07d}"
    return f"ATU{number}{uid.calc_check_digit(f'U{number}')}"


@dataclass(frozen=True)
class ErpSample:
    """What a company's ERP must know already for the kit's orders: selling entities, currency, product codes.

    `other_entity` is a second selling entity, None where there is none. `recurring` and `one_time` are product codes.
    `[starts, ends)` is the first term, of a year. `unknown` is an id that no record has. `keeps` names the fields of a
    customer that the ERP keeps and `World.value` can show. `keeps_books`: it has accounting periods that are closed.
    """

    selling_entity: str = "acme-at"
    other_entity: str | None = "acme-de"
    currency: str = "EUR"
    recurring: str = "SEAT"
    one_time: str = "SETUP"
    country: str = "AT"
    state: str | None = None
    starts: date = date(2026, 12, 1)
    ends: date = date(2027, 12, 1)
    unknown: str = "no-such"
    keeps: frozenset[str] = CUSTOMER_FIELDS
    tax_id: Callable[[], str] = austrian_tax_id
    keeps_books: bool = True

    def customer(self, **changes: Any) -> NewCustomer:
        mark = uuid4().hex[:10]
        address = Address(
            street="Mendelstraße 1", city="Wien", postal_code="1010", state=self.state, country=self.country
        )
        fields: dict[str, Any] = {
            "account": f"001-{mark}",
            "selling_entity": self.selling_entity,
            "name": f"Hooli {mark} GmbH",
            "currency": self.currency,
            "billing_address": address,
            "shipping_address": address.model_copy(update={"street": "Getreidegasse 9", "city": "Salzburg"}),
            "email": f"ap@{mark}.hooli.example",
            "tax_id": self.tax_id(),
        }
        return NewCustomer(**{**fields, **changes})

    def subscription(self, customer: str, *, quantity: int = 50, **changes: Any) -> NewSubscription:
        """One line by the seat, billed every year, and one that is paid once."""
        fields: dict[str, Any] = {
            "contract": f"crm/006{uuid4().hex[:10]}/1",
            "customer": customer,
            "selling_entity": self.selling_entity,
            "currency": self.currency,
            "starts": self.starts,
            "ends": self.ends,
            "payment_terms_days": 30,
            "purchase_order": None,
            "lines": (
                _line(SEAT, self.recurring, quantity, ChargeType.RECURRING, Frequency.ANNUAL),
                _line(SETUP, self.one_time, 1, ChargeType.ONE_TIME, Frequency.ONCE),
            ),
        }
        return NewSubscription(**{**fields, **changes})

    def seats(self, line: str, quantity: int, **days: date | None) -> SubscriptionLine:
        """One more line by the seat, with days of its own."""
        return _line(line, self.recurring, quantity, ChargeType.RECURRING, Frequency.ANNUAL, **days)

    def activation(self, subscription: str, on: date | None = None) -> Activation:
        return Activation(subscription=subscription, on=on or self.starts, starts=self.starts, ends=self.ends)

    async def make_customer(self, port: Erp, **changes: Any) -> str:
        return (await port.create_customer(self.customer(**changes), key=f"customer:{uuid4()}")).id

    async def make_subscription(self, port: Erp) -> str:
        """Still to be activated."""
        new = self.subscription(await self.make_customer(port))
        return (await port.create_subscription(new, key=f"subscription:{uuid4()}")).id

    async def make_active(self, port: Erp, starts: date, ends: date, customer: str | None = None) -> str:
        """A subscription that runs from `starts` to `ends`."""
        new = self.subscription(customer or await self.make_customer(port), starts=starts, ends=ends)
        made = (await port.create_subscription(new, key=f"subscription:{uuid4()}")).id
        activation = Activation(subscription=made, on=starts, starts=starts, ends=ends)
        await port.activate_order(activation, key=f"activation:{made}")
        return made

    async def bill(self, port: Erp, subscription: str, accepted_on: date, line: str = SEAT) -> None:
        start = BillingStart(subscription=subscription, line=line, starts=accepted_on, accepted_on=accepted_on)
        await port.start_billing(start, key=f"billing-start:{subscription}:{line}:1")


def _line(
    line: str, product: str, quantity: int, charge: ChargeType, frequency: Frequency, **days: date | None
) -> SubscriptionLine:
    return SubscriptionLine(
        id=line, product=product, quantity=Decimal(quantity), unit_price=Decimal("1200.00"),
        charge=charge, frequency=frequency, **days,
    )  # fmt: skip


def year_from(day: date) -> date:
    return day + timedelta(days=365)
