"""The recording systems as a kit's world: a line that can be disturbed, and what they hold."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Generic, TypeVar, cast
from uuid import uuid4

from adapters.recording.crm import RecordingCrm
from adapters.recording.cs import RecordingCs
from adapters.recording.erp import RecordingErp
from adapters.recording.journal import Journal
from adapters.recording.signals import RecordingSupport, RecordingUsage
from adapters.recording.system import DEADLINE, Line, RecordingSystem
from domain.errors import (
    AuthFailed,
    ContractBroken,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SourceUnavailable,
    TenureError,
)
from domain.ports import Invoice, NewCustomer
from tests.kits.samples import ErpSample
from tests.kits.world import Disturbance

P = TypeVar("P", bound=RecordingSystem)
A = TypeVar("A")


class DisturbedLine:
    """Fails as an adapter would that meets the disturbance."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, Disturbance] = {}

    async def carry_out(self, operation: str, work: Callable[[], A], *, writes: bool) -> A:
        self.calls[operation] += 1
        how = self.faults.get("*") or self.faults.pop(operation, None)
        if how is None:
            return work()
        if how == "lose_answer":
            work()
        if how == "commit_late":
            asyncio.get_running_loop().call_later(0.2, work)
        if how == "hang":
            await asyncio.sleep(DEADLINE.total_seconds())
        raise self._error(how, writes)

    def _error(self, how: Disturbance, writes: bool) -> TenureError:
        match how:
            case "refuse":
                return Rejected("blocked")
            case "rate_limit":
                return RateLimited("too many", retry_after=timedelta(seconds=7))
            case "rate_limit_until":
                return RateLimited("too many", retry_after=timedelta(seconds=90))
            case "garbage" | "misshapen":
                return ContractBroken("not what was promised")
            case "down":
                return SourceUnavailable("down")
        return OutcomeUnknown("no answer") if writes else SourceUnavailable("no answer")


class Refusing:
    """The line of one whose credentials are not accepted."""

    async def carry_out(self, operation: str, work: Callable[[], A], *, writes: bool) -> A:
        raise AuthFailed("not accepted")


class RecordingWorld(Generic[P]):
    def __init__(self, adapter: Callable[[str, Journal, Line], P]) -> None:
        self.sample = ErpSample(keeps_books=False)
        self.line = DisturbedLine()
        self.journal = Journal()
        self.port = adapter("system", self.journal, self.line)
        self.stranger = adapter("system", self.journal, Refusing())

    async def disturb(self, operation: str, how: Disturbance) -> None:
        self.line.faults[operation] = how

    async def heal(self) -> None:
        self.line.faults.clear()

    async def count(self, operation: str) -> int:
        """By what the system holds where somebody else may have put something there, else by what it noted."""
        if operation == "create_customer":
            return len(self._erp.customers.known)
        return sum(1 for each in self.journal.entries if each.operation == f"system.{operation}")

    async def value(self, operation: str, record: str) -> Mapping[str, object]:
        match operation:
            case "set_health":
                shown = cast(RecordingCs, self.port).health.get(record)
                return shown.model_dump(mode="json", exclude={"company"}) if shown else {}
            case "write_status":
                status = cast(RecordingCrm, self.port).statuses.get(record)
                return status.model_dump(exclude={"deal_id"}) if status else {}
        customer = self._erp.customers.known[record]
        if operation == "set_credit_hold":
            return customer.hold.model_dump(exclude={"customer"}) if customer.hold else {}
        return dict(customer.facts)

    async def calls(self, operation: str) -> int:
        return self.line.calls[operation]

    # ── what each kit's world has of its own ────────────────────────────────────────────────────────────────────

    async def deal(self) -> tuple[str, str]:
        account, deal = f"001-{uuid4()}", f"006-{uuid4()}"
        cast(RecordingCrm, self.port).has(account, deal, "Proposal")
        return account, deal

    async def complete_a_task(self, company: str) -> None:
        del cast(RecordingCs, self.port).tasks[company][0]

    async def open_case(self, account: str, severity: int) -> str:
        of = cast(RecordingSupport, self.port).open.setdefault(account, {})
        of[severity] = of.get(severity, 0) + 1
        return f"{account}/{severity}"

    async def close_case(self, case: str) -> None:
        account, _, severity = case.rpartition("/")
        of = cast(RecordingSupport, self.port).open[account]
        of[int(severity)] -= 1
        if not of[int(severity)]:
            del of[int(severity)]

    async def report(self, account: str, active: Decimal, entitled: Decimal) -> None:
        cast(RecordingUsage, self.port).report(account, active, entitled)

    async def today(self) -> date:
        return datetime.now(UTC).date()

    async def put_customer(self, new: NewCustomer) -> str:
        return self._erp.customers.has(f"hand-{uuid4()}", new, None).id

    async def invoice(self, customer: str, subscription: str, *, overdue: bool = False) -> str:
        number, today = f"R-{uuid4()}", await self.today()
        made = Invoice(
            id=number,
            number=number,
            status="posted",
            currency=self.sample.currency,
            total=Decimal("100.50"),
            open_amount=Decimal("100.50"),
            issued_on=today,
            due_on=today + timedelta(days=-10 if overdue else 30),
        )
        self._erp.customers.get(customer).invoices.append(made)
        return number

    async def pay(self, invoice: str) -> None:
        for customer in self._erp.customers.known.values():
            customer.invoices = [
                each.model_copy(update={"status": "paid", "open_amount": Decimal(0)}) if each.id == invoice else each
                for each in customer.invoices
            ]

    @property
    def _erp(self) -> RecordingErp:
        return cast(RecordingErp, self.port)


@asynccontextmanager
async def recording_world(adapter: Callable[[str, Journal, Line], P]) -> AsyncIterator[RecordingWorld[P]]:
    yield RecordingWorld(adapter)
