"""Changes to a running contract, from whatever client: previewed, and made. Added lines, with their prices, go into a
revision of the order document; the lifecycle is told which."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from temporalio.service import RPCError

from domain.changes.applying import ChangePreview
from domain.changes.kinds import Amend, AmendAtRenewal, Change, ChangeContract, Move
from domain.company import Company
from domain.document import apply_fixes
from domain.messages import CommandAnswer
from domain.policies.validation import verdict
from domain.routes import Landscape
from domain.terms import LineTerms
from starter.lengths import check_lengths
from starter.mistakes import Mistake, Refusal, Unanswered
from starter.office import ANSWER, Office
from store.orders import SqlOrders
from store.tables import LifecycleRow
from workflows.lifecycle import CustomerLifecycle

MOST = 10**12
"""Of any quantity."""


def new_id() -> str:
    """An id for a change whose author names none; it is shown, so that the change can be undone by it."""
    return f"chg-{secrets.token_hex(4)}"


async def make(office: Office, life: LifecycleRow, command: ChangeContract) -> CommandAnswer:
    """Raises Refusal with the lifecycle's reason, Mistake when nobody answers."""
    return await office.command(life, CustomerLifecycle.change, command)


async def foresee(office: Office, life: LifecycleRow, command: ChangeContract) -> ChangePreview:
    """What the change would do; nothing is written. Raises Refusal and Mistake as `make` would."""
    check_lengths(command)
    try:
        seen = await office.handle(life).query(CustomerLifecycle.preview, command, rpc_timeout=ANSWER)
    except RPCError:
        raise Unanswered("the lifecycle does not answer; `tenure status` tells whether a worker is up") from None
    if seen.refused is not None:
        raise Refusal(seen.refused)
    return seen


async def add_lines(
    office: Office,
    life: LifecycleRow,
    change: Amend | AmendAtRenewal,
    rows: Sequence[dict[str, Any]],
    by: str,
    *,
    keep: bool = True,
) -> Amend | AmendAtRenewal:
    """The change with these lines, which stand in a new revision of the order document; without `keep` in one that is
    only imagined. Raises Mistake for what can't be sold so."""
    return await sell_lines(SqlOrders(office.database), office.company, life.contract, change, rows, by, keep=keep)


async def sell_lines(
    orders: SqlOrders,
    company: Company,
    contract: str,
    change: Amend | AmendAtRenewal,
    rows: Sequence[dict[str, Any]],
    by: str,
    *,
    keep: bool = True,
) -> Amend | AmendAtRenewal:
    """The same, of whatever store and company."""
    newest = await orders.newest(contract)
    starts = change.effective if isinstance(change, Amend) else None
    document, added = _document(newest.document, rows, starts)
    terms = _line_terms(company, document, added, newest.revision + 1)
    revision = await orders.add(contract, document, by) if keep else newest.revision + 1
    return change.model_copy(update={"added": terms, "revision": revision})


async def move_there(
    office: Office,
    life: LifecycleRow,
    move: Move,
    fixes: Mapping[str, Any],
    by: str,
    landscape: Landscape,
    *,
    keep: bool = True,
) -> Move:
    """The move with its revision: the order document of there, who sells, in which currency, with the prices that
    `fixes` set; without `keep` it is only imagined. Raises Mistake for an order that could not be sold so, and for one
    that another ERP would keep."""
    currency = move.currency
    orders, state = SqlOrders(office.database), await office.state(life)
    newest = await orders.newest(life.contract)
    repriced = {path.split(".")[0] for path in fixes if path.endswith(".unit_price")}
    priced = [f"lines[{n}]" for n, line in enumerate(newest.document["lines"]) if line.get("unit_price") is not None]
    if state.known.currency != currency and (missing := [line for line in priced if line not in repriced]):
        raise Mistake(
            f"the prices are in {state.known.currency}: set those in {currency}, as in --set {missing[0]}.unit_price=…"
        )
    try:
        document = apply_fixes(newest.document, {"selling_entity": move.selling_entity, "currency": currency, **fixes})
    except ValueError as error:
        raise Mistake(str(error)) from None
    judged = verdict(document, office.company, newest.revision + 1, parent_known=True, landscape=landscape)
    if judged.sheet is None:
        raise Mistake("; ".join(f"{reason.path}: {reason.message}" for reason in judged.reasons))
    if judged.scopes.get("erp") != state.scopes.get("erp"):
        there = judged.connections.get("erp", "erp")
        raise Mistake(
            f"it would go to {there} there, and its customer is in {state.connection('erp')}: a contract moves within "
            f"one ERP; end it here, and win a new deal there"
        )
    revision = await orders.add(life.contract, document, by) if keep else newest.revision + 1
    return move.model_copy(update={"revision": revision})


