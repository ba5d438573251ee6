"""Order validation: reads any document, names every reason at once, and makes the contract sheet of a valid one."""

import copy
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.company import Company
from domain.document import Key, apply_fixes, dotted
from domain.order import ContractSheet, Order, OrderVerdict, Reason
from domain.policies.approval import approval_reasons
from domain.policies.line_checks import in_whole_numbers, line_reasons
from domain.policies.order_checks import party_reasons, selling_reasons
from domain.policies.ramp_checks import ramp_reasons
from domain.policies.tax import tax_reasons
from domain.policies.terms_checks import terms_reasons
from domain.routes import Landscape
from domain.terms import LineTerms

__all__ = ["apply_fixes", "lines_of", "parse_order", "sheet", "validate_order", "verdict"]

_PARTIES = ("sold_to", "bill_to", "ship_to")
_PLAIN = {
    "model_type": "a group of fields is needed",
    "tuple_type": "a list is needed",
    "string_type": "text is needed",
    "int_parsing": "a whole number is needed",
    "int_type": "a whole number is needed",
    "decimal_parsing": "a number is needed",
    "decimal_type": "a number is needed",
}
_BILLING_STARTS = (
    "Write on_signature, on_activation, on_milestone:<name>, on_date:<day>, "
    "or earliest_of: or latest_of: and several of them with | between."
)


def parse_order(document: dict[str, Any]) -> tuple[Order, tuple[Reason, ...]]:
    """Read a document as far as it can be read: what can't is left out, and a Reason names it.

    A line without id gets one from its position, so that the rest of it is checked too.
    """
    rest = copy.deepcopy(document)
    reasons: list[Reason] = []
    while True:
        reasons += _name_lines(rest)
        if rest.get("deal_id") is None:
            rest["deal_id"] = ""
        try:
            return Order.model_validate(rest), tuple(reasons)
        except ValidationError as invalid:
            # Found before anything is dropped: two errors may lie in the same piece.
            offending = {_offending(rest, error["loc"]): error for error in reversed(invalid.errors())}
            for keys, error in reversed(offending.items()):
                reasons.append(Reason(path=dotted(keys), message=_message(keys, error)))
                _drop(rest, keys)


def validate_order(order: Order, company: Company, *, parent_known: bool | None) -> tuple[Reason, ...]:
    """Every reason why a well-formed order can't go on. `parent_known`: whether the CRM has the parent account, None
    when the order names none.
    """
    return (
        *party_reasons(order, parent_known=parent_known),
        *selling_reasons(order, company),
        *tax_reasons(order),
        *line_reasons(order, company),
        *terms_reasons(order),
        *ramp_reasons(order),
    )


def verdict(
    document: dict[str, Any],
    company: Company,
    revision: int,
    *,
    parent_known: bool | None,
    landscape: Landscape | None = None,
) -> OrderVerdict:
    """Parse and validate one revision of an order: its sheet and where it goes, or every reason at once, one per path
    and message. Without a `landscape` each kind has one system.

    Messages repeat no names, addresses or tax ids: a verdict goes into the lifecycle's history.
    """
    order, unreadable = parse_order(document)
    left_out = tuple(reason.path for reason in unreadable)
    judged = validate_order(order, company, parent_known=parent_known)
    routed = (landscape or Landscape()).route(order, company)
    # what is wrong already says more than that it can't be routed
    wrong = {reason.path for reason in (*unreadable, *judged)}
    nowhere = [reason for reason in routed.reasons if not any(_inside(path, [reason.path]) for path in wrong)]
    reasons = (*unreadable, *(reason for reason in (*judged, *nowhere) if not _inside(reason.path, left_out)))
    if reasons:
        return OrderVerdict(revision=revision, reasons=tuple(dict.fromkeys(reasons)))
    return OrderVerdict(
        revision=revision,
        sheet=sheet(order, company),
        connections=routed.connections,
        scopes=routed.scopes,
        approval=approval_reasons(order, company.approval),
        purchase_order_days=company.purchase_orders.case_after_days,
        stages={**company.stages},
    )


