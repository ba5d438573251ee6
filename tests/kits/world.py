"""A vendor's side of a kit: the adapter under test, a hand to disturb the outside system, eyes to see what it holds."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

from domain.ports import Crm, CrmReader, CustomerSuccess, Erp, NewCustomer, Support, Usage
from tests.kits.samples import ErpSample

Disturbance = Literal[
    "lose_answer",  # the work is done, the answer is lost
    "commit_late",  # the answer is lost, the work is done within S
    "refuse",  # a business refusal
    "rate_limit",  # 429, Retry-After: 7
    "rate_limit_until",  # 429, Retry-After: an HTTP date between one and two minutes ahead
    "error",  # 500, nothing done
    "down",  # provably not accepted
    "garbage",  # success, with an answer that is no JSON
    "misshapen",  # success, with a JSON object that holds nothing of what was promised
    "hang",  # no answer within any deadline
]
PortT = TypeVar("PortT", covariant=True)


class World(Protocol[PortT]):
    """One outside system for one test. Operations are named as in the port."""

    @property
    def port(self) -> PortT: ...
    @property
    def stranger(self) -> PortT:
        """The same adapter with credentials that are not accepted."""
        ...

    async def disturb(self, operation: str, how: Disturbance) -> None:
        """The next call of `operation` ("*": every call of any, until healed)."""
        ...

    async def heal(self) -> None: ...
    async def count(self, operation: str) -> int:
        """How many effects of this operation the outside holds."""
        ...

    async def value(self, operation: str, record: str) -> Mapping[str, object]:
        """What an operation of class LEVEL has set on a record, by the names of the port's model."""
        ...

    async def calls(self, operation: str) -> int:
        """How many requests for this operation have arrived."""
        ...


class CrmWorld(World[Crm], Protocol):
    async def deal(self) -> tuple[str, str]:
        """An account with an open deal: their ids."""
        ...


class CrmReaderWorld(World[CrmReader], Protocol):
    """Its deals are put in as Salesforce's records, and come out in the vendor's own shape."""

    async def put_deal(self, record: dict[str, Any]) -> None: ...
    async def change_deal(self, deal: str, **fields: Any) -> None: ...
    async def pass_time(self, by: timedelta) -> datetime:
        """Returns what it is o'clock then, there."""
        ...


class SupportWorld(World[Support], Protocol):
    async def open_case(self, account: str, severity: int) -> str: ...
    async def close_case(self, case: str) -> None: ...


class UsageWorld(World[Usage], Protocol):
    async def report(self, account: str, active: Decimal, entitled: Decimal) -> None: ...


class CsWorld(World[CustomerSuccess], Protocol):
    async def complete_a_task(self, company: str) -> None:
        """One of the company's open tasks."""
        ...


class ErpWorld(World[Erp], Protocol):
    """`value` shows, for create_customer, what the ERP keeps of a customer (`sample.keeps`) by the port's names."""

    @property
    def sample(self) -> ErpSample:
        """The words of the company that has this ERP: entities, currency, products."""
        ...

    async def today(self) -> date:
        """The day that it is there."""
        ...

    async def put_customer(self, new: NewCustomer) -> str:
        """A customer that somebody there made by hand: it bears no external id of ours. Its id."""
        ...

    async def close_books(self) -> tuple[date, date]:
        """Close an accounting period of the last two months: its last day, and the first day that is open after it.
        Only asked where `sample.keeps_books`."""
        ...

    async def invoice(self, customer: str, subscription: str, *, overdue: bool = False) -> str:
        """One more posted invoice of some amount, which is past due or is not. Its id."""
        ...

    async def pay(self, invoice: str) -> None:
        """The whole of it, in time."""
        ...
