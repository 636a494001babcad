"""Callers: who asks and from where, in a form that can be looked up and stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from libs.domain.auth import Forbidden, TokenInvalid
from libs.messaging import Caller

_MAX_IP = 64
_MAX_USER_AGENT = 256
_MAX_ID = 64
_CREDENTIALS = {"account": "actor_session", "api_key": "actor_api_key", "service": "actor_secret"}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose token the gateway believed."""

    account_id: UUID
    session_id: UUID

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """The identity of this caller; raises `TokenInvalid` for an anonymous one, `Forbidden` for a program's."""
        if caller.identity is None:
            raise TokenInvalid
        if caller.identity.kind != "account":
            raise Forbidden("this is for people who have signed in, not for their programs")
        try:
            return cls(UUID(caller.identity.sub), UUID(caller.identity.sid))
        except ValueError as error:
            raise TokenInvalid from error


def account_of(caller: Caller) -> UUID:
    """Whose account this is, also where the caller is a program with an API key; raises `TokenInvalid` or `Forbidden`."""
    identity = caller.identity
    if identity is None or identity.kind != "api_key":
        return SignedIn.of(caller).account_id
    return UUID(identity.sub)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who was signed in and by what, and address and user agent as the gateway saw them; empty where it is not known."""

    ip: str = ""
    user_agent: str = ""
    actor_id: UUID | None = None
    credential: tuple[str, str] | None = None
    """By what: `actor_session`, `actor_api_key` or `actor_secret`, and its id."""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """The origin of this caller."""
        client = caller.client
        return cls(
            _storable(client.ip, _MAX_IP),
            _storable(client.user_agent, _MAX_USER_AGENT),
            _actor(caller),
            _credential(caller),
        )


def _actor(caller: Caller) -> UUID | None:
    try:
        return UUID(caller.identity.sub) if caller.identity else None
    except ValueError:
        return None


def _credential(caller: Caller) -> tuple[str, str] | None:
    if caller.identity is None or not caller.identity.sid:
        return None
    return _CREDENTIALS[caller.identity.kind], _storable(caller.identity.sid, _MAX_ID)


def _storable(text: str, limit: int) -> str:
    """At most ``limit`` characters, a `?` for each that PostgreSQL cannot hold or that a terminal would obey."""
    kept = text[:limit]
    return kept if kept.isprintable() else "".join(one if one.isprintable() else "?" for one in kept)
