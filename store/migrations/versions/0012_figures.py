"""Figures: what the ERPs said, where contracts stood by day, leakage"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "erp_states",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=True),
        sa.Column("subscription", sa.String(), nullable=True),
        sa.Column("state", sa.JSON(), nullable=True),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("run_started", MOMENT, nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_erp_states_tried_at", "erp_states", ["tried_at"], unique=False)
    op.create_table(
        "erp_customers",
        sa.Column("connection", sa.String(), primary_key=True),
        sa.Column("customer", sa.String(), primary_key=True),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("tried_at", MOMENT, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_table(
        "erp_invoices",
        sa.Column("connection", sa.String(), primary_key=True),
        sa.Column("invoice", sa.String(), primary_key=True),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("total", sa.String(), nullable=False),
        sa.Column("open_amount", sa.String(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("read_at", MOMENT, nullable=False),
    )
    op.create_index("ix_erp_invoices_customer", "erp_invoices", ["customer"], unique=False)
    op.create_index("ix_erp_invoices_contract", "erp_invoices", ["contract"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("facts", sa.JSON(), nullable=False),
    )
    op.create_index("ix_snapshots_day", "snapshots", ["day"], unique=False)
    op.create_table(
        "beginnings",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("activated_on", sa.Date(), nullable=True),
        sa.Column("launched_on", sa.Date(), nullable=True),
        sa.Column("live_on", sa.Date(), nullable=True),
        sa.Column("invoiced_on", sa.Date(), nullable=True),
    )
    op.create_index("ix_beginnings_signed_on", "beginnings", ["signed_on"], unique=False)
    op.create_table(
        "measured",
        sa.Column("contract", sa.String(), primary_key=True),
        sa.Column("run_started", MOMENT, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("read_at", MOMENT, nullable=True),
        sa.Column("clock_shift", sa.Float(), nullable=False),
        sa.Column("again_at", MOMENT, nullable=True),
    )
    op.create_table(
        "leaks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("found_on", sa.Date(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount", sa.String(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("recovered", sa.String(), nullable=True),
    )
    op.create_index("ix_leaks_open", "leaks", ["closed_on", "kind"], unique=False)
    op.create_index("ix_leaks_contract", "leaks", ["contract"], unique=False)


def downgrade() -> None:
    for table in (
        "leaks", "measured", "beginnings", "snapshots", "erp_invoices", "erp_customers", "erp_states",
    ):  # fmt: skip
        op.drop_table(table)
