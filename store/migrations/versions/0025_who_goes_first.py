"""Who goes first, and what Temporal knows of it: it was told of nobody so far"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

USUAL = "3"
UNTOLD = sa.text("urgency <> urgency_told")


def upgrade() -> None:
    for name in ("urgency", "urgency_told"):
        op.add_column("lifecycles", sa.Column(name, sa.Integer(), nullable=False, server_default=USUAL))
    op.create_index("ix_lifecycles_untold", "lifecycles", ["contract"], sqlite_where=UNTOLD, postgresql_where=UNTOLD)


def downgrade() -> None:
    op.drop_index("ix_lifecycles_untold", "lifecycles")
    with op.batch_alter_table("lifecycles") as lifecycles:
        for name in ("urgency", "urgency_told"):
            lifecycles.drop_column(name)
