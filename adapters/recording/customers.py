"""The recording ERP's customers: one per external id, adoption by tax id, likeness, credit hold, invoices."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from adapters.recording.system import record_id, there
from domain.errors import NotFound, Rejected
from domain.likeness import LEGAL_FORMS, company_domain
from domain.ports import (
    Balance,
    BillingHistory,
    CreditHold,
    CustomerCandidate,
    Invoice,
    InvoicePage,
    NewCustomer,
    Ref,
)


@dataclass
class Customer:
    """`external_id` None: somebody there made it by hand."""

    id: str
    facts: NewCustomer
    external_id: str | None
    hold: CreditHold | None = None
    invoices: list[Invoice] = field(default_factory=list)
    paid_late: int = 0


class Customers:
    """Every customer of one ERP, by its id."""

    def __init__(self) -> None:
        self.known: dict[str, Customer] = {}

    def has(self, customer: str, facts: NewCustomer, external_id: str | None) -> Customer:
        self.known[customer] = Customer(customer, facts, external_id)
        return self.known[customer]

    def get(self, customer: str) -> Customer:
        return there(self.known, customer, "customer")

    def creditworthy(self, customer: str) -> Customer:
        """Raises Rejected where there is none, or it is on hold."""
        if customer not in self.known:
            raise Rejected("no such customer")
        found = self.known[customer]
        if found.hold is not None and found.hold.held:
            raise Rejected("the customer is on credit hold")
        return found

    def create(self, new: NewCustomer, key: str) -> Ref:
        """The one that nobody has given an external id, and that has this tax id, gets ours instead."""
        alike = self._unclaimed(new)
        if len(alike) > 1:
            raise Rejected("several customers have this tax id")
        if alike:
            alike[0].external_id = key
            return Ref(id=alike[0].id)
        return Ref(id=self.has(record_id("customer", key), new, key).id)

    def find(self, key: str) -> Ref | None:
        return next((Ref(id=each.id) for each in self.known.values() if each.external_id == key), None)

    def similar(self, new: NewCustomer) -> tuple[CustomerCandidate, ...]:
        """None where the tax id names the one that is meant."""
        return () if len(self._unclaimed(new)) == 1 else tuple(self._alike(new))

    def balance(self, customer: str, today: date) -> Balance:
        found = self.get(customer)
        return Balance(
            currency=found.facts.currency,
            open_amount=_open(found.invoices),
            overdue_amount=_open(_overdue(found.invoices, today)),
        )

    def history(self, customer: str, today: date) -> BillingHistory:
        found, since = self.get(customer), today - timedelta(days=365)
        overdue = _overdue(found.invoices, today)
        return BillingHistory(
            invoices=sum(1 for each in found.invoices if each.due_on is None or each.due_on >= since),
            paid_late=found.paid_late,
            overdue=len(overdue),
            currency=found.facts.currency,
            overdue_amount=_open(overdue),
        )

    def page(self, customer: str, cursor: str | None, limit: int) -> InvoicePage:
        """The cursor is the last invoice's id."""
        found = self.get(customer).invoices
        begin = next((n for n, each in enumerate(found, 1) if each.id == cursor), None) if cursor else 0
        if begin is None:
            raise NotFound(f"there is no invoice {cursor}")
        page, rest = found[begin : begin + limit], found[begin + limit :]
        return InvoicePage(invoices=tuple(page), cursor=page[-1].id if rest else None)

    def _alike(self, new: NewCustomer) -> Iterable[CustomerCandidate]:
        domain, name = company_domain(new.email), _plain(new.name)
        for each in self._of_nobody(new.selling_entity):
            if domain and company_domain(each.facts.email) == domain:
                yield CustomerCandidate(id=each.id, name=each.facts.name, alike="domain")
            elif name and _plain(each.facts.name) == name:
                yield CustomerCandidate(id=each.id, name=each.facts.name, alike="name")

    def _unclaimed(self, new: NewCustomer) -> list[Customer]:
        """Those with its tax id that have no external id."""
        wanted = _bare(new.tax_id)
        return [each for each in self._of_nobody(new.selling_entity) if wanted and _bare(each.facts.tax_id) == wanted]

    def _of_nobody(self, selling_entity: str) -> list[Customer]:
        return [
            each
            for each in self.known.values()
            if each.facts.selling_entity == selling_entity and each.external_id is None
        ]


def _overdue(invoices: Iterable[Invoice], today: date) -> list[Invoice]:
    return [each for each in invoices if each.open_amount and each.due_on is not None and each.due_on < today]


def _open(invoices: Iterable[Invoice]) -> Decimal:
    return sum((each.open_amount for each in invoices), Decimal(0))


def _plain(name: str) -> str:
    """A company's name without case, punctuation and legal form."""
    words = re.sub(r"[^\w\s]", "", name.casefold()).split()
    return " ".join(word for word in words if word not in LEGAL_FORMS)


def _bare(tax_id: str | None) -> str:
    return re.sub(r"[\W_]", "", tax_id or "").upper()
