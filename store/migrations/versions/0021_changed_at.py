"""When a case or a difference was last written, so that an export misses no change"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SINCE = {"cases": ("resolved_at", "opened_at"), "differences": ("closed_at", "seen_at")}


def upgrade() -> None:
    for table, (over, begun) in SINCE.items():
        moment = sa.DateTime(timezone=True)
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("changed_at", moment, nullable=True))
        rows = sa.table(table, *(sa.column(name, moment) for name in ("changed_at", over, begun)))
        op.execute(rows.update().values(changed_at=sa.func.coalesce(rows.c[over], rows.c[begun])))
        with op.batch_alter_table(table) as batch:
            batch.alter_column("changed_at", existing_type=moment, nullable=False)
        op.create_index(f"ix_{table}_changed", table, ["changed_at", "id"], unique=False)


def downgrade() -> None:
    for table in SINCE:
        op.drop_index(f"ix_{table}_changed", table)
        with op.batch_alter_table(table) as batch:
            batch.drop_column("changed_at")
