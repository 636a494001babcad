"""Tokens: what an access token says, and the secrets that refresh it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from libs.auth.sealing import Sealer, derived_key
from libs.auth.settings import SessionSettings
from libs.domain.auth import Claims
from libs.infra.clock import Clock
from libs.infra.jwt import SigningKey, TokenSettings
from libs.messaging import new_message_id

CLIENT_ID = "gatehouse"
"""Clients that sign in with a password are the product's own (RFC 9068 asks for a `client_id`)."""
_REFRESH_BYTES = 32
_SUCCESSOR = b"gatehouse refresh successor"
_COMPANION = b"gatehouse access token"


@dataclass(frozen=True, slots=True)
class LiveSession:
    """What a token must know of its session."""

    id: UUID
    account_id: UUID
    authenticated_at: datetime
    methods: tuple[str, ...]
    roles: tuple[str, ...]
    expires_at: datetime


def new_refresh_token() -> str:
    """256 random bits in base64url."""
    return secrets.token_urlsafe(_REFRESH_BYTES)


def digest(refresh_token: str) -> bytes:
    """What is stored of a refresh token: it is random enough for a plain SHA-256."""
    return sha256(refresh_token.encode()).digest()


def seal_successor(presented: str, successor: str) -> bytes:
    """``successor`` for whoever presents the same token again, and for nobody who only has the database."""
    key = derived_key(presented.encode(), _SUCCESSOR)
    return Sealer(key).seal(successor.encode(), bound_to=digest(presented))


def open_successor(presented: str, sealed: bytes) -> str:
    """The successor that was sealed under ``presented``; raises `SealBroken`."""
    key = derived_key(presented.encode(), _SUCCESSOR)
    return Sealer(key).open(sealed, bound_to=digest(presented)).decode()


class AccessTokens:
    """Makes access tokens; how long each lives is drawn by lot."""

    def __init__(self, tokens: TokenSettings, sessions: SessionSettings, clock: Clock) -> None:
        self._tokens = tokens
        self._seconds = sessions.access_seconds
        self._jitter = min(sessions.access_jitter, sessions.access_seconds // 2)
        self._clock = clock

    def issue(
        self,
        session: LiveSession,
        key: SigningKey,
        *,
        scope: str,
        refresh_token: str,
        at: datetime,
        extra: dict[str, Any] | None = None,
    ) -> tuple[str, int]:
        """A token of the session with these scopes and extra claims, and the seconds it still lives.

        It belongs to the ``refresh_token`` that was made with it at ``at``: whoever is given that one again gets the same
        pair, down to the last byte.
        """
        lot = sha256(_COMPANION + refresh_token.encode()).digest()
        now, issued = int(self._clock.now().timestamp()), int(at.timestamp())
        lives = self._seconds - int.from_bytes(lot[16:]) % (self._jitter + 1)
        if issued + lives <= now:
            issued = now
        expires = min(issued + lives, int(session.expires_at.timestamp()))
        claims = Claims(
            iss=self._tokens.issuer,
            aud=self._tokens.audience,
            sub=str(session.account_id),
            client_id=CLIENT_ID,
            sid=str(session.id),
            jti=lot[:16].hex(),
            iat=issued,
            exp=expires,
            scope=scope,
            auth_time=int(session.authenticated_at.timestamp()),
            amr=session.methods,
            ext=extra,
        )
        return key.sign(claims), expires - now

    def issue_to_service(
        self, service_account_id: UUID, secret_id: UUID, scope: str, key: SigningKey
    ) -> tuple[str, int]:
        """A token of a service account, which is its own client and subject (RFC 9068, section 2.2), and its seconds.

        It dies with the secret, as that of a person does with the session.
        """
        now = int(self._clock.now().timestamp())
        expires = now + self._seconds - secrets.randbelow(self._jitter + 1)
        claims = Claims(
            iss=self._tokens.issuer,
            aud=self._tokens.audience,
            sub=str(service_account_id),
            client_id=str(service_account_id),
            sid=str(secret_id),
            jti=new_message_id(),
            iat=now,
            exp=expires,
            scope=scope,
            auth_time=now,
            amr=(),
        )
        return key.sign(claims), expires - now
