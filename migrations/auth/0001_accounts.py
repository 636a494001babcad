"""Accounts, their sessions, the keys of their tokens, what happened to them, and the messages about it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "auth_0001"
down_revision = None
branch_labels = ("auth",)
depends_on = None

SCHEMA = "auth"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make every table of the schema."""
    _accounts()
    _credentials()
    _sessions()
    _refresh_tokens()
    _signing_keys()
    _audit_log()
    _outbox()
    _inbox()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("username", sa.Text),
        sa.Column("status", sa.Text, nullable=False, server_default="active"),
        sa.Column("email_verified_at", TIME),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name="ck_accounts_status"),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("email_key", name="uq_accounts_email_key"),
        sa.UniqueConstraint("username", name="uq_accounts_username"),
        schema=SCHEMA,
    )


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid, nullable=False),
        _owner("account_id", "accounts", "fk_credentials_account_id"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        schema=SCHEMA,
    )
    _index("ix_credentials_account_id", "credentials", "account_id")
    _unique_index("uq_credentials_password", "credentials", "account_id", where="kind = 'password'")


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        _owner("account_id", "accounts", "fk_sessions_account_id"),
        sa.Column("authenticated_at", TIME, nullable=False),
        sa.Column("methods", ARRAY(sa.Text), nullable=False),
        sa.Column("scope", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("end_reason", sa.Text),
        sa.Column("ip", sa.Text, nullable=False, server_default=""),
        sa.Column("user_agent", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        schema=SCHEMA,
    )
    _index("ix_sessions_account_id", "sessions", "account_id")
    _index("ix_sessions_ended_at", "sessions", "ended_at", where="ended_at IS NOT NULL")
    _index("ix_sessions_expires_at", "sessions", "expires_at")


def _refresh_tokens() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary, nullable=False),
        _owner("session_id", "sessions", "fk_refresh_tokens_session_id"),
        sa.Column("parent", sa.LargeBinary),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("rotated_at", TIME),
        sa.Column("successor", sa.LargeBinary),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_tokens"),
        schema=SCHEMA,
    )
    _unique_index("uq_refresh_tokens_live", "refresh_tokens", "session_id", where="used_at IS NULL")
    _index("ix_refresh_tokens_session_id", "refresh_tokens", "session_id")
    _index("ix_refresh_tokens_expires_at", "refresh_tokens", "expires_at")
    _index("ix_refresh_tokens_sealed", "refresh_tokens", "rotated_at", where="successor IS NOT NULL")


def _signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("public_jwk", JSONB, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("activated_at", TIME),
        sa.Column("retired_at", TIME),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        schema=SCHEMA,
    )
    one = sa.text("(true)")
    signing = "activated_at IS NOT NULL AND retired_at IS NULL"
    following = "activated_at IS NULL AND retired_at IS NULL"
    _unique_index("uq_signing_keys_current", "signing_keys", one, where=signing)
    _unique_index("uq_signing_keys_next", "signing_keys", one, where=following)


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("at", TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("account_id", sa.Uuid),
        sa.Column("session_id", sa.Uuid),
        sa.Column("ip", sa.Text, nullable=False, server_default=""),
        sa.Column("user_agent", sa.Text, nullable=False, server_default=""),
        sa.Column("details", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
        schema=SCHEMA,
    )
    _index("ix_audit_log_account_id", "audit_log", "account_id", "id")
    _index("ix_audit_log_at", "audit_log", "at")


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("channel", sa.Text, nullable=False, server_default=""),
        sa.Column("mandatory", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("traceparent", sa.Text, nullable=False, server_default=""),
        sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("origin", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", TIME, nullable=False, server_default=sa.func.now()),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", TIME),
        sa.Column("sent_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        schema=SCHEMA,
    )
    _index("ix_outbox_unsent", "outbox", "urgent", "id", where="sent_at IS NULL")
    _index("ix_outbox_sent", "outbox", "sent_at", where="sent_at IS NOT NULL")


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("listener", sa.Text, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("received_at", TIME, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("listener", "message_id", name="pk_inbox"),
        schema=SCHEMA,
    )
    _index("ix_inbox_received_at", "inbox", "received_at")


def _owner(column: str, table: str, name: str) -> sa.Column[object]:
    """A reference whose row goes when its owner goes."""
    owner = sa.ForeignKey(f"{SCHEMA}.{table}.id", name=name, ondelete="CASCADE")
    return sa.Column(column, sa.Uuid, owner, nullable=False)


def _index(name: str, table: str, *columns: str, where: str = "") -> None:
    op.create_index(
        name, table, list(columns), schema=SCHEMA, postgresql_where=sa.text(where) if where else None
    )


def _unique_index(name: str, table: str, column: str | sa.TextClause, *, where: str) -> None:
    op.create_index(name, table, [column], unique=True, schema=SCHEMA, postgresql_where=sa.text(where))
