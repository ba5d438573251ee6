"""The checks of an order's lines: product structure, quantities, charges and billing rules."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from domain.billing import awaited_dates, awaited_milestones
from domain.calendar import add_months
from domain.company import Company, Product
from domain.order import Order, OrderLine, Reason
from domain.policies.day_checks import in_reach
from domain.terms import ChargeType, Frequency, StartRule

# A fixed billing date further than this before the signature, or after the first term, is taken for a typing error.
SLACK = timedelta(days=366)


def line_reasons(order: Order, company: Company) -> Iterator[Reason]:
    """Why the lines can't be delivered and billed as they stand."""
    if not order.lines:
        yield Reason(path="lines", message="The order has no lines: at least one product must be sold.")
    products = {product.sku: product for product in company.products}
    sold = {line.product for line in order.lines if line.product} | set(order.beside)
    ids: set[str] = set()
    for index, line in enumerate(order.lines):
        at = f"lines[{index}]"
        if line.id in ids:
            yield Reason(path=f"{at}.id", message=f"The line id {line.id!r} is used more than once.")
        ids.add(line.id)
        product = products.get(line.product or "")
        if not line.product:
            yield Reason(path=f"{at}.product", message="The line names no product.")
        elif product is None:
            message = f"The product {line.product!r} is not known; known are {_listed(products)}."
            yield Reason(path=f"{at}.product", message=message)
        else:
            yield from _structure(product, sold, products, at)
        yield from _quantity(line, product, at)
        yield from _charge(line, at)
        yield from _billing(line, order, company, at)


def _structure(product: Product, sold: set[str], products: dict[str, Product], at: str) -> Iterator[Reason]:
    if product.kind != "add_on":
        return
    plans = product.needs or tuple(sku for sku, known in products.items() if known.kind == "base")
    if not sold.intersection(plans):
        message = f"The add-on {product.sku!r} is sold only beside a base plan ({_listed(plans)}); the order has none."
        yield Reason(path=f"{at}.product", message=message)


def _quantity(line: OrderLine, product: Product | None, at: str) -> Iterator[Reason]:
    path, quantity = f"{at}.quantity", line.quantity
    if quantity is None:
        yield Reason(path=path, message="The quantity is missing.")
        return
    if not quantity.is_finite() or quantity <= 0:
        yield Reason(path=path, message=f"The quantity is {quantity}; it must be more than zero.")
        return
    if in_whole_numbers(line, product) and quantity != quantity.to_integral_value():
        yield Reason(path=path, message=f"The quantity is {quantity}; this product is sold in whole numbers.")
    if product and product.max_quantity is not None and quantity > product.max_quantity:
        message = f"The quantity is {quantity:f}; of {product.sku!r} at most {product.max_quantity:f} are sold."
        yield Reason(path=path, message=message)


def in_whole_numbers(line: OrderLine, product: Product | None) -> bool:
    """Days of a service and units of usage come in fractions; seats and plans do not."""
    return line.charge not in (ChargeType.USAGE, ChargeType.PREPAID) and (product is None or product.kind != "service")


def _charge(line: OrderLine, at: str) -> Iterator[Reason]:
    once = line.frequency is Frequency.ONCE
    if line.charge is ChargeType.ONE_TIME and not once:
        message = f"A one_time charge is billed once; the frequency found is {line.frequency.value!r}."
        yield Reason(path=f"{at}.frequency", message=message)
    elif once and line.charge in (ChargeType.RECURRING, ChargeType.USAGE):
        message = f"A {line.charge.value} charge is billed monthly, quarterly or annual; the frequency found is 'once'."
        yield Reason(path=f"{at}.frequency", message=message)


def _billing(line: OrderLine, order: Order, company: Company, at: str) -> Iterator[Reason]:
    path, rule = f"{at}.billing_start", line.billing_start
    if rule is None:
        yield Reason(path=path, message="The line does not say when its billing starts, such as on_signature.")
        return
    for milestone in awaited_milestones(rule):
        if milestone not in company.milestones:
            message = (
                f"The milestone {milestone!r} is not in the onboarding plan; it has {_listed(company.milestones)}."
            )
            yield Reason(path=path, message=message)
    allowed = _plausible(order)
    for day in awaited_dates(rule):
        if allowed and not allowed[0] <= day <= allowed[1]:
            message = f"Billing would start on {day}; plausible is from {allowed[0]} to {allowed[1]}."
            yield Reason(path=path, message=message)


def _plausible(order: Order) -> tuple[date, date] | None:
    """The days on which billing may start by a fixed date: around signature and first term, a year of slack at each."""
    terms = order.terms
    first = terms.starts_on if terms.start is StartRule.ON_DATE and terms.starts_on else order.signed_on
    if first is None or not in_reach(order) or not 0 < terms.initial_months <= 120:
        return None
    earliest = min(first, order.signed_on or first)
    return earliest - SLACK, add_months(first, terms.initial_months) + SLACK


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
