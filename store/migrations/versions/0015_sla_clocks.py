"""SLA clocks"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sla_clocks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("contract", sa.String(), nullable=True),
        sa.Column("account", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.DateTime(timezone=True), nullable=True)
            for name in ("started", "planned", "due", "warn_at", "warned", "breached", "stopped")
        ),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("holds", sa.JSON(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=True),
    )
    for column in ("contract", "due", "next_at", "subject"):
        op.create_index(f"ix_sla_clocks_{column}", "sla_clocks", [column], unique=False)
    op.create_index("ix_sla_clocks_outcome", "sla_clocks", ["outcome", "kind"], unique=False)


def downgrade() -> None:
    op.drop_table("sla_clocks")
