"""The exchange of a refresh token: one statement, and what its rows and those of a spent token tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, func, insert, select, update

from libs.auth.families import PresentedToken
from libs.auth.orm import ACCOUNTS, REFRESH_TOKENS, SESSIONS
from libs.auth.repository.accounts import ACTIVE
from libs.auth.repository.role_rows import roles_of
from libs.auth.tokens import LiveSession

_session = SESSIONS.c
_token = REFRESH_TOKENS.c


@dataclass(frozen=True, slots=True)
class Rotation:
    """One exchange of a refresh token: hashes, the sealed successor, and until when that one waits for its use."""

    presented: bytes
    successor: bytes
    sealed: bytes
    now: datetime
    idle_until: datetime


@dataclass(frozen=True, slots=True)
class Rotated:
    """The session, and until when its new live token waits for its use."""

    session: LiveSession
    expires_at: datetime


def _rotation() -> Select[*tuple[Any, ...]]:
    """Exchange the live token of a session in one statement.

    The session's row is locked first, as everything that ends sessions does; so a session that ends is not refreshed
    a moment later, and of two requests with the same token one finds it spent.
    """
    session = (
        update(SESSIONS)
        .where(
            _token.hash == bindparam("presented"),
            _token.used_at.is_(None),
            _token.expires_at > bindparam("now"),
            _session.id == _token.session_id,
            _session.ended_at.is_(None),
            _session.expires_at > bindparam("now"),
            ACCOUNTS.c.id == _session.account_id,
            ACCOUNTS.c.status == ACTIVE,
        )
        .values(last_seen_at=bindparam("now"), ip=bindparam("ip"), user_agent=bindparam("user_agent"))
        .returning(*SESSIONS.c)
        .cte("session")
    )
    spent = (
        update(REFRESH_TOKENS)
        .where(
            _token.hash == bindparam("presented"),
            _token.used_at.is_(None),
            _token.session_id == session.c.id,
        )
        .values(used_at=bindparam("now"), rotated_at=bindparam("now"), successor=bindparam("sealed"))
        .returning(_token.session_id, _token.hash)
        .cte("spent")
    )
    born = (
        insert(REFRESH_TOKENS)
        .from_select(
            ["hash", "session_id", "parent", "issued_at", "expires_at"],
            select(
                bindparam("successor", type_=_token.hash.type),
                session.c.id,
                spent.c.hash,
                bindparam("now", type_=_token.issued_at.type),
                func.least(bindparam("idle_until", type_=_token.expires_at.type), session.c.expires_at),
            ).join_from(session, spent, spent.c.session_id == session.c.id),
        )
        .returning(_token.session_id, _token.expires_at)
        .cte("born")
    )
    return select(
        session, born.c.expires_at.label("token_expires_at"), roles_of(session.c.account_id)
    ).join_from(session, born, born.c.session_id == session.c.id)


ROTATE = _rotation()


def live_session(row: Row[Any]) -> LiveSession:
    """The session that a row tells of."""
    return LiveSession(
        row.id, row.account_id, row.authenticated_at, tuple(row.methods), tuple(row.roles), row.expires_at
    )


def presented_token(row: Row[Any]) -> PresentedToken:
    """The token and its surroundings that a row tells of."""
    return PresentedToken(
        session=live_session(row),
        open=row.open,
        expires_at=row.token_expires_at,
        used_at=row.used_at,
        rotated_at=row.rotated_at,
        successor=row.successor,
        parent_of_live=row.parent_of_live,
        live_expires_at=row.live_expires_at,
    )
