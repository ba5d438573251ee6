"""Limits of connections, shared by all processes"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("connection", sa.String(), primary_key=True),
        sa.Column("given", sa.JSON(), nullable=True),
        sa.Column("earliest", sa.Float(), nullable=False),
        sa.Column("paused_until", sa.Float(), nullable=False),
    )
    op.create_table(
        "turns",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("counts_until", sa.Float(), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=False),
    )
    op.create_index("ix_turns_connection", "turns", ["connection"], unique=False)


def downgrade() -> None:
    op.drop_table("turns")
    op.drop_table("limits")
