"""The canonical order: what a CRM's closed-won deal becomes before anybody has checked it."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from domain.base import Frozen, Tolerant
from domain.terms import BillingRule, ChargeType, ContractTerms, Conversion, Frequency, LineTerms, PurchaseOrder


class Address(Frozen):
    """`country` is ISO 3166-1 alpha-2, `state` the subdivision without the country ("CA")."""

    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    state: str | None = None
    country: str | None = None


class Party(Frozen):
    """Somebody in the order. `tax_id` as written by people; the ERP adapter normalises it."""

    name: str | None = None
    email: str | None = None
    tax_id: str | None = None
    address: Address = Address()


class Account(Frozen):
    """The CRM's account. `parent_id` is the CRM id of the parent in the hierarchy."""

    id: str | None = None
    name: str | None = None
    parent_id: str | None = None


class OrderedConversion(Conversion, extra="forbid"):
    """What a trial becomes, as a deal states it."""


class OrderedTerms(ContractTerms, extra="forbid"):
    """The terms as a deal states them: a misspelt one is a mistake there, not an extension."""

    converts_to: OrderedConversion | None = None


class OrderedPurchaseOrder(Frozen):
    """A purchase order as a deal states it: its number alone, or with its limit and its last day."""

    number: str | None = None
    limit: Decimal | None = None
    expires_on: date | None = None

    def known(self) -> PurchaseOrder | None:
        """None where there is no number, by which alone it can be referred to."""
        if not self.number:
            return None
        return PurchaseOrder(number=self.number, limit=self.limit, expires_on=self.expires_on)


def _number_alone(value: Any) -> Any:
    return {"number": value} if isinstance(value, str | int | float) else value


class OrderLine(Frozen):
    """A line as sold. `unit_price` is a fact for the ERP; Tenure computes no price. `starts` and `ends` (exclusive) are
    the line's own days, where they are not the contract's. `rate_card` and `minimum` are references.
    """

    id: str
    product: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    charge: ChargeType = ChargeType.RECURRING
    frequency: Frequency = Frequency.ANNUAL
    billing_start: BillingRule | None = None
    starts: date | None = None
    ends: date | None = None
    rate_card: str | None = None
    minimum: str | None = None


class Order(Frozen):
    """A deal in our words. Everything that can be missing is optional: validation names every gap at once.

    `bill_to` and `ship_to` fall back to `sold_to` where the deal does not say (see `billed`, `shipped`). `beside`: the
    products that the deal's other contracts sell, where it was split.
    """

    deal_id: str
    deal_name: str | None = None
    deal_version: str | None = None
    signed_on: date | None = None
    selling_entity: str | None = None
    currency: str | None = None
    account: Account = Account()
    sold_to: Party = Party()
    bill_to: Party | None = None
    ship_to: Party | None = None
    purchase_order: Annotated[OrderedPurchaseOrder | None, BeforeValidator(_number_alone)] = None
    terms: OrderedTerms = OrderedTerms()
    lines: tuple[OrderLine, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def billed(self) -> Party:
        return self.bill_to or self.sold_to

    @property
    def shipped(self) -> Party:
        return self.ship_to or self.sold_to


class ContractSheet(Tolerant, frozen=True):
    """What the lifecycle keeps of a valid order: terms and references, no personal data."""

    deal_id: str
    account: str
    parent_account: str | None
    selling_entity: str
    currency: str
    signed_on: date
    terms: ContractTerms
    lines: tuple[LineTerms, ...]
    go_live: str = "go-live"
    purchase_order: PurchaseOrder | None = None


class Reason(Tolerant, frozen=True):
    """Why an order can't go on: `path` is the dotted path in the order document that a person edits."""

    path: str
    message: str


class OrderVerdict(Tolerant, frozen=True):
    """A valid order has a sheet and no reasons, an invalid one every reason at once and no sheet.

    Of a valid one: `connections` and `scopes`, where it goes (domain/routes.py); `approval`, why finance must approve
    it first; `purchase_order_days`, after how many days without the purchase order that it needs it is a case;
    `stages`, what runs off, or observes.
    """

    revision: int
    reasons: tuple[Reason, ...] = ()
    sheet: ContractSheet | None = None
    connections: dict[str, str] = {}
    scopes: dict[str, str] = {}
    approval: tuple[Reason, ...] = ()
    purchase_order_days: int | None = None
    stages: dict[str, str] = {}
