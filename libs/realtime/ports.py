"""What a realtime node needs from outside: ports, with their promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.messaging import Caller, Identity
from libs.realtime.feed import Event, Feed, Movement
from libs.realtime.protocol import ClientInfo


class Verified(Protocol):
    """What a valid access token said."""

    @property
    def identity(self) -> Identity:
        """Whom it named."""

    @property
    def expires(self) -> int:
        """Until when it holds (Unix seconds)."""

    @property
    def key(self) -> str:
        """The key that signed it; nothing where it is no signed token."""


class Verify(Protocol):
    """Checks access tokens, as the gateway does for HTTP."""

    async def __call__(self, token: str) -> Verified:
        """Whom the token names; that its session was not revoked is checked last, with nothing awaited after it.

        Raises an `AppError`: `TokenExpired`, another one with status 401 for a token that is no good, any other when it
        cannot be told now.
        """


class Rpc(Protocol):
    """Calls operations for clients."""

    async def __call__(self, method: str, data: bytes, caller: Caller) -> bytes:
        """The reply's JSON; raises `Refused` for what is not open to clients, `AppError` for what the service refuses."""


class Log(Protocol):
    """The log of client-facing events, one for all processes."""

    async def start(self, feed: Feed) -> None:
        """Read into ``feed`` from the tail on; returns once everything that lay in the log was read."""

    async def append(self, content: Event | Movement) -> None:
        """Store an event, or that a client came or went; returns once it is there for good. Raises `AppError` where that cannot be told in time."""

    async def check(self) -> None:
        """Raises where the log is not being read."""

    async def stop(self) -> None:
        """Read no more, and close the connections; harmless when repeated."""


@dataclass(frozen=True, slots=True)
class Present:
    """One client in one channel."""

    channel: str
    info: ClientInfo


class Presence(Protocol):
    """Who is in which channel, over all processes; an entry that is not renewed expires by itself.

    Every method raises `Unavailable` when the store is away.
    """

    async def write(self, *, present: Sequence[Present] = (), gone: Sequence[Present] = ()) -> None:
        """Enter clients into channels, or keep them there for another while, and take out who is gone; nobody is in both."""

    async def clients(self, channel: str) -> Mapping[str, ClientInfo]:
        """Who is in the channel, by connection."""
