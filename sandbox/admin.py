"""The test's hand in the box: faults, limits, restrictions, the clock, what the box holds and was asked. No token."""

from datetime import date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

from sandbox.access import Restriction
from sandbox.box import Box
from sandbox.erp_books import CLOSES_ON, OPENS_ON
from sandbox.faults import Fault


class ClockChange(BaseModel):
    """Exactly one of the two."""

    now: AwareDatetime | None = None
    advance_seconds: float | None = None


class Limit(BaseModel):
    """`per_second` null: no limit."""

    system: str
    per_second: int | None = Field(ge=1)


class Retention(BaseModel):
    """A system's change feed forgets all but its newest `keep` changes."""

    system: str
    keep: int = Field(ge=0)


class Books(BaseModel):
    """The ERP's books are open from `opens_on` until `closes_on`, exclusive. Null: without bound."""

    opens_on: date | None = None
    closes_on: date | None = None


def routes(box: Box) -> APIRouter:
    router = APIRouter(prefix="/admin")

    @router.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> dict[str, Any]:
        box.faults.active.append(fault)
        return {"active": len(box.faults.active)}

    @router.get("/faults")
    async def list_faults() -> list[dict[str, Any]]:
        return [fault.model_dump(mode="json", by_alias=True) for fault in box.faults.active]

    @router.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        box.faults.active.clear()
        return {"active": 0}

    @router.post("/limits")
    async def set_limit(limit: Limit) -> Limit:
        box.limits.set(limit.system, limit.per_second)
        return limit

    @router.post("/access")
    async def restrict(restriction: Restriction) -> Restriction:
        box.restrictions[restriction.system] = restriction
        return restriction

    @router.get("/clock")
    async def read_clock() -> dict[str, str]:
        return {"now": _instant(box.clock.now())}

    @router.post("/clock")
    async def set_clock(change: ClockChange) -> dict[str, str]:
        if (change.now is None) == (change.advance_seconds is None):
            raise HTTPException(400, "give either now or advance_seconds")
        box.clock.set(change.now or box.clock.now() + timedelta(seconds=change.advance_seconds or 0))
        return {"now": _instant(box.clock.now())}

    @router.get("/due")
    async def read_due() -> dict[str, str | None]:
        due = box.next_due()
        return {"next": None if due is None else _instant(due)}

    @router.get("/calls")
    async def read_calls(system: str | None = None, operation: str | None = None) -> list[dict[str, Any]]:
        return box.store.calls(system, operation)

    @router.get("/state")
    async def read_state() -> dict[str, Any]:
        records = box.store.everything()
        counts = {system: {kind: len(found) for kind, found in kinds.items()} for system, kinds in records.items()}
        return {"counts": counts, "records": records}

    @router.get("/records/{system}/{kind}/{record_id}")
    async def read_record(system: str, kind: str, record_id: str) -> dict[str, Any]:
        """Where a person looks at one record; the box has no other screen."""
        record = box.store.get(system, kind, record_id)
        if record is None:
            raise HTTPException(404, f"{system} has no {kind} {record_id}")
        return record

    @router.get("/webhooks")
    async def read_webhooks() -> list[dict[str, Any]]:
        return box.outbox.all()

    @router.post("/webhooks/{event}/again")
    async def send_again(event: str) -> dict[str, str]:
        if not box.outbox.again(event):
            raise HTTPException(404, "no such event")
        return {"state": "pending"}

    @router.post("/retention")
    async def forget_changes(asked: Retention) -> Retention:
        box.store.set_setting(f"forgotten:{asked.system}", str(box.outbox.last(asked.system, but=asked.keep)))
        return asked

    @router.post("/books")
    async def set_books(books: Books) -> Books:
        for name, day in ((OPENS_ON, books.opens_on), (CLOSES_ON, books.closes_on)):
            box.store.set_setting(name, day.isoformat() if day else "")
        return books

    @router.post("/reset")
    async def reset() -> dict[str, str]:
        box.reset()
        return {"state": "empty"}

    return router


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