async def forget_revision(office: Office, life: LifecycleRow, change: Change) -> None:
    """Take a revision back that the lifecycle refused."""
    if isinstance(change, Amend | AmendAtRenewal | Move) and change.revision is not None:
        await SqlOrders(office.database).withdraw(life.contract, change.revision)


def _document(
    document: dict[str, Any], rows: Sequence[dict[str, Any]], starts: date | None
) -> tuple[dict[str, Any], list[str]]:
    """The document with these lines: each with an id of its own, and billed from the day on which it begins unless it
    says otherwise."""
    taken, lines, added = {str(line.get("id")) for line in document["lines"]}, list(document["lines"]), []
    for row in rows:
        name = str(row.get("id") or next(str(n) for n in range(len(lines) + 1, 10_000) if str(n) not in taken))
        line = {"billing_start": "on_activation", **row, "id": name}
        if starts is not None:
            line.setdefault("starts", starts.isoformat())
        taken.add(name)
        lines.append(line)
        added.append(name)
    return {**document, "lines": lines}, added


def _line_terms(
    company: Company, document: dict[str, Any], added: Sequence[str], revision: int
) -> tuple[LineTerms, ...]:
    judged = verdict(document, company, revision, parent_known=True)
    if judged.sheet is None:
        first = len(document["lines"]) - len(added)
        ours = [f"lines[{index}]" for index in range(first, len(document["lines"]))]
        wrong = [reason for reason in judged.reasons if reason.path.split(".")[0] in ours] or list(judged.reasons)
        raise Mistake("; ".join(f"{reason.path}: {reason.message}" for reason in wrong))
    return tuple(line for line in judged.sheet.lines if line.id in added)


def parse_quantities(texts: Sequence[str]) -> dict[str, Decimal]:
    """`PLATFORM=75`, `2=10`. Raises Mistake."""
    quantities: dict[str, Decimal] = {}
    for text in texts:
        name, sign, number = (part.strip() for part in text.partition("="))
        try:
            quantity = Decimal(number)
        except ArithmeticError:
            quantity = Decimal("NaN")
        if not sign or not name or not quantity.is_finite() or not 0 <= quantity <= MOST:
            raise Mistake(f"{text!r} is not a quantity; write it as PLATFORM=75, or with a line's id as 2=75")
        if name in quantities:
            raise Mistake(f"{name} is given twice, {quantities[name]} and {quantity}: decide")
        quantities[name] = quantity
    return quantities


def parse_assignment(text: str) -> tuple[str, str | None]:
    """`ship_to.address.postal_code=94105`; nothing after the sign takes the field away. Raises Mistake."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise Mistake(f"{text!r} is not an assignment; write it as ship_to.address.postal_code=94105")
    return path.strip(), value.strip() or None


def parse_line(text: str) -> dict[str, Any]:
    """`product=ANALYTICS,quantity=10,unit_price=20,frequency=monthly`. Raises Mistake."""
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not sign or not name.strip() or not value.strip() for name, sign, value in pairs):
        raise Mistake(f"{text!r} is not a line; write it as product=ANALYTICS,quantity=10,unit_price=20")
    return {name.strip(): value.strip() for name, _, value in pairs}
