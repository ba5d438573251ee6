"""What more the board is chosen by; and when a source was last heard"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("board") as batch:
        batch.add_column(sa.Column("parent_account", sa.String(), nullable=True))
        batch.add_column(sa.Column("entitlement", sa.String(), nullable=False, server_default="none"))
    columns = ("contract", "parent_account", "entitlement")
    board = sa.table("board", *(sa.column(name, sa.String()) for name in columns))
    views = sa.table("views", sa.column("contract", sa.String()), sa.column("view", sa.JSON()))

    def said(field: str) -> sa.ScalarSelect[str]:
        text = views.c.view[field].as_string()
        return sa.select(text).where(views.c.contract == board.c.contract).scalar_subquery()

    op.execute(
        board.update().values(
            parent_account=said("parent_account"),
            entitlement=sa.func.coalesce(said("entitlement"), "none"),
        )
    )
    with op.batch_alter_table("board") as batch:
        batch.alter_column("entitlement", server_default=None)
        batch.create_index("ix_board_parent_account", ["parent_account"], unique=False)
    op.create_index("ix_inbox_source", "inbox", ["source", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_inbox_source", "inbox")
    with op.batch_alter_table("board") as batch:
        batch.drop_index("ix_board_parent_account")
        for name in ("parent_account", "entitlement"):
            batch.drop_column(name)
