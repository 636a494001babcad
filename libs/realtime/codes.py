"""Every code a client may be told, as the Centrifugo client protocol numbers them.

Errors answer one command (0 to 399 are the protocol's, 400 to 1999 an application's). An unsubscribe code below 2500 ends a
subscription for good, from 2500 on the client subscribes again. After a disconnect the client comes back by itself for
3000 to 3499 and 4000 to 4499; 3500 to 3999 and 4500 to 4999 end it for good. A reason is never empty: with an empty one
centrifuge-js takes a terminal code for a lost connection and comes back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Error:
    """The answer to a command that cannot be done; a ``temporary`` one is worth another try."""

    code: int
    message: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Why the server ended a subscription."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Why the server closed a connection; ``reason`` is ASCII and fits a Close frame (RFC 6455, section 5.5.1)."""

    code: int
    reason: str


class Refused(Exception):
    """A command is answered with an error."""

    def __init__(self, error: Error) -> None:
        self.error = error
        super().__init__(error.message)


class Disconnected(Exception):
    """A command costs the client its connection."""

    def __init__(self, disconnect: Disconnect) -> None:
        self.disconnect = disconnect
        super().__init__(disconnect.reason)


INTERNAL = Error(100, "internal server error", temporary=True)
UNKNOWN_CHANNEL = Error(102, "unknown channel")
PERMISSION_DENIED = Error(103, "permission denied")
METHOD_NOT_FOUND = Error(104, "method not found")
ALREADY_SUBSCRIBED = Error(105, "already subscribed")
LIMIT_EXCEEDED = Error(106, "limit exceeded")
BAD_REQUEST = Error(107, "bad request")
NOT_AVAILABLE = Error(108, "not available")
TOKEN_EXPIRED = Error(109, "token expired")
TIME_OVER = Error(110, "expired")
TOO_MANY_REQUESTS = Error(111, "too many requests", temporary=True)
UNRECOVERABLE_POSITION = Error(112, "unrecoverable position")

UNSUBSCRIBED_INSUFFICIENT = Unsubscribe(2500, "insufficient state")
UNSUBSCRIBED_EXPIRED = Unsubscribe(2501, "subscription expired")

TOO_LARGE = Disconnect(1009, "message too big")  # RFC 6455, section 7.4.1
SHUTDOWN = Disconnect(3001, "shutdown")
EXPIRED = Disconnect(3005, "connection expired")
SUBSCRIPTION_EXPIRED = Disconnect(3006, "subscription expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
NO_PONG = Disconnect(3012, "no pong")
TOO_MANY_COMMANDS = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
SESSION_ENDED = Disconnect(3500, "session ended")
BAD_COMMAND = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
FORCED = Disconnect(3503, "force disconnect")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")
CHANNEL_LIMIT = Disconnect(3505, "channel limit")
FORBIDDEN = Disconnect(3507, "permission denied")
NO_SUCH_HANDLER = Disconnect(3508, "not available")
