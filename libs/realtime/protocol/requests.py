"""What a client asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: its incarnation, and how far a client has read."""

    offset: int = 0
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """A client wants to hear a channel, from ``offset`` on where it asks to recover."""

    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    data: bytes = b""
    delta: str = ""
    tf: object = None
    flag: int = 0
    type: int = 0

    REJECT_UNRECOVERED: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The first command of a connection; ``subs`` says how far the server-side subscriptions were read."""

    token: str = ""
    subs: Mapping[str, SubscribeRequest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A newer token for the connection."""

    token: str = ""


@dataclass(frozen=True, slots=True)
class SubRefreshRequest:
    """A newer token for one subscription."""

    channel: str = ""
    token: str = ""
    type: int = 0


@dataclass(frozen=True, slots=True)
class UnsubscribeRequest:
    """A client no longer wants to hear a channel."""

    channel: str = ""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """A client tells something to a channel."""

    channel: str = ""
    data: bytes = b""
    type: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class PresenceRequest:
    """A client asks who is in the channel."""

    channel: str = ""


@dataclass(frozen=True, slots=True)
class PresenceStatsRequest:
    """A client asks how many are in the channel."""

    channel: str = ""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """What was said: ``limit`` 0 asks for the position only, -1 for all that may be asked."""

    channel: str = ""
    limit: int = 0
    since: Position | None = None
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class RpcRequest:
    """A call of an operation."""

    data: bytes = b""
    method: str = ""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A message that wants no answer."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class PingRequest:
    """A client's ping, which the protocol numbers and nobody sends."""


Request: TypeAlias = (
    ConnectRequest
    | SubscribeRequest
    | UnsubscribeRequest
    | PublishRequest
    | PresenceRequest
    | PresenceStatsRequest
    | HistoryRequest
    | PingRequest
    | SendRequest
    | RpcRequest
    | RefreshRequest
    | SubRefreshRequest
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: ``id`` is echoed in its reply; without one it is a send, or the answer to a ping."""

    id: int = 0
    request: Request | None = None
