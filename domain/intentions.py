"""What makes two requests one intention: the arguments by which the ledger tells a repetition from something new."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from domain.base import Frozen


class CustomerOf(Frozen):
    """What makes two orders mean the same ERP customer: name and address are only how the first one described it."""

    account: str
    selling_entity: str


class CompanyOf(Frozen):
    """What makes two contracts mean the same CS company."""

    account: str


def fingerprint(arguments: BaseModel) -> str:
    """A hash of the arguments' meaning: the order of fields and sets, and 12 or 12.00, make no difference."""
    text = json.dumps(arguments.model_dump(), sort_keys=True, separators=(",", ":"), default=_canonical)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(item, sort_keys=True, default=_canonical) for item in value)
    return to_jsonable_python(value)
