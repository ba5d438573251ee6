"""A page of the portfolio, and the renewals ahead, come from the board alone"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

AT_ONCE = 500
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
OLD = {
    "attention": ["attention", "stage"],
    "renewal": ["renewal_date", "stage"],
    "selling_entity": ["selling_entity"],
    "stage": ["stage"],
}
NEW = {
    "turn": ["calm", "turn", "contract"],
    "stage": ["stage", "calm", "turn", "contract"],
    "entity": ["selling_entity", "stage", "calm"],
    "ahead": ["renewal_date", "stage", "forecast", "risk", "decision", "currency", "annual", "contract"],
}
FILLED: dict[str, sa.types.TypeEngine[Any]] = {
    "calm": sa.Boolean(),
    "called": sa.String(),
    "sought": sa.Text(),
    "needs": sa.Text(),
    "more_needs": sa.Integer(),
    "term": sa.Integer(),
    "next_step": sa.String(),
    "turn": sa.DateTime(timezone=True),
}
DEFAULTS = {
    "calm": "1", "called": "", "sought": "", "needs": "", "more_needs": "0", "term": "0", "next_step": "",
    "turn": f"{NEVER:%Y-%m-%d %H:%M:%S}",
}  # fmt: skip


def upgrade() -> None:
    for name in OLD:
        op.drop_index(f"ix_board_{name}", "board")
    with op.batch_alter_table("board") as batch:
        for name, kind in FILLED.items():
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=DEFAULTS[name]))
        batch.add_column(sa.Column("currency", sa.String(), nullable=True))
        batch.add_column(sa.Column("annual", sa.BigInteger(), nullable=True))
    _fill(op.get_bind())
    with op.batch_alter_table("board") as batch:
        for name in FILLED:
            batch.alter_column(name, server_default=None)
        batch.drop_column("attention")
    for name, columns in NEW.items():
        op.create_index(f"ix_board_{name}", "board", columns, unique=False)


def _fill(connection: sa.Connection) -> None:
    views = sa.table("views", sa.column("contract", sa.String()), sa.column("view", sa.JSON()))
    board = sa.table(
        "board",
        sa.column("contract", sa.String()),
        sa.column("customer", sa.String()),
        sa.column("account", sa.String()),
        sa.column("deal", sa.String()),
        *(sa.column(name, kind) for name, kind in FILLED.items()),
        sa.column("currency", sa.String()),
        sa.column("annual", sa.BigInteger()),
    )
    rows = sa.select(board.c.contract, board.c.customer, board.c.account, board.c.deal, views.c.view)
    rows, last = rows.join(views, views.c.contract == board.c.contract), ""
    while page := connection.execute(
        rows.where(board.c.contract > last).order_by(board.c.contract).limit(AT_ONCE)
    ).all():
        worth = _worth(connection, [row.contract for row in page])
        changes = [
            {
                "of": row.contract,
                "called": row.customer.casefold(),
                "sought": f"{row.contract} {row.account} {row.deal} ".lower() + row.customer.casefold(),
                **_said(row.view),
                **worth.get(row.contract, {"currency": None, "annual": None}),
            }
            for row in page
        ]
        names = [*FILLED, "currency", "annual"]
        change = board.update().where(board.c.contract == sa.bindparam("of"))
        connection.execute(
            change.values({name: sa.bindparam(name) for name in names}),
            changes,
        )
        last = page[-1].contract


def _said(view: dict[str, Any]) -> dict[str, Any]:
    cases = sorted(view.get("cases", []), key=lambda case: _moment(case["opened_at"]))
    if view.get("mode") == "shadow":
        cases = []
    due = cases[0]["opened_at"] if cases else view.get("next_due")
    return {
        "calm": not cases,
        "needs": cases[0]["title"] if cases else "",
        "more_needs": max(0, len(cases) - 1),
        "term": view.get("term", 0),
        "next_step": view.get("next_step", ""),
        "turn": _moment(due) if due else NEVER,
    }


def _worth(connection: sa.Connection, contracts: Sequence[str]) -> dict[str, dict[str, Any]]:
    columns = (sa.column("contract", sa.String()), sa.column("day", sa.Date()), sa.column("facts", sa.JSON()))
    snapshots = sa.table("snapshots", *columns)
    query = sa.select(snapshots.c.contract, snapshots.c.facts).where(snapshots.c.contract.in_(contracts))
    found = {}
    for contract, facts in connection.execute(query.order_by(snapshots.c.day)):
        annual = facts.get("annual")
        units = None if annual is None else int(Decimal(annual).scaleb(4).to_integral_value(ROUND_HALF_UP))
        found[contract] = {"currency": facts.get("currency"), "annual": units}
    return found


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def downgrade() -> None:
    for name in NEW:
        op.drop_index(f"ix_board_{name}", "board")
    with op.batch_alter_table("board") as batch:
        batch.add_column(sa.Column("attention", sa.Boolean(), nullable=False, server_default=sa.false()))
    board = sa.table("board", sa.column("attention", sa.Boolean()), sa.column("calm", sa.Boolean()))
    op.execute(board.update().values(attention=~board.c.calm))
    with op.batch_alter_table("board") as batch:
        batch.alter_column("attention", server_default=None)
        for name in (*FILLED, "currency", "annual"):
            batch.drop_column(name)
    for name, columns in OLD.items():
        op.create_index(f"ix_board_{name}", "board", columns, unique=False)
