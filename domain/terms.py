"""Contract terms as data: the term, its renewal, and for each line the rule that says when its billing starts."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from domain.base import Frozen, Tolerant


class OnSignature(Frozen):
    """Billing starts on the day of signature."""

    rule: Literal["on_signature"] = "on_signature"


class OnActivation(Frozen):
    """Billing starts on the day the ERP confirms the order's activation."""

    rule: Literal["on_activation"] = "on_activation"


class OnMilestone(Frozen):
    """Billing starts on the day a named milestone is reached."""

    rule: Literal["on_milestone"] = "on_milestone"
    name: str


class OnDate(Frozen):
    """Billing starts on a fixed civil date."""

    rule: Literal["on_date"] = "on_date"
    on: date


class EarliestOf(Frozen):
    """Billing starts as soon as one of the rules is met."""

    rule: Literal["earliest_of"] = "earliest_of"
    rules: tuple["BillingRule", ...] = Field(min_length=1)


class LatestOf(Frozen):
    """Billing starts when all of the rules are met."""

    rule: Literal["latest_of"] = "latest_of"
    rules: tuple["BillingRule", ...] = Field(min_length=1)


_ARGUMENT = {"on_milestone": "name", "on_date": "on", "earliest_of": "rules", "latest_of": "rules"}


def _short_form(value: Any) -> Any:
    """Accept what people write. In TOML: "on_signature", {on_milestone = "go-live"}, {earliest_of = [...]}. In a CRM's
    text field also "on_milestone:go-live", "on_date:2027-01-01" and "earliest_of:on_activation|on_date:2027-01-01".
    """
    if isinstance(value, str):
        rule, _, argument = (part.strip() for part in value.partition(":"))
        if not argument:
            return {"rule": rule}
        value = {rule: argument.split("|") if rule in ("earliest_of", "latest_of") else argument}
    if isinstance(value, dict) and "rule" not in value and len(value) == 1:
        [(rule, argument)] = value.items()
        # A rule that takes no argument keeps it under its own name, so that validation refuses it.
        return {"rule": rule, _ARGUMENT.get(rule, rule): argument}
    return value


BillingRule = Annotated[
    Annotated[
        OnSignature | OnActivation | OnMilestone | OnDate | EarliestOf | LatestOf,
        Field(discriminator="rule"),
    ],
    BeforeValidator(_short_form),
]


class StartRule(StrEnum):
    """What anchors the first term."""

    ON_SIGNATURE = "on_signature"
    ON_ACTIVATION = "on_activation"
    ON_DATE = "on_date"


class ChargeType(StrEnum):
    ONE_TIME = "one_time"
    RECURRING = "recurring"
    USAGE = "usage"
    PREPAID = "prepaid"


class Frequency(StrEnum):
    ONCE = "once"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    ANNUAL = "annual"


class ContractTerms(Tolerant, frozen=True):
    """The commercial terms of a contract. All dates are civil dates in `zone`; lengths are months or days."""

    zone: str = "UTC"
    start: StartRule = StartRule.ON_SIGNATURE
    starts_on: date | None = None
    initial_months: int = 12
    renewal_months: int = 12
    evergreen: bool = False
    minimum_months: int | None = None
    auto_renew: bool = False
    notice_days: int = 30
    renewal_window_days: int = 90
    renewal_lead_days: int = 30
    payment_terms_days: int = 30
    purchase_order_required: bool = False
    uplift_reference: str | None = None
    coterm_with: str | None = None


class LineTerms(Tolerant, frozen=True):
    """One line of a contract as the lifecycle knows it: what is charged, how often, from when, how many.

    `starts` and `ends` (exclusive) are the line's own days, where they are not the contract's: the steps of a ramp, and
    what a change adds or takes away.
    """

    id: str
    product: str
    charge: ChargeType
    frequency: Frequency
    quantity: Decimal
    billing_start: BillingRule
    starts: date | None = None
    ends: date | None = None
    whole: bool = False
    max_quantity: Decimal | None = None


EarliestOf.model_rebuild()
LatestOf.model_rebuild()
