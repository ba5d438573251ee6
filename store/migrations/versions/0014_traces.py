"""What the rows that come in and go out belong to, and how long calls take"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("inbox", "outgoing"):
        op.add_column(table, sa.Column("trace", sa.String(), nullable=False, server_default=""))
    op.create_table(
        "call_times",
        sa.Column("connection", sa.String(), primary_key=True),
        sa.Column("slot", sa.BigInteger(), primary_key=True),
        sa.Column("class", sa.Integer(), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("call_times")
    for table in ("inbox", "outgoing"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("trace")
