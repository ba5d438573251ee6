"""Events: feeds, hints, cases that people work on, account risk, and what is published"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _added() -> dict[str, tuple[sa.Column[Any], ...]]:
    """New columns by table; a column object belongs to the table that it was added to, so they are made anew."""
    return {
        "inbox": (
            sa.Column("problem", sa.String(), nullable=False, server_default=""),
            sa.Column("original", sa.Text(), nullable=True),
            sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
            sa.Column("next_try_at", sa.Float(), nullable=False, server_default="0"),
        ),
        "deliveries": (sa.Column("settled_at", sa.Float(), nullable=False, server_default="0"),),
        "cases": (
            sa.Column("problem", sa.String(), nullable=False, server_default=""),
            sa.Column("inbox_id", sa.BigInteger(), nullable=True),
            sa.Column("assignee", sa.String(), nullable=True),
            sa.Column("tags", sa.JSON(), nullable=False, server_default="[]"),
            sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
            sa.Column("resolution", sa.Text(), nullable=False, server_default=""),
        ),
    }


def upgrade() -> None:
    for table, columns in _added().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index("ix_cases_state", "cases", ["state", "opened_at"], unique=False)

    op.create_table(
        "case_notes",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_case_notes_case_id", "case_notes", ["case_id"], unique=False)

    op.create_table(
        "feeds",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("read_at", sa.Float(), nullable=False),
        sa.Column("gaps", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "account_aliases",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("into", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_index("ix_account_aliases_into", "account_aliases", ["into"], unique=False)

    op.create_table(
        "contract_risks",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("health", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("contract"),
    )
    op.create_index("ix_contract_risks_subject", "contract_risks", ["subject"], unique=False)
    op.create_table(
        "rolled_up_risks",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("health", sa.JSON(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("subject"),
    )

    op.create_table(
        "outgoing",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("relayed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("ix_outgoing_contract", "outgoing", ["contract"], unique=False)
    op.create_index("ix_outgoing_relayed", "outgoing", ["relayed", "id"], unique=False)
    op.create_table(
        "outgoing_deliveries",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("outgoing_id", sa.BigInteger(), nullable=False),
        sa.Column("subscriber", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("next_try_at", sa.Float(), nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["outgoing_id"], ["outgoing.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("outgoing_id", "subscriber", name="uq_outgoing_deliveries"),
    )
    op.create_index(
        "ix_outgoing_deliveries_state", "outgoing_deliveries", ["subscriber", "state", "contract", "id"], unique=False
    )


def downgrade() -> None:
    for table in (
        *("outgoing_deliveries", "outgoing", "rolled_up_risks", "contract_risks", "account_aliases", "feeds"),
        "case_notes",
    ):
        op.drop_table(table)
    op.drop_index("ix_cases_state", "cases")
    for table, columns in _added().items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column.name)
