"""What Tryton holds of Tenure's, through the module `tenure`, to and from our words."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from adapters.http import Json
from adapters.tryton import TrytonRpc
from domain.effects import EffectClass, Guarantee
from domain.errors import Rejected
from domain.ports.records import (
    Correction,
    CustomerRecord,
    Record,
    RecordKind,
    RecordPage,
    SubscriptionRecord,
)

_LEVEL = EffectClass(guarantee=Guarantee.LEVEL, deadline=timedelta(seconds=5), commits_within=timedelta(seconds=60))
WRITES: Mapping[str, EffectClass] = dict.fromkeys(
    ("correct_customer", "correct_subscription", "retire_subscription"), _LEVEL
)
"""The module's commands that set records right."""
_READ: Mapping[RecordKind, type[CustomerRecord | SubscriptionRecord]] = {
    "customers": CustomerRecord,
    "subscriptions": SubscriptionRecord,
}


class TrytonRecords:
    """domain.ports.records.RecordReader and RecordMender. What Tryton does not let be changed of a record that is in
    use (its currency, its customer, a product) is refused, and is set right there."""

    kinds: tuple[RecordKind, ...] = ("customers", "subscriptions")
    mends: Mapping[str, EffectClass] = {"correct": _LEVEL, "retire": _LEVEL}

    def __init__(self, rpc: TrytonRpc) -> None:
        self._rpc = rpc

    async def records(self, kind: RecordKind, cursor: str | None = None, *, about: str | None = None) -> RecordPage:
        """The cursor is the last record's number."""
        answer = await self._rpc.read("records", {"kind": kind, "cursor": cursor, "about": about})
        with self._rpc.shape("records"):
            return RecordPage(records=tuple(_record(kind, each) for each in answer["records"]), cursor=answer["cursor"])

    async def correct(self, correction: Correction) -> None:
        fields = dict(correction.fields)
        if correction.kind == "customers":
            await self._set("correct_customer", {"customer": correction.id, "fields": fields})
            return
        lines = {line: dict(values) for line, values in correction.lines.items()}
        await self._set("correct_subscription", {"subscription": correction.id, "fields": fields, "lines": lines})

    async def retire(self, kind: RecordKind, id: str) -> None:
        if kind == "customers":
            raise Rejected("erp.retire: a customer is put away in Tryton, where its invoices are")
        await self._set("retire_subscription", {"subscription": id, "reason": "put away by reconciliation"})

    async def _set(self, operation: str, arguments: dict[str, Any]) -> None:
        # a LEVEL is set again as often as it is told: a key of its own for each time
        await self._rpc.perform(operation, arguments, key=f"{operation}:{uuid4()}")


def _record(kind: RecordKind, said: Json) -> Record:
    """What a later version of the module tells beside what was promised is left out."""
    model = _READ[kind]
    return model.model_validate({name: value for name, value in said.items() if name in model.model_fields})
