"""Mappings from a CRM's record to the canonical order document, as data: JMESPath expressions read from TOML.

A value that can't be converted is passed on as found: order validation names it, on its path, and a person mends it.
"""

import tomllib
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.base import Frozen
from domain.calendar import civil_date, zone_exists
from domain.document import apply_fixes
from domain.expressions import Expression, UnusableRecord, evaluate
from domain.intake import Deal, DealKind, Intake, read_deal

__all__ = [
    "Deal",
    "DealKind",
    "Mapping",
    "UnusableRecord",
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


class FieldRule(Frozen):
    """Where one value comes from: `source` (written `from`) or, where that finds nothing, `default`.

    `values` translates what the CRM says, whatever its case. A `date` found as an instant becomes the civil date in the
    zone that the expression `zone` finds, UTC where it finds none.
    """

    source: Expression | None = Field(default=None, alias="from")
    type: Literal["text", "number", "integer", "boolean", "date"] = "text"
    default: str | int | bool | None = None
    values: dict[str, str] = {}
    zone: Expression | None = None

    @model_validator(mode="after")
    def _gives_something(self) -> "FieldRule":
        if self.source is None and self.default is None:
            raise ValueError("a field needs `from` or `default`")
        return self


def _short_form(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


Fields = dict[str, Annotated[FieldRule, BeforeValidator(_short_form)]]


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
        apply_fixes({"lines": [{}]}, {f"lines[0].{path}": "x" for path in self.lines.fields})
        return self


def load_mapping(text: str) -> Mapping:
    """Read a mapping file (TOML). ValueError, with every mistake, when it is not one."""
    return Mapping.model_validate(tomllib.loads(text))


def canonical(payload: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    """The order document of a CRM's record, made of plain JSON values; what the record lacks is absent.

    UnusableRecord when the payload is no deal at all.
    """
    record = _record(payload, mapping)
    read_deal(record, mapping.intake)
    items = evaluate(mapping.lines.each, record)
    if items is not None and not isinstance(items, list):
        raise UnusableRecord(f"{mapping.lines.each} holds no list of lines in this record")
    values = _values(record, mapping.order)
    for index, item in enumerate(items or []):
        values |= {f"lines[{index}].{path}": value for path, value in _values(item, mapping.lines.fields).items()}
    return apply_fixes({"lines": [{} for _ in items or []]}, values)


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


def _record(payload: Any, mapping: Mapping) -> dict[str, Any]:
    found = evaluate(mapping.record, payload)
    record = payload if found is None else found
    if not isinstance(record, dict):
        raise UnusableRecord("the record is not an object")
    return record


def _values(record: Any, fields: Fields) -> dict[str, Any]:
    found = ((path, _value(record, rule)) for path, rule in fields.items())
    return {path: value for path, value in found if value is not None}


def _value(record: Any, rule: FieldRule) -> Any:
    found = evaluate(rule.source, record) if rule.source else None
    if found is None or found == "":
        return rule.default
    if isinstance(found, str):
        translations = {theirs.casefold(): ours for theirs, ours in rule.values.items()}
        found = translations.get(found.strip().casefold(), found.strip())
    if isinstance(found, dict | list):
        raise UnusableRecord(f"{rule.source} holds no single value in this record")
    match rule.type:
        case "date":
            return _date(found, record, rule)
        case "number":
            return _number(found)
        case "integer":
            number = _number(found)
            return int(number) if isinstance(number, str) and number.lstrip("-").isdigit() else number
        case "boolean":
            return {"true": True, "yes": True, "false": False, "no": False}.get(str(found).casefold(), found)
        case "text":
            return found if isinstance(found, str) else str(found)


def _number(found: Any) -> Any:
    """50.0 as "50": text, because a JSON float can't hold every price."""
    if isinstance(found, bool):
        return found
    try:
        number = Decimal(str(found))
    except InvalidOperation:
        return found
    if not number.is_finite():
        return found
    return f"{number.to_integral_value() if number == number.to_integral_value() else number.normalize():f}"


def _date(found: Any, record: Any, rule: FieldRule) -> Any:
    if not isinstance(found, str):
        return found
    try:
        return date.fromisoformat(found).isoformat()
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(found)
    except ValueError:
        return found
    zone = evaluate(rule.zone, record) if rule.zone else None
    known = zone if isinstance(zone, str) and zone_exists(zone) else "UTC"
    return civil_date(instant, known).isoformat() if instant.tzinfo else instant.date().isoformat()
