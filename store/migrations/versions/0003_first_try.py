"""Outgoing: since when an event is being tried"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("first_try_at", sa.Float(), nullable=False, server_default="0")
    op.add_column("outgoing_deliveries", column)


def downgrade() -> None:
    with op.batch_alter_table("outgoing_deliveries") as batch:
        batch.drop_column("first_try_at")
