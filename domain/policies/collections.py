"""Who is delinquent: unpaid invoices against their due dates and the company's grace."""

from collections.abc import Iterable
from datetime import date, timedelta

from domain.base import Frozen
from domain.company import CollectionsPolicy, CreditPolicy


class InvoiceStatus(Frozen):
    """An invoice as the ERP or the billing system knows it; `paid` means that nothing of it is open.

    `disputed`: the customer contests it, and until that is resolved nobody dunns for it.
    """

    id: str
    due_on: date
    paid: bool
    disputed: bool = False


class CollectionStanding(Frozen):
    """An account's delinquent invoices by id, the oldest first, and the oldest of their due dates."""

    delinquent: tuple[str, ...] = ()
    oldest_due: date | None = None


def is_delinquent(due_on: date, paid: bool, today: date, policy: CollectionsPolicy) -> bool:
    """Whether an invoice is unpaid after its due date plus the grace days. The last day of grace is not delinquent."""
    return not paid and today > due_on + timedelta(days=policy.grace_days)


def delinquency(invoices: Iterable[InvoiceStatus], today: date, policy: CollectionsPolicy) -> CollectionStanding:
    """Where an account's invoices stand today."""
    late = [
        invoice
        for invoice in invoices
        if not invoice.disputed and is_delinquent(invoice.due_on, invoice.paid, today, policy)
    ]
    late.sort(key=lambda invoice: (invoice.due_on, invoice.id))
    return CollectionStanding(
        delinquent=tuple(invoice.id for invoice in late), oldest_due=late[0].due_on if late else None
    )


def next_due(invoices: Iterable[InvoiceStatus], today: date, policy: CollectionsPolicy) -> date | None:
    """The next day, after today, on which time alone makes one more invoice delinquent; None if there is none."""
    owed = [invoice for invoice in invoices if not invoice.paid and not invoice.disputed]
    lines_crossed = (invoice.due_on + timedelta(days=policy.grace_days + 1) for invoice in owed)
    return min((day for day in lines_crossed if day > today), default=None)


def credit_line(collections: CollectionsPolicy, credit: CreditPolicy) -> CollectionsPolicy | None:
    """The line behind which an invoice puts its customer on credit hold: as delinquency's, only later. None where holds
    are set by hand alone."""
    days = credit.hold_after_days_overdue
    return None if days is None else CollectionsPolicy(grace_days=max(collections.grace_days, days - 1))
