"""Rows as a Parquet file, with a schema that does not depend on what the rows hold."""

import io
import json
import types
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", tz="UTC"),
    date: pa.date32(),
    Decimal: pa.decimal128(38, 9),
}

Rows = Sequence[dict[str, Any]]


def parquet(rows: Rows, model: type[BaseModel]) -> bytes:
    """One file. Amounts are decimals with nine places; what holds several values is JSON."""
    kinds = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    schema = pa.schema([(name, _TYPES.get(kind, pa.string())) for name, kind in kinds.items()])
    plain = [{name: _value(row.get(name), kind) for name, kind in kinds.items()} for row in rows]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(plain, schema=schema), file, compression="zstd")
    return file.getvalue()


def _kind(annotation: Any) -> type:
    """The one type that a field holds beside null; `object` for what is JSON in a file."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        inner = {_kind(each) for each in get_args(annotation) if each is not type(None)}
        return inner.pop() if len(inner) == 1 else object
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            return str
        return annotation if annotation in _TYPES or annotation is str else object
    values = {type(each) for each in get_args(annotation)}  # a Literal's
    return str if values == {str} else object


def _value(value: Any, kind: type) -> Any:
    if value is None:
        return None
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    if kind is Decimal:
        return Decimal(value)
    return json.dumps(value, ensure_ascii=False) if kind is object else value
