"""What an event contract is: a model of the data, and what must be known of it before it is sent or read."""

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from domain.base import Frozen

Owner = Literal["sales", "finance", "customer success", "support", "product", "operations", "tenure"]
Truth = Literal["crm", "erp", "billing", "cs", "support", "usage", "tenure"]
SubjectKind = Literal["account", "bill_to", "contract", "line"]

NAME = re.compile(r"tenure\.(?P<entity>[a-z_]+)\.(?P<verb>[a-z_]+)\.v(?P<version>[1-9][0-9]*)")


class Subject(Frozen):
    """What an event is about, as its source names it: `system:kind:id` is also the alias by which a contract is found.

    An `account` stands for each of its open lifecycles, a `bill_to` for those that this ERP customer pays.
    """

    kind: SubjectKind
    alias: str
    line: str | None = None


class Contract(Frozen):
    """What is agreed on a type of event, beside the shape of its data.

    `owner` answers for the meaning; `truth` is the system that is right when two differ; `wakes` says when the workflow
    is told, None when never. `movement`: it adds to what is known (a payment, a credit), so that it is never outdated,
    where a snapshot older than the known one is. `outgoing`: Tenure sends it. `since` and `deprecated` are versions of
    Tenure; `replaced_by` is the type to send instead.
    """

    type: str
    owner: Owner
    truth: Truth
    subject: SubjectKind
    wakes: str | None
    movement: bool = False
    since: str = "0.1"
    deprecated: str | None = None
    replaced_by: str | None = None
    outgoing: bool = False

    def deprecation(self) -> str | None:
        """What a sender of a deprecated type should know, in one line."""
        if self.deprecated is None:
            return None
        instead = f"; send {self.replaced_by}" if self.replaced_by else ""
        return f"{self.type} is deprecated since {self.deprecated}{instead}"


class EventData(BaseModel):
    """Base of all event data. Readers ignore fields that they don't know: senders may add."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    contract_: ClassVar[Contract]
    type: ClassVar[str]

    def subjects(self) -> tuple[Subject, ...]:
        """What the event is about. More than one: any of them finds the contract, the first that is known counts."""
        return ()


Data = TypeVar("Data", bound=EventData)
CATALOG: dict[str, type[EventData]] = {}


def event(name: str, **agreed: Any) -> Callable[[type[Data]], type[Data]]:
    """Put a model into the catalog under its name, with what is agreed on it: the other fields of Contract.

    The model's docstring is its meaning.
    """
    contract = Contract(type=name, **agreed)

    def register(data: type[Data]) -> type[Data]:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not tenure.<entity>.<past-tense-verb>.v<N>")
        if name in CATALOG:
            raise ValueError(f"{name} is in the catalog already")
        data.contract_, data.type = contract, name
        CATALOG[name] = data
        return data

    return register


def one_needed(*names: str) -> JsonDict:
    """What a validator demands that wants at least one of these fields, for those who read the schema."""
    return {"anyOf": [{"required": [name], "properties": {name: {"type": "string", "minLength": 1}}} for name in names]}


class OfContract(EventData):
    """About a contract, by our own id, or by the id of its subscription in the ERP or its deal in the CRM.

    At least one is needed; where several are given, the first that finds a contract counts.
    """

    model_config = ConfigDict(json_schema_extra=one_needed("contract", "subscription", "deal"))
    contract: str | None = Field(None, min_length=1, description="the contract's id, as Tenure gave it")
    subscription: str | None = Field(None, min_length=1, description="id of the contract's subscription in the ERP")
    deal: str | None = Field(None, min_length=1, description="id in the CRM of the deal that made the contract")

    def subjects(self) -> tuple[Subject, ...]:
        return tuple(Subject(kind=self.contract_.subject, alias=alias, line=self._line()) for alias in self._aliases())

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if not any(self._aliases()):
            raise ValueError("it names no contract: one of contract, subscription, deal is needed")
        return self

    def _line(self) -> str | None:
        return None

    def _aliases(self) -> Iterator[str]:
        if self.contract:
            yield f"tenure:contract:{self.contract}"
        if self.subscription:
            yield f"erp:subscription:{self.subscription}"
        if self.deal:
            yield f"crm:deal:{self.deal}"


class OfAccount(EventData):
    """About an account of the CRM: it concerns each of its open lifecycles."""

    account: str = Field(min_length=1, description="id of the account in the CRM")

    def subjects(self) -> tuple[Subject, ...]:
        return (Subject(kind="account", alias=f"crm:account:{self.account}"),)
