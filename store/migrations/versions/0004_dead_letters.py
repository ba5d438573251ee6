"""Dead letters by source and type, so that a later event finds those that it makes moot"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    op.create_index(
        "ix_inbox_dead", "inbox", ["source", "type"], unique=False, sqlite_where=DEAD, postgresql_where=DEAD
    )


def downgrade() -> None:
    op.drop_index("ix_inbox_dead", "inbox")
