"""The messages of the Centrifugo client protocol, in no encoding yet.

A frame carries commands to the server, or replies and pushes to the client; a codec (`libs.realtime.json_codec`,
`libs.realtime.protobuf_codec`) turns one into the other. Field names are the protocol's own. ``bytes`` fields hold an
application's payload: JSON that is passed on as it came. A field with its zero value is left out, unless its class
names it in ``ALWAYS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeAlias

from libs.realtime.codes import Disconnect, Error, Unsubscribe


class Malformed(Exception):
    """A frame that is not the protocol's."""


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
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: object = None
    flag: int = 0
    type: int = 0

    REJECT_UNRECOVERED: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The first command of a connection; ``subs`` says how far the server-side subscriptions were read."""

    token: str = ""
    data: bytes = b""
    subs: Mapping[str, SubscribeRequest] = field(default_factory=dict)
    name: str = ""
    version: str = ""


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


class Codec(Protocol):
    """One encoding of the protocol. It does no I/O and keeps no state."""

    name: str
    """`json` or `protobuf`."""
    ping: bytes
    """The empty reply, with which the server pings."""

    def decode(self, frame: bytes) -> list[Command]:
        """The commands of a frame, in order; raises `Malformed`."""

    def reply(self, command_id: int, result: Result) -> bytes:
        """The answer to a command."""

    def refusal(self, command_id: int, error: Error) -> bytes:
        """The answer to a command that cannot be done."""

    def push(self, channel: str, push: Push) -> bytes:
        """What the server tells unasked."""

    def join(self, messages: Sequence[bytes]) -> bytes:
        """One frame of several messages."""

    def text(self, payload: bytes) -> bytes:
        """A payload as this encoding carries it where differences may stand in its place."""
