"""The box itself: store, business clock, faults and limits, outbox, and the work that it commits late."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

from sandbox.faults import Faults, Limits
from sandbox.store import Store
from sandbox.webhooks import Outbox, WebhookTarget

if TYPE_CHECKING:
    from sandbox.access import Restriction


class Clock:
    """Business time: the machine's, shifted. The shift is kept, so a restarted box stays in its time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._store.setting("clock_shift", "0")))

    def today(self) -> date:
        return self.now().date()

    def set(self, now: datetime) -> None:
        shift = (now - datetime.now(UTC)).total_seconds()
        self._store.set_setting("clock_shift", repr(shift))


class Box:
    def __init__(self, db_path: str, webhook: WebhookTarget | None, token: str) -> None:
        self.store = Store(db_path)
        self.clock = Clock(self.store)
        self.faults = Faults()
        self.limits = Limits()
        self.restrictions: dict[str, Restriction] = {}
        self.outbox = Outbox(self.store, webhook)
        self.token = token
        self._late: set[asyncio.Task[None]] = set()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self.store.next_number(prefix):06d}"

    @property
    def origin(self) -> str:
        """Names this box; an emptied one is another."""
        known = self.store.setting("origin", "")
        if not known:
            known = str(uuid4())
            self.store.set_setting("origin", known)
        return known

    def event_id(self, system: str, kind: str, record_id: str, version: object) -> str:
        """The id of the event that tells this version of a record, whoever asks, however often."""
        return str(uuid5(UUID(self.origin), f"{system}/{kind}/{record_id}/{version}"))

    def emit(self, event_id: str, system: str, kind: str, subject: str, data: dict[str, Any]) -> None:
        """A change `tenure.<kind>.v1`, in the same transaction as what it tells."""
        self.outbox.add(event_id, system, f"tenure.{kind}.v1", subject, self.clock.now(), data)

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        async def run() -> None:
            await asyncio.sleep(seconds)
            work()

        task = asyncio.create_task(run())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def next_due(self) -> datetime | None:
        """The next instant, after now, at which an outage begins or ends or an unpaid invoice becomes overdue."""
        now = self.clock.now()
        instants = [edge for fault in self.faults.active for edge in fault.edges()]
        for invoice in self.store.all("erp", "invoices"):
            if invoice["paid_on"] is None:
                first_day_late = date.fromisoformat(invoice["due_on"]) + timedelta(days=1)
                instants.append(datetime(first_day_late.year, first_day_late.month, first_day_late.day, tzinfo=UTC))
        return min((instant for instant in instants if instant > now), default=None)

    def reset(self) -> None:
        """An empty, healthy box at the machine's time."""
        for task in self._late:
            task.cancel()
        self.faults.active.clear()
        self.limits.clear()
        self.restrictions.clear()
        self.store.clear()

    async def close(self) -> None:
        for task in self._late:
            task.cancel()
        await self.outbox.close()
        self.store.close()
