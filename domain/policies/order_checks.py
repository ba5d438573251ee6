"""The checks of an order beside its lines and terms: parties, selling entity, currency, hierarchy and signature."""

from collections.abc import Iterator

from domain.company import Company
from domain.iso import COUNTRIES, CURRENCIES
from domain.order import Order, Reason


def party_reasons(order: Order, *, parent_known: bool | None) -> Iterator[Reason]:
    """Deal, signature, account, its parent, and the names that customer and invoices will carry."""
    if not order.deal_id:
        yield Reason(path="deal_id", message="The id of the CRM's deal is missing.")
    if order.signed_on is None:
        yield Reason(path="signed_on", message="The day of signature is missing.")
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
