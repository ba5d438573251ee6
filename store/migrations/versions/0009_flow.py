"""What flowed lately is found by an index"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_inbox_received", "inbox", ["received_at", "source"], unique=False)
    op.create_index("ix_deliveries_settled", "deliveries", ["settled_at", "inbox_id"], unique=False)
    op.create_index("ix_effects_updated", "effects", ["updated_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_effects_updated", "effects")
    op.drop_index("ix_deliveries_settled", "deliveries")
    op.drop_index("ix_inbox_received", "inbox")
