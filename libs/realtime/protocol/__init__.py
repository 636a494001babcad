"""The messages of the Centrifugo client protocol, in no encoding yet.

A frame carries commands to the server, or replies and pushes to the client; a codec (`libs.realtime.json_codec`,
`libs.realtime.protobuf_codec`) turns one into the other. Field names are the protocol's own. ``bytes`` fields hold an
application's payload: JSON that is passed on as it came. A field with its zero value is left out, unless its class
names it in ``ALWAYS``.
"""

from libs.realtime.protocol.codec import (
    Codec,
    Malformed,
)
from libs.realtime.protocol.replies import (
    ClientInfo,
    ConnectResult,
    HistoryResult,
    Join,
    Leave,
    PresenceResult,
    PresenceStatsResult,
    Publication,
    PublishResult,
    Push,
    RefreshResult,
    Result,
    RpcResult,
    SubRefreshResult,
    SubscribeResult,
    UnsubscribeResult,
)
from libs.realtime.protocol.requests import (
    Command,
    ConnectRequest,
    HistoryRequest,
    PingRequest,
    Position,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    Request,
    RpcRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)

__all__ = [
    "ClientInfo",
    "Codec",
    "Command",
    "ConnectRequest",
    "ConnectResult",
    "HistoryRequest",
    "HistoryResult",
    "Join",
    "Leave",
    "Malformed",
    "PingRequest",
    "Position",
    "PresenceRequest",
    "PresenceResult",
    "PresenceStatsRequest",
    "PresenceStatsResult",
    "Publication",
    "PublishRequest",
    "PublishResult",
    "Push",
    "RefreshRequest",
    "RefreshResult",
    "Request",
    "Result",
    "RpcRequest",
    "RpcResult",
    "SendRequest",
    "SubRefreshRequest",
    "SubRefreshResult",
    "SubscribeRequest",
    "SubscribeResult",
    "UnsubscribeRequest",
    "UnsubscribeResult",
]
