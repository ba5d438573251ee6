"""Differences between the systems, and how they are settled."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    texts = ("id", "kind", "klass", "system")
    op.create_table(
        "differences",
        *(sa.Column(name, sa.String(), nullable=False, primary_key=name == "id") for name in texts),
        sa.Column("contract", sa.String(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("account", "connection", "subject")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("sentence", "ours", "theirs")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("owner", "status")),
        sa.Column("found_at", AT, nullable=False),
        sa.Column("seen_at", AT, nullable=False),
        sa.Column("closed_at", AT, nullable=True),
        sa.Column("settled", sa.Text(), nullable=False),
        sa.Column("ignored_until", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("ix_differences_status", "differences", ["status", "found_at"], unique=False)
    op.create_index("ix_differences_contract", "differences", ["contract", "status"], unique=False)
    op.create_table(
        "difference_notes",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("difference", sa.String(), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
    )
    op.create_index("ix_difference_notes_difference", "difference_notes", ["difference"], unique=False)
    op.create_table(
        "repairs",
        sa.Column("id", BIG_ID, primary_key=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("difference", "remedy", "by")),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mends", sa.JSON(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", AT, nullable=False),
    )
    op.create_index("ix_repairs_difference", "repairs", ["difference", "state"], unique=False)
    op.create_table(
        "reconciliations",
        sa.Column("id", BIG_ID, primary_key=True),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("contracts", "waiting", "found", "new", "healed")),
        sa.Column("sources", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    for table in ("reconciliations", "repairs", "difference_notes", "differences"):
        op.drop_table(table)
