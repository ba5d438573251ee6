"""Mappings from a CRM's record to the canonical order document, as data: JMESPath expressions read from TOML.

A value that can't be converted is passed on as found: order validation names it, on its path, and a person mends it.
"""

import tomllib
from typing import Any

from pydantic import model_validator

from domain.base import Frozen
from domain.document import apply_fixes
from domain.expressions import Expression, UnusableRecord, evaluate, paths_in
from domain.fields import Fields, Scale, values_of
from domain.intake import Deal, DealKind, Intake, read_deal
from domain.splitting import SoldOrder

__all__ = [
    "AskedFor",
    "Deal",
    "DealKind",
    "Mapping",
    "UnusableRecord",
    "asked_for",
    "canonical",
    "classify",
    "load_mapping",
    "missing",
    "summary",
]

# What every order needs; the rest has a default or can be absent.
_NEEDED = (
    "deal_id",
    "signed_on",
    "selling_entity",
    "currency",
    "account.id",
    "sold_to.name",
    "ship_to.address.country",
)
_NEEDED_OF_LINES = ("id", "product", "quantity", "billing_start")


class Lines(Frozen):
    """`each`: the array of line items. `fields`: canonical path within a line, evaluated on the item."""

    each: Expression
    fields: Fields


class Mapping(Frozen):
    """A CRM's mapping. `record` finds the deal's record in an answer that wraps it; without one, the whole is it.

    `order`: canonical path (such as `terms.notice_days`) to where its value comes from.
    """

    record: Expression = "@"
    intake: Intake
    order: Fields
    lines: Lines

    @model_validator(mode="after")
    def _paths_exist(self) -> "Mapping":
        apply_fixes({}, dict.fromkeys(self.order, "x"))
        apply_fixes({"lines": [{}]}, {f"lines[0].{path}": "x" for path in self.lines.fields}, SoldOrder)
        return self


class AskedFor(Frozen):
    """The dotted paths that a mapping reads of a deal's record, and of one of its lines: what a CRM is asked for."""

    deal: frozenset[str]
    line: frozenset[str]


def load_mapping(text: str) -> Mapping:
    """Read a mapping file (TOML). ValueError, with every mistake, when it is not one."""
    return Mapping.model_validate(tomllib.loads(text))


def asked_for(mapping: Mapping) -> AskedFor:
    """What a reader must bring, so that every expression of the mapping finds what the CRM has."""
    intake = mapping.intake
    of_deal = {intake.deal_id, intake.account, intake.name, intake.is_won, intake.is_lost}
    of_deal |= {*intake.version, *intake.linked, *(rule.when for rule in intake.rules)}
    days = {name: rule for name, rule in (("effective", intake.effective), ("ends", intake.ends)) if rule}
    return AskedFor(deal=_read_by(of_deal, mapping.order | days), line=_read_by(set(), mapping.lines.fields))


def canonical(payload: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """The order document of a CRM's record, made of plain JSON values; what the record lacks is absent.

    It may be several contracts' (domain/splitting.py).
    UnusableRecord when the payload is no deal at all.
    """
    record = _record(payload, mapping)
    read_deal(record, mapping.intake)
    items = evaluate(mapping.lines.each, record)
    if items is not None and not isinstance(items, list):
        raise UnusableRecord(f"{mapping.lines.each} holds no list of lines in this record")
    values = values_of(record, mapping.order)
    for index, item in enumerate(items or []):
        values |= {f"lines[{index}].{path}": value for path, value in values_of(item, mapping.lines.fields).items()}
    return apply_fixes({"lines": [{} for _ in items or []]}, values, SoldOrder)


def summary(payload: dict[str, Any], mapping: Mapping) -> Deal:
    """What intake needs of a deal. UnusableRecord when the payload is no deal."""
    return read_deal(_record(payload, mapping), mapping.intake)


def classify(payload: dict[str, Any], mapping: Mapping) -> DealKind:
    """What to do with a deal now: one that isn't won is ignored. UnusableRecord when the payload is no deal."""
    deal = summary(payload, mapping)
    return deal.kind if deal.outcome == "won" else DealKind.IGNORED


def missing(document: dict[str, Any]) -> tuple[str, ...]:
    """The paths that every order needs and this document lacks, whatever else may be wrong with it."""
    gaps = []
    for path in _NEEDED:
        here = path.replace("ship_to", "sold_to") if "ship_to" not in document else path
        if evaluate(here, document) in (None, ""):
            gaps.append(here)
    lines = document.get("lines") or []
    if not lines:
        gaps.append("lines")
    for index, line in enumerate(lines):
        gaps += [f"lines[{index}].{path}" for path in _NEEDED_OF_LINES if line.get(path) in (None, "")]
    return tuple(gaps)


def _read_by(expressions: set[str], fields: Fields) -> frozenset[str]:
    rules = {expression for rule in fields.values() for expression in (rule.source, rule.zone) if expression}
    rules |= {rule.scale.by for rule in fields.values() if isinstance(rule.scale, Scale)}
    return frozenset[str]().union(*map(paths_in, expressions | rules))


def _record(payload: Any, mapping: Mapping) -> dict[str, Any]:
    found = evaluate(mapping.record, payload)
    record = payload if found is None else found
    if not isinstance(record, dict):
        raise UnusableRecord("the record is not an object")
    return record
