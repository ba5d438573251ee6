"""Two contracts become one at a renewal, or one becomes two: changes of both, made so that a second run finishes a
first that broke off."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from sqlmodel import Session, select

from domain.base import Frozen
from domain.calendar import civil_date
from domain.changes.applying import ChangePreview
from domain.changes.kinds import Amend, AmendAtRenewal, Change, ChangeContract, End, Undo
from domain.messages import CommandAnswer, MilestoneReached
from domain.splitting import Document
from domain.state import LifecycleState
from domain.terms import ChargeType, LineTerms
from starter.beginning import add_contract
from starter.changing import add_lines, foresee, forget_revision, make
from starter.delivery import business_now
from starter.mistakes import Refusal
from starter.office import Office
from starter.slips import START, TELL
from store.database import take_turn
from store.inbox import ROUTING, add_delivery
from store.lifecycles import follow, parts_of
from store.orders import SqlOrders
from store.tables import InboxRow, LifecycleRow

OF_THE_FIRST_TERM = ("trial_days", "converts_to", "free_months", "minimum_months", "coterm_with", "coterm_ends")


class Regrouped(Frozen):
    """What became, or would become, of each contract; the contract that a split begins has no change of its own."""

    changes: dict[str, CommandAnswer | ChangePreview]
    begins: str | None = None


async def consolidate(
    office: Office, life: LifecycleRow, into: LifecycleRow, by: str, *, dry_run: bool = False
) -> Regrouped:
    """The first contract ends with its term, and its lines are the other's from then on. Raises Refusal or Mistake."""
    state, other = await office.state(life), await office.state(into)
    ends = _end_of_term(state)
    joins = _end_of_term(other)
    _check_alike(state, other)
    name = _name("consolidated", life.contract, other)
    ending = ChangeContract(id=name, by=by, change=End(reason=f"consolidated into {into.contract}"))
    if _made(state, name) and _made(other, name):
        raise Refusal(f"{life.contract} is consolidated into {into.contract} already")
    seen: dict[str, CommandAnswer | ChangePreview] = {}
    if not _made(state, name):
        seen[life.contract] = await foresee(office, life, ending)
    if not _made(other, name):
        again = name.removeprefix(f"consolidated:{life.contract}").replace(":", "-")  # the other keeps what was undone
        rows = await _rows(office, state, ends, prefix=f"{state.deal}{again}-")
        change: Amend | AmendAtRenewal = Amend(effective=ends) if ends < joins else AmendAtRenewal()
        change = await add_lines(office, into, change, rows, by)
        seen[into.contract] = await _given(office, into, ChangeContract(id=name, by=by, change=change), dry_run=dry_run)
    if not dry_run and not _made(state, name):
        try:
            seen[life.contract] = await make(office, life, ending)
        except Refusal:
            await make(office, into, ChangeContract(id=f"{name}-undone", by=by, change=Undo(change=name)))
            raise
    return Regrouped(changes=seen)


async def split_off(
    office: Office, life: LifecycleRow, lines: list[str], by: str, *, dry_run: bool = False
) -> Regrouped:
    """Some lines leave the contract with its term, and are a contract of their own from that day on, linked to it."""
    state = await office.state(life)
    ends = _end_of_term(state)
    name = _name("split", "+".join(sorted(lines)), state)
    change = AmendAtRenewal(removed=tuple(lines))
    command = ChangeContract(id=name, by=by, change=change)
    foreseen = None if _made(state, name) else await foresee(office, life, command)
    going = {line.id for line in _lines_of(state, lines)}
    rows = [row for row in await _rows(office, state, ends, going=going) if row["id"] in going]
    if not rows:
        raise Refusal(f"{', '.join(lines)}: nothing is left of it to serve after {ends}")
    document = await _document_of(office, state, rows, ends, civil_date(business_now(life), state.zone))
    if dry_run:
        return Regrouped(changes={life.contract: foreseen} if foreseen else {}, begins="a new contract")
    changes: dict[str, CommandAnswer | ChangePreview] = {}
    if foreseen is not None:
        changes[life.contract] = await make(office, life, command)
    milestone = MilestoneReached(milestone=state.known.go_live, on=date.fromisoformat(document["signed_on"]))
    begins = await office.database.write(
        lambda session: _begin(session, life, document, name, by, milestone.model_dump(mode="json"))
    )
    return Regrouped(changes=changes, begins=begins)


async def _given(
    office: Office, life: LifecycleRow, command: ChangeContract, *, dry_run: bool
) -> CommandAnswer | ChangePreview:
    """The change made, or foreseen; its lines' revision goes again where it was not made."""
    try:
        answer = await foresee(office, life, command) if dry_run else await make(office, life, command)
    except Refusal:
        await forget_revision(office, life, command.change)
        raise
    if dry_run:
        await forget_revision(office, life, command.change)
    return answer


