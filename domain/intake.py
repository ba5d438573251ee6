"""Intake: what a won deal is, told by rules that are data, and the few facts that find its contract."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from domain.base import Frozen
from domain.expressions import Expression, UnusableRecord, evaluate, holds
from domain.fields import FieldRule, value_of


class DealKind(StrEnum):
    """What a won deal does.

    NEW, and ONE_OFF (an order without a term), start lifecycles. So do REPLACEMENT and CONVERSION (of a trial), and end
    the contract that they are linked to when the new one starts. EXPANSION, AMENDMENT (its lines say how many there are
    afterwards, and it may move the end) and RENEWAL go to the contract that they are linked to.
    """

    NEW = "new"
    EXPANSION = "expansion"
    AMENDMENT = "amendment"
    RENEWAL = "renewal"
    REPLACEMENT = "replacement"
    CONVERSION = "conversion"
    ONE_OFF = "one_off"
    IGNORED = "ignored"


STARTING = frozenset({DealKind.NEW, DealKind.REPLACEMENT, DealKind.CONVERSION, DealKind.ONE_OFF})
SUCCEEDING = frozenset({DealKind.REPLACEMENT, DealKind.CONVERSION})


def _as_day(value: Any) -> Any:
    return {"from": value, "type": "date"} if isinstance(value, str) else value


DayRule = Annotated[FieldRule | None, BeforeValidator(_as_day)]


class Rule(Frozen):
    """A deal on which `when` holds is of this kind."""

    kind: DealKind
    when: Expression


class Intake(Frozen):
    """How a CRM's deal is classified and found.

    `version`: expressions whose values together change with every version of the deal. `is_lost` tells a deal that was
    closed without being won. `linked`: expressions for the deals or contracts that an expansion amends or a renewal
    renews. `rules`: the first that holds decides. `quantities`: what an expansion's lines carry. `effective`: the day
    from which a change holds. `ends`: to where an amendment moves the contract's end (the first day not served).
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
    effective: DayRule = None
    ends: DayRule = None


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
    effective: date | None = None
    ends: date | None = None


def kind_of(record: Any, intake: Intake) -> DealKind:
    """The kind that the first matching rule gives, won or not."""
    return next((rule.kind for rule in intake.rules if holds(rule.when, record)), intake.otherwise)


def read_deal(record: Any, intake: Intake) -> Deal:
    """The summary of a record. UnusableRecord when it has no deal id."""
    deal_id = _text(intake.deal_id, record)
    if not deal_id:
        raise UnusableRecord(f"the record has no deal id at {intake.deal_id}")
    won, lost = holds(intake.is_won, record), holds(intake.is_lost, record)
    kind = kind_of(record, intake)
    return Deal(
        deal_id=deal_id,
        version="@".join(part for expression in intake.version if (part := _text(expression, record))),
        account=_text(intake.account, record),
        name=_text(intake.name, record),
        kind=kind,
        outcome="won" if won else "lost" if lost else "open",
        linked=_linked(record, intake),
        quantities="target" if kind is DealKind.AMENDMENT else intake.quantities,
        effective=_day(intake.effective, record),
        ends=_day(intake.ends, record),
    )


def _linked(record: Any, intake: Intake) -> tuple[str, ...]:
    links: list[str] = []
    for expression in intake.linked:
        found = evaluate(expression, record)
        links += [str(link) for link in (found if isinstance(found, list) else [found]) if link]
    return tuple(dict.fromkeys(links))


def _day(rule: FieldRule | None, record: Any) -> date | None:
    found = value_of(record, rule) if rule else None
    try:
        return date.fromisoformat(str(found)) if found is not None else None
    except ValueError:
        raise UnusableRecord(f"{rule.source if rule else ''} holds no date in this record") from None


def _text(expression: str, record: Any) -> str | None:
    found = evaluate(expression, record)
    if isinstance(found, dict | list | bool):
        raise UnusableRecord(f"{expression} holds no single value in this record")
    return None if found is None or found == "" else str(found)
