"""What a portfolio counts is counted in indexes"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COUNTED = ("attention", "risk", "standing", "mode")


def upgrade() -> None:
    for column in COUNTED:
        op.create_index(f"ix_board_{column}", "board", [column, "stage"], unique=False)
    op.create_index("ix_board_renewal", "board", ["renewal_date", "stage"], unique=False)
    op.create_index("ix_board_selling_entity", "board", ["selling_entity"], unique=False)
    op.drop_index("ix_board_renewal_date", "board")


def downgrade() -> None:
    op.create_index("ix_board_renewal_date", "board", ["renewal_date"], unique=False)
    op.drop_index("ix_board_selling_entity", "board")
    op.drop_index("ix_board_renewal", "board")
    for column in COUNTED:
        op.drop_index(f"ix_board_{column}", "board")
