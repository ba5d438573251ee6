"""Whether a reconciliation goes on, and what broke it off"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reconciliations", sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reconciliations", sa.Column("problem", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("reconciliations", "problem")
    op.drop_column("reconciliations", "alive_at")
