"""CloudEvents 1.0 around our contracts: how a received event is read."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from domain.base import Frozen
from domain.events.base import CATALOG, EventData


class UnusableEvent(ValueError):
    """An authentic event that can't be used: unknown type or broken contract. Its reason goes to the dead letter."""


class Event(Frozen):
    """One received event, read. `data` is an instance of the contract that `type` names."""

    id: str
    source: str
    type: str
    time: datetime | None = None
    data: EventData


class _CloudEvent(BaseModel):
    """The CloudEvents 1.0 attributes that we read; extensions are allowed and ignored."""

    model_config = ConfigDict(extra="ignore")
    specversion: str
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    data: dict[str, Any]


def read_event(body: Any) -> Event:
    """Read a CloudEvent in structured mode. Raises UnusableEvent with every reason in one line."""
    try:
        envelope = _CloudEvent.model_validate(body)
        contract = CATALOG.get(envelope.type)
        if contract is None:
            raise UnusableEvent(f"unknown event type {envelope.type!r}; `tenure events` shows those that are known")
        data = contract.model_validate(envelope.data)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        raise UnusableEvent(f"not a valid event: {problems}") from None
    return Event(id=envelope.id, source=envelope.source, type=envelope.type, time=envelope.time, data=data)
