"""Accounts that were deleted, and who did what the audit log tells of."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0003"
down_revision = "auth_0002"
branch_labels = None
depends_on = None

SCHEMA = "auth"


def upgrade() -> None:
    """Let a deleted account stay, empty, for as long as its sessions must be refused."""
    op.drop_constraint("ck_accounts_status", "accounts", schema=SCHEMA)
    op.create_check_constraint(
        "ck_accounts_status", "accounts", "status IN ('active', 'disabled', 'deleted')", schema=SCHEMA
    )
    op.create_index(
        "ix_accounts_deleted",
        "accounts",
        ["updated_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("status = 'deleted'"),
    )
    op.add_column("audit_log", sa.Column("actor_id", sa.Uuid), schema=SCHEMA)
