"""What a repair does, as data, and in words: kept before the first of it is done."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from domain import outcomes
from domain.access.within import amount
from domain.base import Frozen
from domain.ports.records import Correction, RecordKind
from domain.reconciling.taking import TakeOver
from domain.steps import Step

MADE = "$"
"""Stands where the id of what the first mend makes will stand."""


class Correct(Frozen):
    """Set fields of a record outside. `if_there`: if it is gone as well, that is a difference of its own, with a repair
    of its own."""

    do: Literal["correct"] = "correct"
    connection: str
    correction: Correction
    if_there: bool = False


class Retire(Frozen):
    """Put a record outside away."""

    do: Literal["retire"] = "retire"
    connection: str
    kind: RecordKind
    id: str


class Redo(Frozen):
    """Have a step done again. `lost`: the record that its key stood for, and that is not there any more."""

    do: Literal["redo"] = "redo"
    contract: str
    connection: str
    step: Step
    lost: str | None = None


class Relink(Frozen):
    """From now on a key stands for another record, for the ledger and for the contracts' lifecycles."""

    do: Literal["relink"] = "relink"
    contracts: tuple[str, ...]
    key: str
    id: str
    connection: str


class Tell(Frozen):
    """Tell the lifecycle what it takes over."""

    do: Literal["tell"] = "tell"
    contract: str
    command: TakeOver
    entries: Mapping[str, str] = {}


class Amended(Frozen):
    """Have the lifecycle amended to the quantities that the outside has, or to the end of the term that it has."""

    do: Literal["amend"] = "amend"
    contract: str
    change: dict[str, Any]


class Close(Frozen):
    """The store has the contract as closed: no workflow lives for it."""

    do: Literal["close"] = "close"
    contract: str


class Adopt(Frozen):
    """The store takes a running lifecycle in."""

    do: Literal["adopt"] = "adopt"
    workflow: str


Mend = Annotated[Correct | Retire | Redo | Relink | Tell | Amended | Close | Adopt, Field(discriminator="do")]
MENDS: TypeAdapter[list[Mend]] = TypeAdapter(list[Mend])


def words(mend: Mend) -> str:
    """What it does, for who decides about it."""
    match mend:
        case Correct(connection=connection, correction=said, if_there=if_there):
            lines = [f"{name} of line {line} to {_said(name, value)}" for line, fields in said.lines.items()
                     for name, value in fields.items()]  # fmt: skip
            values = [f"{name} to {_said(name, value)}" for name, value in said.fields.items()]
            there = ", if it is there" if if_there else ""
            return f"set in {connection}, on {said.kind} {said.id}{there}: {'; '.join([*values, *lines])}"
        case Retire(connection=connection, kind=kind, id=id):
            return f"put {kind} {id} away in {connection}"
        case Redo(connection=connection, step=step):
            return f"in {connection}: {outcomes.title(step)}"
        case Relink(key=key, id=id):
            return f"let {key} stand for {'what that makes' if id == MADE else id}"
        case Tell(contract=contract, command=command):
            return f"tell {contract}: {_told(command)}"
        case Amended(contract=contract, change=change):
            return f"change {contract} as the outside has it: {_changed(change)}"
        case Close(contract=contract):
            return f"close {contract} in the store: nothing lives for it any more"
        case Adopt(workflow=workflow):
            return f"take the running workflow {workflow} into the store"


def filled(mend: Mend, results: Sequence[str]) -> Mend:
    """With the id of what the first mend has made."""
    if not results or not results[0]:
        return mend
    text = mend.model_dump_json().replace(f'"{MADE}"', f'"{results[0]}"')
    return MENDS.validate_json(f"[{text}]")[0]


def _said(name: str, value: Any) -> str:
    if value is None:
        return "nothing"
    return amount(value) if name == "unit_price" else str(value)


def _changed(change: Mapping[str, Any]) -> str:
    if quantities := change.get("quantities"):
        return ", ".join(f"{line} = {number}" for line, number in quantities.items())
    return f"its term ends on {change.get('ends')}"


def _told(command: TakeOver) -> str:
    said = [f"{key} is {id}" for key, id in command.links.items()]
    said += [f"done outside: {outcomes.title(each.step)}" for each in command.done]
    said += [f"decided: {command.decision}"] if command.decision else []
    said += [f"it ends on {command.ends_on}"] if command.ends_on else []
    return "; ".join(said)
