"""The board: a narrow row for each lifecycle, filled from the views that there are"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AT_ONCE = 500


def upgrade() -> None:
    board = op.create_table(
        "board",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("deal", sa.String(), nullable=False),
        sa.Column("selling_entity", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("risk", sa.String(), nullable=False),
        sa.Column("attention", sa.Boolean(), nullable=False),
        sa.Column("attention_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_date", sa.Date(), nullable=True),
        sa.Column("forecast", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("next_due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("account", "stage", "renewal_date", "updated_at"):
        op.create_index(f"ix_board_{column}", "board", [column], unique=False)
    views = sa.table("views", sa.column("contract", sa.String()), sa.column("view", sa.JSON()))
    connection, last = op.get_bind(), ""
    while True:
        page = sa.select(views.c.contract, views.c.view).where(views.c.contract > last)
        found = connection.execute(page.order_by(views.c.contract).limit(AT_ONCE)).all()
        if not found:
            break
        names = _names(connection, [contract for contract, _ in found])
        connection.execute(board.insert(), [_row(contract, view, names.get(contract, "")) for contract, view in found])
        last = found[-1][0]


def _row(contract: str, view: dict[str, Any], customer: str) -> dict[str, Any]:
    since = [case["opened_at"] for case in view.get("cases", [])] if view.get("mode") != "shadow" else []
    return {
        "contract": contract,
        "account": view.get("account", ""),
        "customer": customer,
        "deal": view.get("deal", ""),
        "selling_entity": view.get("selling_entity", ""),
        "stage": view["stage"],
        "mode": view.get("mode", "live"),
        "standing": "paused" if view.get("paused") is not None else "on_hold" if view.get("hold") else "",
        "risk": view.get("risk", "low"),
        "attention": bool(since),
        "attention_since": min(map(_moment, since), default=None),
        "renewal_date": datetime.fromisoformat(view["renewal_date"]).date() if view.get("renewal_date") else None,
        "forecast": (view.get("forecast") or {}).get("category", ""),
        "decision": (view.get("decision") or "").partition(" ")[0],
        "next_due": _moment(view["next_due"]) if view.get("next_due") else None,
        "updated_at": datetime.now(UTC),
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _names(connection: sa.Connection, contracts: list[str]) -> dict[str, str]:
    columns = (
        sa.column("contract", sa.String()),
        sa.column("revision", sa.Integer()),
        sa.column("document", sa.JSON()),
    )
    orders = sa.table("orders", *columns)
    query = sa.select(orders.c.contract, orders.c.document).where(orders.c.contract.in_(contracts))
    names: dict[str, str] = {}
    for contract, document in connection.execute(query.order_by(orders.c.revision)):
        account = document.get("account")
        name = account.get("name") if isinstance(account, dict) else None
        names[contract] = name if isinstance(name, str) else ""
    return names


def downgrade() -> None:
    op.drop_table("board")
