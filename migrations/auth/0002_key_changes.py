"""Signing keys that were told to sign at a later moment, and such as were revoked."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None

SCHEMA = "auth"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the two moments."""
    op.add_column("signing_keys", sa.Column("signs_from", TIME), schema=SCHEMA)
    op.add_column("signing_keys", sa.Column("revoked_at", TIME), schema=SCHEMA)
