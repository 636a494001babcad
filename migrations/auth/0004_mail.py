"""Requests that are confirmed with a code from a letter, and letters that wait for the mail server."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0004"
down_revision = "auth_0003"
branch_labels = None
depends_on = None

SCHEMA = "auth"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make both tables."""
    _mail_requests()
    _letters()


def _mail_requests() -> None:
    op.create_table(
        "mail_requests",
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("account_id", sa.Uuid),
        sa.Column("address", sa.LargeBinary, nullable=False),
        sa.Column("code", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("closed_at", TIME),
        sa.CheckConstraint(
            "purpose IN ('register', 'verify', 'reset', 'code', 'change')", name="ck_mail_requests_purpose"
        ),
        sa.PrimaryKeyConstraint("hash", name="pk_mail_requests"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_mail_requests_open",
        "mail_requests",
        ["account_id"],
        schema=SCHEMA,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_mail_requests_expires_at", "mail_requests", ["expires_at"], schema=SCHEMA)


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account_id", sa.Uuid),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("not_before", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
        schema=SCHEMA,
    )
    op.create_index("ix_letters_not_before", "letters", ["not_before"], schema=SCHEMA)
