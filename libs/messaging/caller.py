"""On whose behalf a call is made: what a handler knows about its caller, and what a nested call passes on."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic_core import from_json

from libs.messaging.deadline import Deadline

_MAX_HEADER = 2048  # characters of an `identity` or `client` header that are read
_REMEMBERED = 4096  # headers whose reading is kept: a client that calls again sends the same ones


Subject: TypeAlias = Literal["account", "api_key", "service"]
_KINDS = ("account", "api_key", "service")


@dataclass(frozen=True)
class Identity:
    """Who a valid access token named: account (``sub``), session (``sid``), scopes (space-separated, RFC 6749).

    ``kind`` says who that is: a person who signed in (``account``), such a person's program with an API key (``api_key``,
    whose id is the ``sid``), or a program of its own (``service``).
    """

    sub: str
    sid: str
    scope: str = ""
    kind: Subject = "account"

    @property
    def scopes(self) -> frozenset[str]:
        """The granted scopes."""
        return frozenset(self.scope.split())

    @cached_property
    def header(self) -> str:
        """The `identity` header's JSON."""
        said = {"sub": self.sub, "sid": self.sid, "scope": self.scope}
        if self.kind != "account":
            said["kind"] = self.kind
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_header(cls, header: Any) -> Identity | None:
        """The identity that a trusted caller sent, or None."""
        return _read_identity(header) if isinstance(header, str) else None


@dataclass(frozen=True)
class Client:
    """From where a request came: address, user agent and `Accept-Language` as the gateway saw them."""

    ip: str = ""
    user_agent: str = ""
    language: str = ""

    @cached_property
    def header(self) -> str:
        """The `client` header's JSON."""
        seen = {"ip": self.ip, "user_agent": self.user_agent}
        if self.language:
            seen["language"] = self.language
        return json.dumps(seen, separators=(",", ":"))

    @classmethod
    def from_header(cls, header: Any) -> Client:
        """The client that a trusted caller sent; empty where there is none."""
        return _read_client(header) if isinstance(header, str) else cls()


def _read(header: str) -> dict[str, Any]:
    """The JSON object in a header; empty where there is none that can be read."""
    if len(header) > _MAX_HEADER:
        return {}
    try:
        found = from_json(header)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=_REMEMBERED)
def _read_identity(header: str) -> Identity | None:
    found = _read(header)
    sub, sid, granted = found.get("sub"), found.get("sid"), found.get("scope", "")
    kind = found.get("kind", "account")
    if isinstance(sub, str) and sub and isinstance(sid, str) and isinstance(granted, str) and kind in _KINDS:
        return Identity(sub, sid, granted, kind)
    return None


@lru_cache(maxsize=_REMEMBERED)
def _read_client(header: str) -> Client:
    found = _read(header)
    seen = (found.get(name) for name in ("ip", "user_agent", "language"))
    return Client(*(one if isinstance(one, str) else "" for one in seen))


class Caller(NamedTuple):
    """What is known of a request's origin, and how long its caller still waits."""

    identity: Identity | None = None
    client: Client = Client()
    deadline: Deadline | None = None
    traceparent: str = ""
    """W3C Trace Context, section 3.2."""
    request_id: str = ""
    """The request's `message_id`; the gateway's request id for what came over HTTP."""

    def within(self, seconds: float) -> Caller:
        """The same caller, who waits for ``seconds`` at the most."""
        deadline = Deadline.after(seconds) if self.deadline is None else self.deadline.within(seconds)
        return self._replace(deadline=deadline)


ANONYMOUS = Caller()

_current: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)


def current_caller() -> Caller:
    """The caller on whose behalf this task runs; `ANONYMOUS` outside of any request."""
    return _current.get()


class _Acting:
    """What `acting_for` gives; a class, since a generator costs a request twice as much."""

    __slots__ = ("_caller", "_token")

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __enter__(self) -> None:
        self._token = _current.set(self._caller)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def acting_for(caller: Caller) -> AbstractContextManager[None]:
    """Run the block on behalf of ``caller``: calls made in it carry its identity, trace and deadline."""
    return _Acting(caller)
