"""Intake: what a won deal is, told by rules that are data, and the few facts that find its contract."""

from enum import StrEnum
from typing import Any, Literal

from domain.base import Frozen
from domain.expressions import Expression, UnusableRecord, evaluate, holds


class DealKind(StrEnum):
    """NEW starts a lifecycle; EXPANSION and RENEWAL go to the lifecycle of the contract that they are linked to."""

    NEW = "new"
    EXPANSION = "expansion"
    RENEWAL = "renewal"
    IGNORED = "ignored"


class Rule(Frozen):
    """A deal on which `when` holds is of this kind."""

    kind: DealKind
    when: Expression


class Intake(Frozen):
    """How a CRM's deal is classified and found.

    `version`: expressions whose values together change with every version of the deal. `is_lost` tells a deal that was
    closed without being won. `linked`: expressions for the deals or contracts that an expansion amends or a renewal
    renews. `rules`: the first that holds decides. `quantities`: what an expansion's lines carry.
    """

    deal_id: Expression
    version: tuple[Expression, ...]
    account: Expression
    name: Expression
    is_won: Expression
    is_lost: Expression
    linked: tuple[Expression, ...] = ()
    rules: tuple[Rule, ...] = ()
    otherwise: DealKind = DealKind.NEW
    quantities: Literal["difference", "target"] = "difference"


class Deal(Frozen):
    """What intake knows of a deal. `linked` are ids or aliases, in the CRM's words, without repeats.

    `outcome` of a closed deal is won or lost. `kind` says what the deal is, whatever its outcome.
    """

    deal_id: str
    version: str
    account: str | None
    name: str | None
    kind: DealKind
    outcome: Literal["open", "won", "lost"]
    linked: tuple[str, ...] = ()
    quantities: Literal["difference", "target"] = "difference"


def kind_of(record: Any, intake: Intake) -> DealKind:
    """The kind that the first matching rule gives, won or not."""
    return next((rule.kind for rule in intake.rules if holds(rule.when, record)), intake.otherwise)


def read_deal(record: Any, intake: Intake) -> Deal:
    """The summary of a record. UnusableRecord when it has no deal id."""
    deal_id = _text(intake.deal_id, record)
    if not deal_id:
        raise UnusableRecord(f"the record has no deal id at {intake.deal_id}")
    won, lost = holds(intake.is_won, record), holds(intake.is_lost, record)
    return Deal(
        deal_id=deal_id,
        version="@".join(part for expression in intake.version if (part := _text(expression, record))),
        account=_text(intake.account, record),
        name=_text(intake.name, record),
        kind=kind_of(record, intake),
        outcome="won" if won else "lost" if lost else "open",
        linked=_linked(record, intake),
        quantities=intake.quantities,
    )


def _linked(record: Any, intake: Intake) -> tuple[str, ...]:
    links: list[str] = []
    for expression in intake.linked:
        found = evaluate(expression, record)
        links += [str(link) for link in (found if isinstance(found, list) else [found]) if link]
    return tuple(dict.fromkeys(links))


def _text(expression: str, record: Any) -> str | None:
    found = evaluate(expression, record)
    if isinstance(found, dict | list | bool):
        raise UnusableRecord(f"{expression} holds no single value in this record")
    return None if found is None or found == "" else str(found)
