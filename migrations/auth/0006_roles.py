"""The roles of accounts, from which the scopes of tokens come; a session keeps none of its own."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0006"
down_revision = "auth_0005"
branch_labels = None
depends_on = None

SCHEMA = "auth"


def upgrade() -> None:
    """Make the table, and drop the column that nothing fills."""
    op.create_table(
        "account_roles",
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            [f"{SCHEMA}.accounts.id"],
            name="fk_account_roles_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "role", name="pk_account_roles"),
        schema=SCHEMA,
    )
    op.create_index("ix_account_roles_role", "account_roles", ["role"], schema=SCHEMA)
    op.drop_column("sessions", "scope", schema=SCHEMA)
