"""Addresses whose domain is written in Unicode are known by its ASCII form, as those that are typed so."""

import idna
import sqlalchemy as sa
from alembic import op

revision = "auth_0008"
down_revision = "auth_0007"
branch_labels = None
depends_on = None

ACCOUNTS = sa.table("accounts", sa.column("id", sa.Uuid), sa.column("email_key", sa.Text), schema="auth")


def upgrade() -> None:
    """Rewrite the keys that are not ASCII; stops at two accounts of one address, between which only people can decide."""
    connection, key = op.get_bind(), ACCOUNTS.c.email_key
    beyond_ascii = sa.func.octet_length(key) != sa.func.char_length(key)
    for account_id, known_so_far in connection.execute(
        sa.select(ACCOUNTS.c.id, key).where(beyond_ascii)
    ).all():
        known_as = _ascii(known_so_far)
        other = connection.scalar(sa.select(ACCOUNTS.c.id).where(key == known_as))
        if other not in {None, account_id}:
            raise RuntimeError(
                f"accounts {account_id} and {other} have one address, in Unicode and in ASCII:"
                " delete one of them or change its address, and migrate again"
            )
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(email_key=known_as))


def _ascii(key: str) -> str:
    local, _, domain = key.rpartition("@")
    if domain.isascii():
        return key
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return key
