"""Contracts that follow others, and accounts that are merged and split"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "former_contracts",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("former", sa.String(), primary_key=True),
        sa.Column("how", sa.String(), nullable=False),
    )
    op.create_table(
        "account_fences",
        sa.Column("account", sa.String(), primary_key=True),
        sa.Column("move", sa.BigInteger(), nullable=False),
        sa.Column("into", sa.String(), nullable=True),
    )
    op.create_table(
        "account_moves",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("into", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("contracts", sa.JSON(), nullable=False),
        sa.Column("kept", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("done_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_account_moves_account", "account_moves", ["account"], unique=False)


def downgrade() -> None:
    for table in ("account_moves", "account_fences", "former_contracts"):
        op.drop_table(table)
