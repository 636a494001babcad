"""What each message is called inside its envelope, in every encoding."""

from __future__ import annotations

from collections.abc import Mapping

from libs.realtime.codes import Disconnect, Unsubscribe
from libs.realtime.protocol import (
    ConnectRequest,
    ConnectResult,
    HistoryRequest,
    HistoryResult,
    Join,
    Leave,
    PingRequest,
    PresenceRequest,
    PresenceResult,
    PresenceStatsRequest,
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishResult,
    Push,
    RefreshRequest,
    RefreshResult,
    Request,
    Result,
    RpcRequest,
    RpcResult,
    SendRequest,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribeRequest,
    UnsubscribeResult,
)

REQUESTS: Mapping[str, type[Request]] = {
    "connect": ConnectRequest,
    "subscribe": SubscribeRequest,
    "unsubscribe": UnsubscribeRequest,
    "publish": PublishRequest,
    "presence": PresenceRequest,
    "presence_stats": PresenceStatsRequest,
    "history": HistoryRequest,
    "ping": PingRequest,
    "send": SendRequest,
    "rpc": RpcRequest,
    "refresh": RefreshRequest,
    "sub_refresh": SubRefreshRequest,
}
RESULTS: Mapping[type[Result], str] = {
    ConnectResult: "connect",
    SubscribeResult: "subscribe",
    UnsubscribeResult: "unsubscribe",
    PublishResult: "publish",
    PresenceResult: "presence",
    PresenceStatsResult: "presence_stats",
    HistoryResult: "history",
    RpcResult: "rpc",
    RefreshResult: "refresh",
    SubRefreshResult: "sub_refresh",
}
PUSHES: Mapping[type[Push], str] = {
    Publication: "pub",
    Join: "join",
    Leave: "leave",
    Unsubscribe: "unsubscribe",
    Disconnect: "disconnect",
}
