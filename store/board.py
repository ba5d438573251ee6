"""The board: a narrow row for each lifecycle, by which many are counted, searched and listed without reading a view.

Written in the transaction that publishes the view, so the two never differ.
"""

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Index, Text, Update, bindparam, func, or_
from sqlmodel import Field, Session, SQLModel, col, select, update

from domain.view import LifecycleView
from store.columns import Moment
from store.database import change, insert_once
from store.tables import OrderRow, utc_now

PAUSED, ON_HOLD = "paused", "on_hold"
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
PLACES = 4


class BoardRow(SQLModel, table=True):
    """Where a lifecycle stands. `standing`: paused, on_hold, or empty. `calm`: it needs nobody's attention; otherwise
    `attention_since` is when its oldest open case began, `needs` what that says, `more_needs` how many there are beside
    it. `turn`, by which the calm and the others are each in order: since when it waits, or when something happens next.

    `customer` is the account's name as the newest order says; empty where it says none. `forecast`: the category of
    its renewal. `decision`: what was decided on it, in a word. `annual`: its annual recurring value as last measured,
    in ten-thousandths of the currency, so that a database adds up exactly. `sought`: where a search looks; `called` is
    the customer's name without its case.
    """

    __tablename__ = "board"
    # each serves a count or the order of a list, and holds whatever that one asks for
    __table_args__ = (
        Index("ix_board_turn", "calm", "turn", "contract"),
        Index("ix_board_stage", "stage", "calm", "turn", "contract"),
        Index("ix_board_entity", "selling_entity", "stage", "calm"),
        Index("ix_board_risk", "risk", "stage"),
        Index("ix_board_standing", "standing", "stage"),
        Index("ix_board_mode", "mode", "stage"),
        Index(
            "ix_board_ahead", "renewal_date", "stage", "forecast", "risk", "decision", "currency", "annual", "contract"
        ),
    )

    contract: str = Field(primary_key=True)
    account: str = Field(default="", index=True)
    parent_account: str | None = Field(default=None, index=True)
    customer: str = ""
    called: str = ""
    deal: str = ""
    sought: str = Field(default="", sa_type=Text)
    selling_entity: str = ""
    stage: str
    mode: str = "live"
    standing: str = ""
    risk: str = "low"
    entitlement: str = "none"
    calm: bool = True
    attention_since: datetime | None = Field(default=None, sa_type=Moment)
    needs: str = Field(default="", sa_type=Text)
    more_needs: int = 0
    term: int = 0
    renewal_date: date | None = None
    forecast: str = ""
    decision: str = ""
    next_step: str = ""
    next_due: datetime | None = Field(default=None, sa_type=Moment)
    turn: datetime = Field(default=NEVER, sa_type=Moment)
    currency: str | None = None
    annual: int | None = Field(default=None, sa_type=BigInteger)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Moment, index=True)


def put_on_board(session: Session, view: LifecycleView) -> None:
    """Make a contract's row say what its view says."""
    values, ids = board_values(view), f"{view.contract} {view.account} {view.deal} ".lower()
    if change(session, _follow(tuple(values)), {**values, "of": view.contract, "ids": ids}) == 0:
        orders = select(OrderRow).where(OrderRow.contract == view.contract)
        newest = session.exec(orders.order_by(col(OrderRow.revision).desc()).limit(1)).first()
        customer = customer_of(newest.document) if newest else ""
        named: dict[str, Any] = {
            "customer": customer,
            "called": customer.casefold(),
            "sought": ids + customer.casefold(),
        }
        insert_once(session, BoardRow(contract=view.contract, **named, **values), keys=("contract",))


@cache
def _follow(columns: tuple[str, ...]) -> Update:
    """Made once: what every view changes."""
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    sought = bindparam("ids", type_=Text) + col(BoardRow.called)
    return update(BoardRow).where(col(BoardRow.contract) == bindparam("of")).values(**values, sought=sought)


def name_on_board(session: Session, contract: str, document: dict[str, Any]) -> None:
    """The customer's name as a new order says it."""
    row, name = BoardRow, customer_of(document)
    ids: ColumnElement[str] = func.lower(col(row.contract) + " " + col(row.account) + " " + col(row.deal) + " ")
    where = (col(row.contract) == contract, col(row.customer) != name)
    values = {"customer": name, "called": name.casefold(), "sought": ids + name.casefold()}
    change(session, update(row).where(*where).values(**values))


def price_on_board(session: Session, contract: str, annual: Decimal | None, currency: str | None) -> None:
    """What a contract is worth in a year, by the ERP."""
    units = None if annual is None else int(annual.scaleb(PLACES).to_integral_value(ROUND_HALF_UP))
    new = or_(col(BoardRow.annual).is_distinct_from(units), col(BoardRow.currency).is_distinct_from(currency))
    change(
        session, update(BoardRow).where(col(BoardRow.contract) == contract, new).values(annual=units, currency=currency)
    )


def amount(units: int) -> Decimal:
    """What so many ten-thousandths are, with as many places as people write."""
    exact = Decimal(units).scaleb(-PLACES)
    return exact.quantize(Decimal(1) if exact == exact.to_integral_value() else Decimal("0.01"), ROUND_HALF_UP)


def board_values(view: LifecycleView) -> dict[str, Any]:
    cases = [] if view.mode == "shadow" else view.cases  # what a shadow stumbles over is for its report
    oldest = min(cases, key=lambda case: case.opened_at, default=None)
    return {
        "account": view.account,
        "parent_account": view.parent_account,
        "deal": view.deal,
        "selling_entity": view.selling_entity,
        "stage": view.stage.value,
        "mode": view.mode,
        "standing": PAUSED if view.paused is not None else ON_HOLD if view.hold else "",
        "risk": view.risk,
        "entitlement": view.entitlement,
        "calm": not cases,
        "attention_since": oldest.opened_at if oldest else None,
        "needs": oldest.title if oldest else "",
        "more_needs": max(0, len(cases) - 1),
        "term": view.term,
        "renewal_date": view.renewal_date,
        "forecast": view.forecast.category if view.forecast else "",
        "decision": (view.decision or "").partition(" ")[0],
        "next_step": view.next_step,
        "next_due": view.next_due,
        "turn": (oldest.opened_at if oldest else view.next_due) or NEVER,
        "updated_at": utc_now(),
    }


def customer_of(document: dict[str, Any]) -> str:
    """The account's name in an order document, whatever else that holds."""
    account = document.get("account")
    name = account.get("name") if isinstance(account, dict) else None
    return name if isinstance(name, str) else ""
