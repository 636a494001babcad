"""What a client is told: results of its commands, and pushes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from libs.realtime.codes import Disconnect, Unsubscribe


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """One client in a channel: who, on which connection, and what its tokens say about it."""

    user: str
    client: str
    conn_info: bytes = b""
    chan_info: bytes = b""

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"user", "client"})


@dataclass(frozen=True, slots=True)
class Publication:
    """Something said in a channel, with its place in the log."""

    data: bytes
    info: ClientInfo | None = None
    offset: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    delta: bool = False


@dataclass(frozen=True, slots=True)
class SubscribeResult:
    """The client hears the channel from now on; ``publications`` are what it had missed."""

    expires: bool = False
    ttl: int = 0
    recoverable: bool = False
    epoch: str = ""
    publications: Sequence[Publication] = ()
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    data: bytes = b""
    was_recovering: bool = False
    delta: bool = False


@dataclass(frozen=True, slots=True)
class ConnectResult:
    """The client is known; ``ping`` in seconds, ``ttl`` in seconds until the token wants a refresh."""

    client: str
    version: str = ""
    expires: bool = False
    ttl: int = 0
    data: bytes = b""
    subs: Mapping[str, SubscribeResult] = field(default_factory=dict)
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """The connection lives on; ``ttl`` in seconds."""

    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class SubRefreshResult:
    """The subscription lives on; ``ttl`` in seconds."""

    expires: bool = False
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class UnsubscribeResult:
    """The client no longer hears the channel."""


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The log has the publication."""


@dataclass(frozen=True, slots=True)
class PresenceResult:
    """The clients of a channel, by connection."""

    presence: Mapping[str, ClientInfo] = field(default_factory=dict)

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"presence"})


@dataclass(frozen=True, slots=True)
class PresenceStatsResult:
    """The connections of a channel, and the accounts behind them."""

    num_clients: int = 0
    num_users: int = 0

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"num_clients", "num_users"})


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """What was said, and how far the log goes."""

    publications: Sequence[Publication] = ()
    epoch: str = ""
    offset: int = 0

    ALWAYS: ClassVar[frozenset[str]] = frozenset({"publications", "epoch", "offset"})


@dataclass(frozen=True, slots=True)
class RpcResult:
    """What the operation answered."""

    data: bytes = b""


Result: TypeAlias = (
    ConnectResult
    | SubscribeResult
    | UnsubscribeResult
    | PublishResult
    | PresenceResult
    | PresenceStatsResult
    | HistoryResult
    | RpcResult
    | RefreshResult
    | SubRefreshResult
)


@dataclass(frozen=True, slots=True)
class Join:
    """A client came into the channel."""

    info: ClientInfo


@dataclass(frozen=True, slots=True)
class Leave:
    """A client left the channel."""

    info: ClientInfo


Push: TypeAlias = Publication | Join | Leave | Unsubscribe | Disconnect
