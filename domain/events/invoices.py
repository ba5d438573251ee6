"""What ERP and billing say of invoices and payments.

An invoice is put together from independent parts: what it demands and whether it is disputed (snapshots, the higher
`version` wins), and what settles it (movements: each adds, none outdates another). So no order of arrival can matter.
"""

from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from domain.events.base import EventData, Subject, event, one_needed

FAR = date(2200, 1, 1)


class OfInvoice(EventData):
    """About an invoice: of a contract's subscription in the ERP or, where it covers several, of the customer it bills.

    At least one of the two is named; a subscription that is known counts first.
    """

    model_config = ConfigDict(json_schema_extra=one_needed("subscription", "customer"))
    invoice: str = Field(min_length=1, description="id of the invoice in the ERP")
    subscription: str | None = Field(
        None, min_length=1, description="id in the ERP of the subscription that it bills; null when it bills several"
    )
    customer: str | None = Field(None, min_length=1, description="id of the customer in the ERP: the bill-to")
    version: int = Field(ge=0, lt=10**18, description="the invoice's version in its source; it grows with every change")

    def subjects(self) -> tuple[Subject, ...]:
        found = []
        if self.subscription:
            found.append(Subject(kind="contract", alias=f"erp:subscription:{self.subscription}"))
        if self.customer:
            found.append(Subject(kind="bill_to", alias=f"erp:customer:{self.customer}"))
        return tuple(found)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not self.subjects():
            raise ValueError("it names neither subscription nor customer")
        return self


class InvoiceSnapshot(OfInvoice):
    """What an invoice demands: `amount` in `currency`, due on a civil date. A lower `version` is history."""

    amount: Decimal = Field(description="what is demanded in all, in units of the currency, such as 1200.50")
    currency: str = Field(description="ISO 4217 code, such as EUR")
    due_on: date = Field(lt=FAR, description="last day to pay: civil date, before 2200-01-01")
    paid_on: date | None = Field(None, description="civil date of the payment; null while unpaid or unknown")


_LEVEL = "when the set of delinquent invoices changes"


@event("tenure.invoice.posted.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL)
class InvoicePosted(InvoiceSnapshot):
    """An invoice was posted."""


@event("tenure.invoice.due_date_changed.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL, since="0.2")
class InvoiceDueDateChanged(InvoiceSnapshot):
    """The customer was given more time, or less."""


@event("tenure.invoice.overdue.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL)
class InvoiceOverdue(InvoiceSnapshot):
    """The ERP says so; our own sweep finds due dates that pass without anybody saying so."""


@event("tenure.invoice.paid.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL, movement=True)
class InvoicePaid(InvoiceSnapshot):
    """An invoice was paid in full. `payment` names the payment where the source does, so that it can be reversed."""

    payment: str = Field("", description="the payment's id; empty where the source names none")


@event(
    "tenure.invoice.partly_paid.v1",
    owner="finance",
    truth="erp",
    subject="bill_to",
    wakes=_LEVEL,
    movement=True,
    since="0.2",
)
class InvoicePartlyPaid(OfInvoice):
    """A part of an invoice was paid; what stays open stays due."""

    payment: str = Field(min_length=1, description="id of the payment in its source")
    paid: Decimal = Field(gt=0, description="this payment alone, in units of the invoice's currency")
    paid_on: date | None = Field(None, description="civil date of the payment; null when unknown")


@event(
    "tenure.invoice.credited.v1",
    owner="finance",
    truth="erp",
    subject="bill_to",
    wakes=_LEVEL,
    movement=True,
    since="0.2",
)
class InvoiceCredited(OfInvoice):
    """A credit note was set off against an invoice."""

    credit_note: str = Field(min_length=1, description="id of the credit note in the ERP")
    credited: Decimal = Field(gt=0, description="this credit alone, in units of the invoice's currency")


@event(
    "tenure.invoice.voided.v1",
    owner="finance",
    truth="erp",
    subject="bill_to",
    wakes=_LEVEL,
    movement=True,
    since="0.2",
)
class InvoiceVoided(OfInvoice):
    """An invoice was cancelled: nobody owes it. For good."""


@event(
    "tenure.invoice.written_off.v1",
    owner="finance",
    truth="erp",
    subject="bill_to",
    wakes=_LEVEL,
    movement=True,
    since="0.2",
)
class InvoiceWrittenOff(OfInvoice):
    """An invoice was given up: it is not collected any more. For good."""


@event("tenure.invoice.disputed.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL, since="0.2")
class InvoiceDisputed(OfInvoice):
    """The customer disputes an invoice: until that is resolved it is not delinquent."""

    reason: str = Field("", description="what the customer objects to, in the source's words")


@event("tenure.invoice.dispute_resolved.v1", owner="finance", truth="erp", subject="bill_to", wakes=_LEVEL, since="0.2")
class InvoiceDisputeResolved(OfInvoice):
    """The dispute is over; what is open is due again as it was."""


@event(
    "tenure.payment.failed.v1",
    owner="finance",
    truth="billing",
    subject="bill_to",
    wakes=None,
    movement=True,
    since="0.2",
)
class PaymentFailed(OfInvoice):
    """A payment was tried and did not go through. The due date decides whether that matters."""

    payment: str = Field(min_length=1, description="id of the payment in its source")
    reason: str = Field("", description="why it failed, in the source's words")


@event(
    "tenure.payment.reversed.v1",
    owner="finance",
    truth="billing",
    subject="bill_to",
    wakes=_LEVEL,
    movement=True,
    since="0.2",
)
class PaymentReversed(OfInvoice):
    """A payment was taken back (chargeback, bounced debit): it never counted, whichever of the two came first."""

    payment: str = Field(min_length=1, description="id of the payment in its source")
