"""A lifecycle in shadow against what the old process did: what the ERP has done, and every difference in words."""

from collections.abc import Iterator
from datetime import date
from typing import Literal

from domain import keys
from domain.base import Frozen
from domain.ports.erp import LineState, SubscriptionState
from domain.state import LifecycleState, Withheld
from domain.steps import (
    AmendSubscription,
    ChangeTerm,
    EndSubscription,
    RenewSubscription,
    SetHealth,
    StartBilling,
    WriteStatus,
)

IN_ERP = (StartBilling, AmendSubscription, ChangeTerm, RenewSubscription, EndSubscription)
"""Steps whose effect can be seen in the ERP, so that nobody has to believe that the old process has done them."""

Kind = Literal["same", "another_day", "only_tenure", "only_old", "not_told"]

KINDS: dict[Kind, str] = {
    "same": "both did it",
    "another_day": "both did it, on different days",
    "only_tenure": "only Tenure would have done it",
    "only_old": "only the old process did it",
    "not_told": "no system tells whether the old process did it",
}


class Difference(Frozen):
    """One thing that Tenure would have done, or the old process did. `on`: the day on which it was due."""

    kind: Kind
    key: str
    what: str
    on: date | None
    words: str


def compare(state: LifecycleState, erp: SubscriptionState | None, today: date) -> list[Difference]:
    """What was withheld since the contract entered, and what the ERP did meanwhile; `erp` None: it can't be asked."""
    decided = [_decided(state, held, erp) for held in state.withheld.values() if not held.settled]
    return [*decided, *(_only_there(state, erp, today) if erp is not None else ()), *_cases(state)]


def done_there(state: LifecycleState, erp: SubscriptionState) -> dict[str, str]:
    """The withheld steps that the ERP shows as done: key to the record's id."""
    pending = {key: held for key, held in state.withheld.items() if not held.settled}
    return {key: erp.id for key, held in pending.items() if _is_there(held, erp)}


def _is_there(held: Withheld, erp: SubscriptionState) -> bool:
    match held.step:
        case StartBilling(line=line):
            return (found := _line(erp, line)) is not None and found.billed_from is not None
        case RenewSubscription(ends=ends):
            return erp.ends is None if ends is None else erp.ends is not None and erp.ends >= ends
        case ChangeTerm(ends=ends):
            return erp.ends == ends
        case EndSubscription(ends=ends):
            return erp.status in ("ended", "cancelled") and (erp.ends is None or erp.ends <= ends)
        case AmendSubscription() as amended:
            here = {line.line: line.quantity for line in erp.lines}
            lines = here.keys()
            targets = all(here.get(line) == quantity for line, quantity in amended.quantities.items())
            return targets and set(amended.added) <= lines and not set(amended.removed) & lines
    return False


def _decided(state: LifecycleState, held: Withheld, erp: SubscriptionState | None) -> Difference:
    """What was withheld, against what the ERP shows of it."""
    step = held.step
    kind: Kind = "not_told"
    words = KINDS["not_told"]
    if erp is not None and isinstance(step, IN_ERP):
        kind, words = ("same", KINDS["same"]) if _is_there(held, erp) else ("only_tenure", _instead(held, erp))
        billed = line.billed_from if isinstance(step, StartBilling) and (line := _line(erp, step.line)) else None
        if isinstance(step, StartBilling) and billed not in (None, step.starts):
            kind, words = "another_day", f"from {step.starts} by the contract's rule, and from {billed} in the ERP"
    elif isinstance(step, SetHealth):
        words = f"it would show risk {state.risk.level if state.risk else 'low'}; {words}"
    elif isinstance(step, WriteStatus):
        words = f"it would show {step.status!r}; {words}"
    return Difference(kind=kind, key=step.key, what=held.title, on=held.on, words=words)


def _instead(held: Withheld, erp: SubscriptionState) -> str:
    """What the ERP has in place of what would have been done."""
    match held.step:
        case StartBilling(line=line):
            return f"the ERP does not bill line {line}"
        case RenewSubscription() | ChangeTerm():
            return f"the ERP's term ends on {erp.ends}"
        case EndSubscription():
            return f"the subscription is {erp.status} in the ERP{f', until {erp.ends}' if erp.ends else ''}"
    return "the ERP has other quantities: " + ", ".join(f"line {each.line} {each.quantity}" for each in erp.lines)


def _only_there(state: LifecycleState, erp: SubscriptionState, today: date) -> Iterator[Difference]:
    """What the ERP has and Tenure has not decided."""

    def only(key: str, what: str, on: date | None, words: str, kind: Kind = "only_old") -> Difference:
        return Difference(kind=kind, key=key, what=what, on=on, words=words)

    for line in erp.lines:
        key = keys.billing_start(state.contract, line.line, 1)
        known = state.line(line.line)
        if known is None:
            yield only(key, f"line {line.line}", None, "the ERP has the line, and the order has not")
            continue
        by_rule = state.line_starts(known, today)
        if line.billed_from is not None and by_rule is None and key not in state.withheld:
            words = f"the ERP bills it from {line.billed_from}; by its rule it can't be billed yet"
            yield only(key, f"start billing of line {line.line}", line.billed_from, words)
        elif line.billed_from is not None and key not in state.withheld and by_rule != line.billed_from:
            words = f"from {by_rule} by the contract's rule, and from {line.billed_from} in the ERP"
            yield only(key, f"start billing of line {line.line}", line.billed_from, words, "another_day")
        if line.quantity != state.quantities.get(line.line, line.quantity) and not _amending(state, line.line):
            words = f"the ERP has {line.quantity}, and Tenure was told of {state.quantities[line.line]}"
            yield only(keys.amendment(state.contract, "unknown"), f"quantity of line {line.line}", None, words)
    if erp.status in ("ended", "cancelled") and state.ends_on is None:
        words = f"the ERP has {erp.status} it{f' on {erp.ends}' if erp.ends else ''}, and nobody told Tenure"
        yield only(keys.ending(state.contract), "end the contract", erp.ends, words)
    term = state.term_now()
    ends = term.ends if term else None
    later = ends is not None and erp.ends is not None and erp.ends > ends
    if later and not state.renewed and state.ends_on is None:
        words = f"the ERP's term ends on {erp.ends}, and Tenure awaits the decision on the term that ends on {ends}"
        yield only(keys.renewal(state.contract, state.term + 1), f"renew term {state.term}", None, words)


def _amending(state: LifecycleState, line: str) -> bool:
    steps = [held.step for held in state.withheld.values() if not held.settled]
    return any(isinstance(step, AmendSubscription) and line in step.quantities for step in steps)


def _cases(state: LifecycleState) -> Iterator[Difference]:
    for case in state.cases.values():
        reasons = f": {'; '.join(case.view.reasons)}" if case.view.reasons else ""
        words = f"it would have asked {case.view.actor}{reasons}"
        on = case.view.opened_at.date()
        yield Difference(kind="only_tenure", key=case.view.id, what=case.view.title, on=on, words=words)


def _line(erp: SubscriptionState, line: str) -> LineState | None:
    return next((each for each in erp.lines if each.line == line), None)