def _end_of_term(state: LifecycleState) -> date:
    term = state.term_now() if state.activated_on else None
    if term is None or term.ends is None:
        raise Refusal(f"{state.contract} has no term that ends: it is not activated, or without end")
    if state.ends_on is not None and not state.end_reason.startswith("consolidated into "):
        raise Refusal(f"{state.contract} ends on {state.ends_on}")
    return term.ends


def _check_alike(state: LifecycleState, other: LifecycleState) -> None:
    """One contract has one account, seller, currency and ERP."""
    if state.contract == other.contract:
        raise Refusal("a contract is one already; name two")
    for what, mine, its in (
        ("account", state.account, other.account),
        ("selling entity", state.known.selling_entity, other.known.selling_entity),
        ("currency", state.known.currency, other.known.currency),
        ("ERP", state.connection("erp"), other.connection("erp")),
    ):
        if mine != its:
            raise Refusal(f"they can't be one contract: {what} {mine} is not {its}")


def _name(what: str, whom: str, state: LifecycleState) -> str:
    """The change's id: the same intention has the same, until it is undone."""
    undone = {record.id for record in state.changes if record.undone_by}
    names = (f"{what}:{whom}" if n == 1 else f"{what}:{whom}:{n}" for n in range(1, len(undone) + 2))
    return next(name for name in names if name not in undone)


def _made(state: LifecycleState, name: str) -> Change | None:
    return next((record.change for record in state.changes if record.id == name and not record.undone_by), None)


def _lines_of(state: LifecycleState, names: list[str]) -> list[LineTerms]:
    return [line for line in state.known.lines if line.id in names or line.product in names]


async def _rows(
    office: Office, state: LifecycleState, on: date, *, prefix: str = "", going: Collection[str] = ()
) -> list[Document]:
    """The contract's lines as they would be on the first day of its next term, in the words of the order document, each
    billed from that day: with their prices, without what was charged once. `going`: those that leave it then.
    """
    newest = (await SqlOrders(office.database).revisions(state.contract))[-1].document
    written = {str(line.get("id")): line for line in newest["lines"]}
    agreed = state.at_renewal
    quantities: dict[str, Decimal] = state.quantities | agreed.quantities
    rows = []
    for line in (*state.known.lines, *agreed.added):
        over = line.ends is not None and line.ends <= on
        removed = line.id in agreed.removed and line.id not in going
        if over or removed or line.charge is ChargeType.ONE_TIME:
            continue
        row: dict[str, Any] = {name: value for name, value in written.get(line.id, {}).items() if name != "ends"}
        row |= {"id": f"{prefix}{line.id}", "product": line.product, "starts": on.isoformat()}
        row |= {"quantity": str(quantities.get(line.id, line.quantity)), "billing_start": {"on_date": on.isoformat()}}
        rows.append(row)
    return rows


async def _document_of(
    office: Office, state: LifecycleState, rows: list[Document], starts: date, today: date
) -> Document:
    """The order of the contract that begins with the next term, on the same terms."""
    newest = (await SqlOrders(office.database).revisions(state.contract))[-1].document
    terms = {name: value for name, value in newest.get("terms", {}).items() if name not in OF_THE_FIRST_TERM}
    months = {"initial_months": state.known.terms.renewal_months, "renewal_months": state.known.terms.renewal_months}
    lines = [{name: value for name, value in row.items() if name != "starts"} for row in rows]
    beside = sorted({line.product for line in state.known.lines} | set(newest.get("beside", ())))
    return {
        **newest,
        "account": {**newest["account"], "id": state.account},
        "signed_on": today.isoformat(),
        "terms": {**terms, **months, "kind": "standard", "start": "on_date", "starts_on": starts.isoformat()},
        "lines": lines,
        "beside": beside,
    }


def _begin(
    session: Session, life: LifecycleRow, document: Document, name: str, by: str, reached: dict[str, Any]
) -> str:
    """The new contract, once for each split. Its customer is live already: nobody waits for a go-live."""
    take_turn(session, ROUTING)
    event_id = f"{name}:{life.contract}"
    begun = session.exec(select(InboxRow).where(InboxRow.source == "cli", InboxRow.event_id == event_id)).first()
    if begun is not None:
        return begun.subject
    contract = f"{life.contract.rpartition('/')[0]}/{len(parts_of(session, life.contract)) + 1}"
    add_contract(session, life.tenant, contract, document, by)
    follow(session, contract, life.contract, "split_from")
    row = InboxRow(source="cli", event_id=event_id, type="tenure.start", subject=contract, payload="{}", state="routed")
    session.add(row)
    session.flush()
    add_delivery(session, row.id or 0, contract, START, {})
    add_delivery(session, row.id or 0, contract, TELL, reached)
    return contract
