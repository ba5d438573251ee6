"""The clocks that run, and what stopped lately, are found without those that stopped long ago"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

RUNS = sa.text("stopped IS NULL AND started IS NOT NULL")


def upgrade() -> None:
    columns = ["kind", "breached", "held", "warned", "due", "id", "started", "stopped"]
    op.create_index("ix_sla_clocks_running", "sla_clocks", columns, sqlite_where=RUNS, postgresql_where=RUNS)
    op.create_index("ix_sla_clocks_stopped", "sla_clocks", ["outcome", "stopped", "kind"])


def downgrade() -> None:
    op.drop_index("ix_sla_clocks_stopped", "sla_clocks")
    op.drop_index("ix_sla_clocks_running", "sla_clocks")
