"""Splitting a won deal into contracts: one for each selling entity, currency, bill-to and term that its lines have."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from domain.order import Order, OrderedTerms, OrderLine, Party

Document = dict[str, Any]
OWN = ("selling_entity", "currency", "bill_to", "terms")
"""What a line may have of its own, where it differs from the deal. Of terms only those that differ are written."""


class SoldLine(OrderLine):
    """A line of a deal that is not split yet."""

    selling_entity: str | None = None
    currency: str | None = None
    bill_to: Party | None = None
    terms: OrderedTerms | None = None


class SoldOrder(Order):
    """A deal that is not split yet: the paths that its document may have."""

    lines: tuple[SoldLine, ...] = ()


class Placed(NamedTuple):
    """Which part of a deal is which. `documents` by the number of the part; `gone`: parts that no line is left of;
    `moved`: parts that a line has left for another, or has come to from another.
    """

    documents: dict[int, Document]
    gone: tuple[int, ...] = ()
    moved: frozenset[int] = frozenset()


def split(document: Document) -> list[Document]:
    """The orders that a deal's document amounts to, in the order in which its lines first name them.

    A document whose lines say nothing of their own is one order, as it is. What is misshapen stays where it is, for the
    validation to name.
    """
    lines = document.get("lines")
    if not isinstance(lines, list) or not any(_has_own(line) for line in lines):
        return [document]
    parts: dict[str, Document] = {}
    for line in lines:
        order = {**document, **_own(line, document), "lines": []}
        part = parts.setdefault(_sort(order), order)
        part["lines"].append(_bare(line))
    products = [_products(part) for part in parts.values()]
    for number, part in enumerate(parts.values()):
        beside = set[str]().union(*products[:number], *products[number + 1 :])
        if beside:  # what is sold only beside something may have it in another contract
            part["beside"] = sorted(beside)
    return list(parts.values())


def place(parts: Sequence[Document], known: Mapping[int, Document]) -> Placed:
    """Which of the known parts each order of a changed deal is: the one of the same sort, else the one that it shares
    most lines with, else a new one.
    """
    if not known:
        return Placed(dict(enumerate(parts, 1)))
    free = dict(known)
    documents: dict[int, Document] = {}
    left: list[Document] = []
    for part in parts:
        same = next((number for number, was in free.items() if _sort(was) == _sort(part)), None)
        if same is None:
            left.append(part)
        else:
            documents[same] = part
            del free[same]
    following = max(known) + 1
    for part in left:
        shared = {number: len(_lines(part) & _lines(was)) for number, was in free.items()}
        best = max(shared, key=lambda number: shared[number], default=None)
        if best is not None and (shared[best] or (len(known) == 1 and len(parts) == 1)):
            documents[best] = part
            del free[best]
        else:
            documents[following] = part
            following += 1
    return Placed(dict(sorted(documents.items())), tuple(free), _moved(documents, known))


def _moved(documents: Mapping[int, Document], known: Mapping[int, Document]) -> frozenset[int]:
    was = {line: number for number, document in known.items() for line in _lines(document)}
    moves = [
        (was[line], number)
        for number, document in documents.items()
        for line in _lines(document)
        if was.get(line, number) != number
    ]
    return frozenset(number for move in moves for number in move)


def _has_own(line: Any) -> bool:
    return isinstance(line, dict) and any(_is_own(name, line.get(name)) for name in OWN)


def _is_own(name: str, value: Any) -> bool:
    if name in ("bill_to", "terms"):
        return isinstance(value, dict) and bool(value)
    return isinstance(value, str) and value != ""


def _own(line: Any, document: Document) -> Document:
    """What the line's order has, where the line says so."""
    if not isinstance(line, dict):
        return {}
    own = {name: line[name] for name in OWN if _is_own(name, line.get(name))}
    if "terms" in own:
        terms = document.get("terms")
        own["terms"] = {**(terms if isinstance(terms, dict) else {}), **own["terms"]}
    return own


def _bare(line: Any) -> Any:
    if not isinstance(line, dict):
        return line
    said = [name for name in OWN if line.get(name) is None or _is_own(name, line[name])]
    return {name: value for name, value in line.items() if name not in said}


def _sort(order: Document) -> str:
    """What tells the contracts of one deal apart."""
    return json.dumps([order.get(name) for name in OWN], sort_keys=True, default=str)


def _products(order: Document) -> set[str]:
    return {str(line["product"]) for line in order["lines"] if isinstance(line, dict) and line.get("product")}


def _lines(document: Document) -> set[str]:
    lines = document.get("lines")
    named = (line.get("id") for line in (lines if isinstance(lines, list) else []) if isinstance(line, dict))
    return {str(name) for name in named if name}
