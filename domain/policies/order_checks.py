"""The checks of an order beside its lines: parties, selling entity, currency, hierarchy and terms."""

from collections.abc import Iterator
from datetime import date

from domain.calendar import add_months, zone_exists
from domain.company import Company
from domain.iso import COUNTRIES, CURRENCIES
from domain.order import Order, Reason
from domain.terms import ContractTerms, StartRule

MAX_MONTHS = 120
MAX_PAYMENT_DAYS = 365
MAX_YEARS_TO_START = 5


def party_reasons(order: Order, *, parent_known: bool | None) -> Iterator[Reason]:
    """Deal, account, its parent, and the names that customer and invoices will carry."""
    if not order.deal_id:
        yield Reason(path="deal_id", message="The id of the CRM's deal is missing.")
    if not order.account.id:
        yield Reason(path="account.id", message="The id of the CRM's account is missing.")
    elif order.account.parent_id == order.account.id:
        yield Reason(path="account.parent_id", message="The account is named as its own parent.")
    elif order.account.parent_id and parent_known is False:
        message = f"The parent account {order.account.parent_id!r} is not known in the CRM."
        yield Reason(path="account.parent_id", message=message)
    if not order.sold_to.name:
        yield Reason(path="sold_to.name", message="The name of the sold-to customer is missing.")
    if order.bill_to is not None and not order.bill_to.name:
        yield Reason(path="bill_to.name", message="The name of the bill-to customer is missing.")


def selling_reasons(order: Order, company: Company) -> Iterator[Reason]:
    """Whether the selling entity exists, may sell to the ship-to country, and sells in the order's currency."""
    entities = {entity.id: entity for entity in company.entities}
    entity = entities.get(order.selling_entity or "")
    if not order.selling_entity:
        message = f"The selling entity is missing; it can be {', '.join(sorted(entities))}."
        yield Reason(path="selling_entity", message=message)
    elif entity is None:
        message = f"The selling entity {order.selling_entity!r} is not known; it can be {', '.join(sorted(entities))}."
        yield Reason(path="selling_entity", message=message)
    country = order.shipped.address.country
    if entity and country in COUNTRIES and entity.sells_to and country not in entity.sells_to:
        message = f"{entity.id} does not sell to {country}; it sells to {', '.join(entity.sells_to)}."
        yield Reason(path="selling_entity", message=message)
    allowed = f"; {entity.id} sells in {', '.join(entity.currencies)}" if entity else ""
    if not order.currency:
        yield Reason(path="currency", message=f"The currency is missing{allowed}.")
    elif order.currency not in CURRENCIES:
        yield Reason(path="currency", message=f"The currency {order.currency!r} is not an ISO 4217 code{allowed}.")
    elif entity and order.currency not in entity.currencies:
        yield Reason(path="currency", message=f"The order is in {order.currency}{allowed}.")


def terms_reasons(order: Order) -> Iterator[Reason]:
    """Whether signature, purchase order and contract terms fit together."""
    if order.signed_on is None:
        yield Reason(path="signed_on", message="The day of signature is missing.")
    if order.terms.purchase_order_required and not (order.purchase_order and order.purchase_order.known()):
        yield Reason(path="purchase_order", message="The customer requires a purchase order number; there is none.")
    for field, message in (*_start(order), *_lengths(order.terms), *_notice(order), *_renewal(order.terms)):
        yield Reason(path=f"terms.{field}", message=message)


def _start(order: Order) -> Iterator[tuple[str, str]]:
    terms = order.terms
    if not zone_exists(terms.zone):
        yield "zone", f"The time zone {terms.zone!r} is not known; write it like Europe/Berlin."
    if terms.start is StartRule.ON_DATE and terms.starts_on is None:
        yield "starts_on", "The contract starts on a date, but the date is missing."
    if terms.start is not StartRule.ON_DATE and terms.starts_on is not None:
        yield "starts_on", f"A start date ({terms.starts_on}) is given, but the contract starts {terms.start.value}."
    if terms.starts_on and order.signed_on and abs(terms.starts_on.year - order.signed_on.year) > MAX_YEARS_TO_START:
        yield "starts_on", f"The contract would start on {terms.starts_on}, years away from its signature."


def _lengths(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    for field in ("initial_months", "renewal_months"):
        months = getattr(terms, field)
        if not 0 < months <= MAX_MONTHS:
            yield field, f"The length is {months} months; allowed are 1 to {MAX_MONTHS}."
    if terms.minimum_months is not None:
        if terms.minimum_months < 0:
            yield "minimum_months", f"The minimum is {terms.minimum_months} months; it can't be negative."
        elif not terms.evergreen and terms.minimum_months > terms.initial_months:
            message = f"The minimum of {terms.minimum_months} months is longer than the initial term of "
            yield "minimum_months", f"{message}{terms.initial_months}."
    if not 0 <= terms.payment_terms_days <= MAX_PAYMENT_DAYS:
        message = f"Payment is due in {terms.payment_terms_days} days; allowed are 0 to {MAX_PAYMENT_DAYS}."
        yield "payment_terms_days", message


def _notice(order: Order) -> Iterator[tuple[str, str]]:
    terms = order.terms
    if terms.notice_days < 0:
        yield "notice_days", f"The notice is {terms.notice_days} days; it can't be negative."
    if terms.evergreen:
        return
    first = terms.starts_on or order.signed_on or date(2027, 1, 1)
    for name, months in (("initial", terms.initial_months), ("renewal", terms.renewal_months)):
        if 0 < months <= MAX_MONTHS and terms.notice_days > (days := (add_months(first, months) - first).days):
            yield (
                "notice_days",
                f"The notice of {terms.notice_days} days is longer than the {name} term of {days} days.",
            )
            return


def _renewal(terms: ContractTerms) -> Iterator[tuple[str, str]]:
    for field in ("renewal_window_days", "renewal_lead_days"):
        days = getattr(terms, field)
        if not 0 <= days <= 366 * 2:
            yield field, f"It is {days} days; allowed are 0 to {366 * 2}."
    if terms.evergreen and terms.auto_renew:
        yield "auto_renew", "An evergreen contract has no end, so it can't renew automatically: choose one."
