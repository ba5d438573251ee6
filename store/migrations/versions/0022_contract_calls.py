"""How many calls were made for each contract"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contract_calls",
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contract", "connection"),
    )


def downgrade() -> None:
    op.drop_table("contract_calls")
