"""The start of a session after a password was checked: one statement, as there are many of them at the worst moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, FromClause, Select, Table, and_, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.auth.callers import Origin
from libs.auth.orm import ACCOUNTS, AUDIT_LOG, CREDENTIALS, OUTBOX, REFRESH_TOKENS, SESSIONS
from libs.auth.repository.accounts import ACTIVE, PASSWORD, Login
from libs.auth.repository.audit import Happened, audited
from libs.auth.repository.sessions import session_row, token_row
from libs.auth.tokens import LiveSession
from libs.outbox import Outbox

_SESSION = (
    "id",
    "account_id",
    "authenticated_at",
    "methods",
    "created_at",
    "last_seen_at",
    "expires_at",
    "ip",
    "user_agent",
)
_TOKEN = ("hash", "session_id", "issued_at", "expires_at")
_AUDITED = ("id", "at", "event", "account_id", "actor_id", "session_id", "ip", "user_agent", "details")
_TOLD = ("id", "name", "body", "channel", "mandatory", "traceparent", "urgent", "origin")


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that starts if its account is still as it was when ``login`` was read."""

    login: Login
    session: LiveSession
    origin: Origin
    token: bytes
    token_expires_at: datetime = field(kw_only=True)


def _opening() -> Select[Any]:
    """Session, first refresh token, audit row and event of an account that still is what it was, or nothing.

    The account's row is locked, as by everything that shuts an account or changes its password or its roles. Such a
    change, where the lock has waited for it, is seen: PostgreSQL looks at the conditions again on the new row
    (its documentation, section 13.2.1).
    """
    row, password = ACCOUNTS.c, CREDENTIALS.c
    account = (
        select(row.id)
        .join_from(ACCOUNTS, CREDENTIALS, and_(password.account_id == row.id, password.kind == PASSWORD))
        .where(
            row.id == bindparam("account_id"),
            row.status == ACTIVE,
            row.updated_at == bindparam("updated_at"),
            password.hash == bindparam("password_hash"),
        )
        .with_for_update(read=True)
        .cte("account")
    )
    return select(account.c.id).add_cte(
        _added(SESSIONS, _SESSION, account),
        _added(REFRESH_TOKENS, _TOKEN, account),
        _added(AUDIT_LOG, _AUDITED, account),
        _added(OUTBOX, _TOLD, account),
    )


def _added(table: Table, names: tuple[str, ...], where: FromClause) -> CTE:
    """One row of parameters, called `table.column`, if there is a row in ``where``."""
    values = select(*(bindparam(f"{table.name}.{name}", type_=table.c[name].type) for name in names))
    return insert(table).from_select(list(names), values.select_from(where)).cte(f"new_{table.name}")


_OPEN = _opening()


async def open_session(connection: AsyncConnection, outbox: Outbox, opening: Opening) -> bool:
    """Start it, and tell of it; False where the account has changed."""
    login, session, started = opening.login, opening.session, opening.session.authenticated_at
    entry, message = audited(
        Happened("session.started", session.account_id, session.id, opening.origin), at=started
    )
    rows = {
        SESSIONS.name: session_row(session, opening.origin),
        REFRESH_TOKENS.name: token_row(session, opening.token, opening.token_expires_at),
        AUDIT_LOG.name: entry,
        OUTBOX.name: outbox.row(message),
    }
    values = {f"{table}.{name}": value for table, row in rows.items() for name, value in row.items()}
    account = {
        "account_id": login.account_id,
        "updated_at": login.updated_at,
        "password_hash": login.hash,
    }
    opened = (await connection.execute(_OPEN, {**account, **values})).first() is not None
    if opened:
        await outbox.added(connection)
    return opened
