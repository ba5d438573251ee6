"""Where one value comes from in an outside record, as data: JMESPath expressions read from TOML.

A value that can't be converted is passed on as found: whoever reads the result names it, and a person mends it.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from domain.base import Frozen
from domain.calendar import civil_date, zone_exists
from domain.expressions import Expression, UnusableRecord, evaluate

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_FROM = 10**8  # a lower number is no instant of ours (1973), but might be a date like 20261120
_SECONDS_UNTIL = 10**11  # a higher number counts milliseconds: as seconds it would be in the year 5138 or later
_LONGEST_NUMBER = 40  # digits before or after the point: 1e999999999 must not be written out


class Scale(Frozen):
    """A power of ten that depends on the record: `of` has it by what `by` finds, whatever its case.

    Minor units, for one: two digits in most currencies, none in yen.
    """

    by: Expression
    of: dict[str, int]
    otherwise: int


class FieldRule(Frozen):
    """Where one value comes from: `source` (written `from`) or, where that finds nothing, `default`.

    `values` translates what the source says, whatever its case. A `number` is multiplied by ten to the `scale`: -2
    makes units of cents. A `date` found as an instant (ISO 8601, or seconds or milliseconds since 1970) becomes the
    civil date in the zone that the expression `zone` finds, UTC where it finds none. `epoch_ms` is an instant as a
    whole number that grows with time, `code` a text in capitals, such as a currency, and `any` whatever stands there,
    also a list or a group of fields.
    """

    source: Expression | None = Field(default=None, alias="from")
    type: Literal["text", "number", "integer", "boolean", "date", "epoch_ms", "code", "any"] = "text"
    default: str | int | bool | None = None
    values: dict[str, str] = {}
    zone: Expression | None = None
    scale: int | Scale = 0

    @model_validator(mode="after")
    def _gives_something(self) -> "FieldRule":
        if self.source is None and self.default is None:
            raise ValueError("a field needs `from` or `default`")
        return self


def short_form(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


Fields = dict[str, Annotated[FieldRule, BeforeValidator(short_form)]]


def values_of(record: Any, fields: Fields) -> dict[str, Any]:
    """The value of each field that the record has one for. UnusableRecord when the record has not the shape for it."""
    found = ((path, value_of(record, rule)) for path, rule in fields.items())
    return {path: value for path, value in found if value is not None}


def value_of(record: Any, rule: FieldRule) -> Any:
    """One value, None where the record has none."""
    found = evaluate(rule.source, record) if rule.source else None
    if found is None or found == "":
        return rule.default
    if rule.type == "any":
        return found
    if isinstance(found, str):
        translations = {theirs.casefold(): ours for theirs, ours in rule.values.items()}
        found = translations.get(found.strip().casefold(), found.strip())
    if isinstance(found, dict | list):
        raise UnusableRecord(f"{rule.source} holds no single value in this record")
    match rule.type:
        case "date":
            return _date(found, record, rule)
        case "number":
            return _number(found, _scale(record, rule.scale))
        case "integer":
            number = _number(found, _scale(record, rule.scale))
            return int(number) if isinstance(number, str) and number.lstrip("-").isdigit() else number
        case "epoch_ms":
            moment = instant(found)
            return found if moment is None else (moment - _EPOCH) // (_EPOCH.resolution * 1000)
        case "boolean":
            return {"true": True, "yes": True, "false": False, "no": False}.get(str(found).casefold(), found)
        case "code":
            return str(found).upper()
        case "text":
            return found if isinstance(found, str) else str(found)


def instant(found: Any) -> datetime | None:
    """An instant in UTC: ISO 8601 with an offset, or seconds or milliseconds since 1970. None when it is none."""
    if isinstance(found, bool):
        return None
    try:
        if isinstance(found, str) and not _is_number(found):
            moment = datetime.fromisoformat(found)
            return moment.astimezone(UTC) if moment.tzinfo else None
        count = Decimal(str(found))
        if not count >= _SECONDS_FROM:
            return None
        seconds = count if count < _SECONDS_UNTIL else count / 1000
        return datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, ArithmeticError, OSError):
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and len(text) >= 9 and text.replace(".", "", 1).isdigit()


def _scale(record: Any, scale: int | Scale) -> int:
    if isinstance(scale, int):
        return scale
    found = evaluate(scale.by, record)
    by_name = {name.casefold(): power for name, power in scale.of.items()}
    return by_name.get(found.casefold(), scale.otherwise) if isinstance(found, str) else scale.otherwise


def _number(found: Any, scale: int) -> Any:
    """50.0 as "50": text, because a JSON float can't hold every price."""
    if isinstance(found, bool):
        return found
    try:
        number = Decimal(str(found)).scaleb(scale) if scale else Decimal(str(found))
    except ArithmeticError:
        return found
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        return found
    return f"{number.to_integral_value() if number == number.to_integral_value() else number.normalize():f}"


def _date(found: Any, record: Any, rule: FieldRule) -> Any:
    if isinstance(found, str):
        try:
            return date.fromisoformat(found).isoformat()
        except ValueError:
            pass
    moment = instant(found)
    if moment is None:
        return _day_without_offset(found)
    zone = evaluate(rule.zone, record) if rule.zone else None
    known = zone if isinstance(zone, str) and zone_exists(zone) else "UTC"
    return civil_date(moment, known).isoformat()


def _day_without_offset(found: Any) -> Any:
    try:
        return datetime.fromisoformat(found).date().isoformat() if isinstance(found, str) else found
    except ValueError:
        return found
