"""The board: a narrow row for each lifecycle, by which many are counted, searched and listed without reading a view.

Written in the transaction that publishes the view, so the two never differ.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select, update

from domain.view import LifecycleView
from store.database import change, insert_once
from store.tables import Moment, OrderRow, utc_now

PAUSED, ON_HOLD = "paused", "on_hold"


class BoardRow(SQLModel, table=True):
    """Where a lifecycle stands. `standing`: paused, on_hold, or empty. `attention_since`: its oldest open case.

    `customer` is the account's name as the newest order says; empty where it says none. `forecast`: the category of
    its renewal. `decision`: what was decided on it, in a word.
    """

    __tablename__ = "board"
    # each serves a count, and holds whatever that one asks for
    __table_args__ = (
        Index("ix_board_attention", "attention", "stage"),
        Index("ix_board_risk", "risk", "stage"),
        Index("ix_board_standing", "standing", "stage"),
        Index("ix_board_mode", "mode", "stage"),
        Index("ix_board_renewal", "renewal_date", "stage"),
    )

    contract: str = Field(primary_key=True)
    account: str = Field(default="", index=True)
    parent_account: str | None = Field(default=None, index=True)
    customer: str = ""
    deal: str = ""
    selling_entity: str = Field(default="", index=True)
    stage: str = Field(index=True)
    mode: str = "live"
    standing: str = ""
    risk: str = "low"
    entitlement: str = "none"
    attention: bool = False
    attention_since: datetime | None = Field(default=None, sa_type=Moment)
    renewal_date: date | None = None
    forecast: str = ""
    decision: str = ""
    next_due: datetime | None = Field(default=None, sa_type=Moment)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=Moment, index=True)


def put_on_board(session: Session, view: LifecycleView) -> None:
    """Make a contract's row say what its view says."""
    values = board_values(view)
    if change(session, update(BoardRow).where(col(BoardRow.contract) == view.contract).values(**values)) == 0:
        orders = select(OrderRow).where(OrderRow.contract == view.contract)
        newest = session.exec(orders.order_by(col(OrderRow.revision).desc()).limit(1)).first()
        customer = customer_of(newest.document) if newest else ""
        insert_once(session, BoardRow(contract=view.contract, customer=customer, **values), keys=("contract",))


def name_on_board(session: Session, contract: str, document: dict[str, Any]) -> None:
    """The customer's name as a new order says it."""
    where = (col(BoardRow.contract) == contract, col(BoardRow.customer) != (name := customer_of(document)))
    change(session, update(BoardRow).where(*where).values(customer=name))


def board_values(view: LifecycleView) -> dict[str, Any]:
    cases = [] if view.mode == "shadow" else view.cases  # what a shadow stumbles over is for its report
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
        "attention": bool(cases),
        "attention_since": min((case.opened_at for case in cases), default=None),
        "renewal_date": view.renewal_date,
        "forecast": view.forecast.category if view.forecast else "",
        "decision": (view.decision or "").partition(" ")[0],
        "next_due": view.next_due,
        "updated_at": utc_now(),
    }


def customer_of(document: dict[str, Any]) -> str:
    """The account's name in an order document, whatever else that holds."""
    account = document.get("account")
    name = account.get("name") if isinstance(account, dict) else None
    return name if isinstance(name, str) else ""
