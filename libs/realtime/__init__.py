"""Realtime: RabbitMQ events at the client, by the Centrifugo client protocol."""

from libs.realtime.doors import PATHS as DOOR_PATHS
from libs.realtime.memory_log import MemoryLog, MemoryStream
from libs.realtime.ports import Log, Presence, Present, Verified, Verify
from libs.realtime.presence import RedisPresence
from libs.realtime.realtime import Realtime
from libs.realtime.server_api import PATHS as SERVER_API_PATHS
from libs.realtime.settings import Namespace, RealtimeSettings
from libs.realtime.stream_log import StreamLog
from libs.realtime.transport import RealtimeProtocol

__all__ = [
    "DOOR_PATHS",
    "SERVER_API_PATHS",
    "Log",
    "MemoryLog",
    "MemoryStream",
    "Namespace",
    "Presence",
    "Present",
    "Realtime",
    "RealtimeProtocol",
    "RealtimeSettings",
    "RedisPresence",
    "StreamLog",
    "Verified",
    "Verify",
]
