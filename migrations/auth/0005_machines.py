"""Service accounts with their secrets, and API keys."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0005"
down_revision = "auth_0004"
branch_labels = None
depends_on = None

SCHEMA = "auth"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    _service_accounts()
    _client_secrets()
    _api_keys()


def _service_accounts() -> None:
    op.create_table(
        "service_accounts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("disabled_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_service_accounts"),
        sa.UniqueConstraint("name", name="uq_service_accounts_name"),
        schema=SCHEMA,
    )


def _client_secrets() -> None:
    op.create_table(
        "client_secrets",
        sa.Column("id", sa.Uuid, nullable=False),
        _owner("service_account_id", "service_accounts", "fk_client_secrets_service_account_id"),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_client_secrets"),
        schema=SCHEMA,
    )
    _index("client_secrets", "service_account_id")
    _index("client_secrets", "revoked_at", where="revoked_at IS NOT NULL")


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid, nullable=False),
        _owner("account_id", "accounts", "fk_api_keys_account_id"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        schema=SCHEMA,
    )
    _index("api_keys", "account_id")
    _index("api_keys", "expires_at")
    _index("api_keys", "revoked_at", where="revoked_at IS NOT NULL")


def _owner(column: str, table: str, name: str) -> sa.Column[object]:
    """A reference whose row goes when its owner goes."""
    owner = sa.ForeignKey(f"{SCHEMA}.{table}.id", name=name, ondelete="CASCADE")
    return sa.Column(column, sa.Uuid, owner, nullable=False)


def _index(table: str, column: str, *, where: str = "") -> None:
    op.create_index(
        f"ix_{table}_{column}",
        table,
        [column],
        schema=SCHEMA,
        postgresql_where=sa.text(where) if where else None,
    )
