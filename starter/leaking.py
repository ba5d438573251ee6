"""What a finding of leakage tells: a case of its team and an event for subscribers, once, until it is settled."""

from datetime import datetime

from sqlmodel import Session

from domain import keys
from domain.company import Company
from domain.errors import Actor
from domain.events.lifecycle import LifecycleLeakageFound, LifecycleLeakageSettled
from domain.measures.leakage import Kind
from starter.owning import team_of_case
from store.cases import note, open_case, resolve_case
from store.leaks import LeakRow
from store.outgoing import say
from store.tables import CaseRow, LifecycleRow

LEAK = "leak"
"""The kind of their cases; the problem is `leak:` and the finding's kind."""

ACTORS: dict[Kind, Actor] = {"expired_served": "ops"}
"""Who mends it; of all others finance does."""
GONE = "it is found no more"


def case_id(row: LeakRow) -> str:
    return f"{LEAK}:{row.id}"


def tell_found(session: Session, company: Company, row: LeakRow, life: LifecycleRow, at: datetime) -> None:
    """A case that a person has resolved stays so while the same is found: it was looked at."""
    case, wanted = session.get(CaseRow, case_id(row)), _case(row)
    if case is None or case.resolution.startswith(GONE):
        open_case(session, wanted)
        case = session.get_one(CaseRow, wanted.id)
    elif case.state == "open" and (case.title, case.reasons) != (wanted.title, wanted.reasons):
        case.title, case.reasons = wanted.title, wanted.reasons
        note(session, case.id, "tenure", f"{wanted.title}; {'; '.join(wanted.reasons)}")
    told = LifecycleLeakageFound(**_said(session, company, row, case, life), on=row.found_on, reason=row.because)
    say(session, told, at, keys.leakage_event(row.id, "found"))


def tell_settled(session: Session, company: Company, row: LeakRow, life: LifecycleRow, at: datetime) -> None:
    """Whose finding was told is told that it is over."""
    case = session.get(CaseRow, case_id(row))
    if case is None or row.closed_on is None:
        return
    back = f": {row.recovered} of {row.amount} {row.currency} recovered" if row.recovered is not None else ""
    resolve_case(session, case.id, f"{GONE}{back}")
    said = _said(session, company, row, case, life)
    told = LifecycleLeakageSettled(**said, on=row.closed_on, recovered=row.recovered)
    say(session, told, at, keys.leakage_event(row.id, "settled"))


def _case(row: LeakRow) -> CaseRow:
    kind: Kind = row.leak.kind
    return CaseRow(
        id=case_id(row),
        contract=row.contract,
        account=row.account,
        kind=LEAK,
        title=row.sentence,
        reasons=[row.because or "nothing is known of the reason"],
        actor=ACTORS.get(kind, "finance"),
        mend=f"tenure show {row.contract}, and tenure reconcile {row.contract}; the case goes when it is settled",
        problem=f"{LEAK}:{row.kind}",
    )


def _said(session: Session, company: Company, row: LeakRow, case: CaseRow, life: LifecycleRow) -> dict[str, object]:
    named = row.model_dump(include={"contract", "account", "kind", "line", "product", "since", "currency", "amount"})
    return {**named, "deal": life.deal, "leak": row.id, "team": team_of_case(session, company, case)}
