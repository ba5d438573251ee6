"""Types of columns, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware instant in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value; None is SQL's NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True


class Serial(TypeDecorator[int]):
    """A growing row id: 64 bits, and SQLite's own row id there."""

    impl = BigInteger().with_variant(Integer(), "sqlite")
    cache_ok = True