def sheet(order: Order, company: Company) -> ContractSheet:
    """What the lifecycle keeps of a valid order, and of the company's rules for later changes of its quantities.

    ValueError when something it needs is missing.
    """
    account, entity, currency, signed_on = order.account.id, order.selling_entity, order.currency, order.signed_on
    if not account or not entity or not currency or signed_on is None:
        raise ValueError("the order is not complete: validate it first")
    return ContractSheet(
        deal_id=order.deal_id,
        account=account,
        parent_account=order.account.parent_id,
        selling_entity=entity,
        currency=currency,
        signed_on=signed_on,
        terms=order.terms,
        lines=lines_of(order, company),
        go_live=company.go_live_milestone,
        purchase_order=order.purchase_order.known() if order.purchase_order else None,
    )


def lines_of(order: Order, company: Company) -> tuple[LineTerms, ...]:
    """What the lifecycle keeps of the lines of a valid order. ValueError when one of them is not complete."""
    products = {product.sku: product for product in company.products}
    lines = []
    for line in order.lines:
        if not line.product or line.quantity is None or line.billing_start is None:
            raise ValueError(f"the order's line {line.id} is not complete: validate it first")
        lines.append(
            LineTerms(
                id=line.id,
                product=line.product,
                charge=line.charge,
                frequency=line.frequency,
                quantity=line.quantity,
                billing_start=line.billing_start,
                starts=line.starts,
                ends=line.ends,
                rate_card=line.rate_card,
                minimum=line.minimum,
                whole=in_whole_numbers(line, products.get(line.product)),
                max_quantity=products[line.product].max_quantity if line.product in products else None,
            )
        )
    return tuple(lines)


def _name_lines(document: dict[str, Any]) -> list[Reason]:
    lines = document.get("lines")
    reasons = []
    for index, line in enumerate(lines if isinstance(lines, list) else []):
        if isinstance(line, dict) and line.get("id") in (None, ""):
            line["id"] = f"line-{index + 1}"
            reasons.append(Reason(path=f"lines[{index}].id", message="The line has no id."))
    return reasons


def _offending(document: dict[str, Any], location: tuple[Key, ...]) -> tuple[Key, ...]:
    """The keys of what must go, which stands in the document: a whole billing rule rather than a piece of it."""
    node: Any = document
    keys: list[Key] = []
    for key in location:
        inside = key < len(node) if isinstance(node, list) and isinstance(key, int) else key in node
        if not inside:
            break
        keys.append(key)
        node = node[key]
        if key == "billing_start" or not isinstance(node, dict | list):
            break
    return tuple(keys)


def _drop(document: dict[str, Any], keys: tuple[Key, ...]) -> None:
    """Take it out. An element of a list becomes an empty one: the paths of its neighbours must not move."""
    node: Any = document
    for key in keys[:-1]:
        if not (key in node if isinstance(node, dict) else isinstance(node, list)):
            return
        node = node[key]
    if isinstance(node, list):
        node[int(keys[-1])] = {}
    else:
        node.pop(keys[-1], None)


def _message(keys: tuple[Key, ...], error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden" and keys[-1] != "billing_start":
        return f"An order has no field {keys[-1]!r} here."
    if keys[-1] == "billing_start":
        return f"It is not a billing start. {_BILLING_STARTS}"
    problem = _PLAIN.get(error["type"]) or error["msg"][:1].lower() + error["msg"][1:]
    found = error["input"]
    if keys[0] in _PARTIES or not isinstance(found, str | int | float | bool):
        return f"It can't be read: {problem}."
    return f"{found!r} can't be read: {problem}."


def _inside(path: str, others: Sequence[str]) -> bool:
    return any(path == other or path.startswith((f"{other}.", f"{other}[")) for other in others)
