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


class ContractKind(StrEnum):
    """What a contract is to the business. A trial becomes a contract or ends by itself; a reseller or marketplace bills
    the customer of a RESELLER contract; ONE_OFF is delivered once and ends with its term."""

    STANDARD = "standard"
    TRIAL = "trial"
    RESELLER = "reseller"
    ONE_OFF = "one_off"


class BillingTiming(StrEnum):
    """Whether the ERP invoices a period before it begins or after it is over: a fact that is carried to it."""

    ADVANCE = "advance"
    ARREARS = "arrears"


class Conversion(Tolerant, frozen=True):
    """What a trial becomes: a term of so many months, by itself (`auto`) or only when somebody decides it."""

    months: int = 12
    auto: bool = False


class PurchaseOrder(Tolerant, frozen=True):
    """A customer's purchase order. `limit` is in the order's currency, `expires_on` the last day on which it may be
    billed against."""

    number: str
    limit: Decimal | None = None
    expires_on: date | None = None


class ContractTerms(Tolerant, frozen=True):
    """The commercial terms of a contract. All dates are civil dates in `zone`; lengths are months or days. What each
    one means is written in docs/terms.md.

    `minimum_months`, where it is shorter than the first term, is a break: after it, notice may end the contract on any
    day. Otherwise no notice ends it before. `free_months` count from the first day of the contract: recurring lines are
    not billed in them. `coterm_ends` (exclusive) ends the first term on the day on which the contract `coterm_with`
    ends too.
    """

    zone: str = "UTC"
    kind: ContractKind = ContractKind.STANDARD
    start: StartRule = StartRule.ON_SIGNATURE
    starts_on: date | None = None
    initial_months: int = 12
    trial_days: int | None = None
    converts_to: Conversion | None = None
    renewal_months: int = 12
    evergreen: bool = False
    renew_to_evergreen: bool = False
    minimum_months: int | None = None
    auto_renew: bool = False
    notice_days: int = 30
    price_notice_days: int | None = None
    renewal_window_days: int = 90
    renewal_lead_days: int = 30
    free_months: int = 0
    billing_timing: BillingTiming = BillingTiming.ADVANCE
    billed_by: str | None = None
    payment_terms_days: int = 30
    purchase_order_required: bool = False
    uplift_reference: str | None = None
    coterm_with: str | None = None
    coterm_ends: date | None = None


class LineTerms(Tolerant, frozen=True):
    """One line of a contract as the lifecycle knows it: what is charged, how often, from when, how many.

    `starts` and `ends` (exclusive) are the line's own days, where they are not the contract's: the steps of a ramp, and
    what a change adds or takes away. `rate_card` and `minimum` refer to what the ERP rates usage by, and to the minimum
    that was committed to: nothing is rated here.
    """

    id: str
    product: str
    charge: ChargeType
    frequency: Frequency
    quantity: Decimal
    billing_start: BillingRule
    starts: date | None = None
    ends: date | None = None
    rate_card: str | None = None
    minimum: str | None = None
    whole: bool = False
    max_quantity: Decimal | None = None


EarliestOf.model_rebuild()
LatestOf.model_rebuild()
