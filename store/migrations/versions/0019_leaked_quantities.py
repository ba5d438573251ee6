"""Of an under-billed line the quantity that the ERP had is kept"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("leaks", sa.Column("quantity", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("leaks", "quantity")
