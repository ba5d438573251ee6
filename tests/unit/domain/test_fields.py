"""Values out of outside records: what a mapping's field can say beyond the place where its value stands."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.expressions import UnusableRecord
from domain.fields import FieldRule, value_of

MINOR = {"by": "c", "of": {"jpy": 0, "kwd": -3}, "otherwise": -2}


def found(record: Any, **rule: Any) -> Any:
    return value_of(record, FieldRule.model_validate({"from": "x", **rule}))


@pytest.mark.parametrize(
    ("x", "scale", "value"),
    [
        (150005, -2, "1500.05"),
        (150000, -2, "1500"),
        ("7", -2, "0.07"),
        (-5, -2, "-0.05"),
        (0, -2, "0"),
        (12, 3, "12000"),
        (1.5, 0, "1.5"),
        ("1e999999999", 0, "1e999999999"),
        ("1e999999999", -2, "1e999999999"),
        (True, -2, True),
        ("much", -2, "much"),
    ],
)
def test_a_number_is_scaled_without_a_rounding_error(x: Any, scale: int, value: Any) -> None:
    assert found({"x": x}, type="number", scale=scale) == value


@pytest.mark.parametrize(("currency", "value"), [("EUR", "1.5"), ("JPY", "150"), ("kwd", "0.15"), (None, "1.5")])
def test_a_scale_can_depend_on_the_record(currency: str | None, value: str) -> None:
    assert found({"x": 150, "c": currency}, type="number", scale=MINOR) == value


def test_an_integer_is_scaled_too() -> None:
    assert found({"x": 1200}, type="integer", scale=-2) == 12
    assert found({"x": 1250}, type="integer", scale=-2) == "12.5", "it is no integer: whoever reads it says so"


@pytest.mark.parametrize(
    ("x", "zone", "day"),
    [
        (1795217400, None, "2026-11-20"),
        (1795217400, "'Europe/Berlin'", "2026-11-21"),
        (1795217400000, "'Europe/Berlin'", "2026-11-21"),
        ("1795217400", "tz", "2026-11-21"),
        ("2026-11-20T23:30:00Z", "'Asia/Kolkata'", "2026-11-21"),
        ("2026-11-20T23:30:00", "'Asia/Kolkata'", "2026-11-20"),
        ("2026-11-20", "'Asia/Kolkata'", "2026-11-20"),
        ("20261120", None, "2026-11-20"),
        (20261120, None, 20261120),
        (True, None, True),
        (1e300, None, 1e300),
        ("soon", None, "soon"),
    ],
)
def test_a_date_can_be_an_instant_in_a_zone(x: Any, zone: str | None, day: Any) -> None:
    assert found({"x": x, "tz": "Europe/Berlin"}, type="date", zone=zone) == day


@pytest.mark.parametrize(
    ("x", "count"),
    [
        ("2026-11-20T23:30:00Z", 1795217400000),
        ("2026-11-21T00:30:00.250+01:00", 1795217400250),
        (1795217400, 1795217400000),
        (1795217400250, 1795217400250),
        (7, 7),
        ("2026-11-20T23:30:00", "2026-11-20T23:30:00"),
    ],
)
def test_an_instant_as_a_version_grows_with_time(x: Any, count: Any) -> None:
    assert found({"x": x}, type="epoch_ms") == count


def test_codes_are_in_capitals_and_any_is_what_stands_there() -> None:
    assert found({"x": "eur"}, type="code") == "EUR"
    assert found({"x": {"a": [1]}}, type="any") == {"a": [1]}
    with pytest.raises(UnusableRecord, match="no single value"):
        found({"x": {"a": [1]}})


@pytest.mark.parametrize("rule", [{"scale": "two"}, {"scale": {"by": "c"}}, {"from": None}, {"from": "upper(x)"}])
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FieldRule.model_validate({"from": "x", **rule})
