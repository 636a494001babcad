"""One connection's side of the protocol, without I/O: the handshake, the close, the broker's alarms."""

import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol

from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import ConnectionClosed, ConnectionLost, ProtocolError, again
from libs.amqp.frames import PROTOCOL_HEADER
from libs.amqp.methods import ConnectionClass, decode_method, encode_method
from libs.amqp.outgoing import Outgoing
from libs.amqp.reader import FrameReader, Sink

logger = logging.getLogger(__name__)

_FRAME_MAX: Final = 131_072
"""RabbitMQ's own default, in bytes; brokers from 4.1 on refuse less than 8,192."""

_CHANNEL_MAX: Final = 2_047
_CAPABILITIES: Final = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "exchange_exchange_bindings": True,
    "publisher_confirms": True,
}


class Owner(Protocol):
    """Who is told how the connection fares."""

    def on_open(self) -> None:
        """The handshake is done."""

    def on_blocked(self, reason: str | None) -> None:
        """The broker takes no publications (a reason), or takes them again (None)."""

    def on_closed(self, error: ConnectionLost) -> None:
        """Nothing will be read or written any more."""


class ConnectionProtocol:
    """The state of one connection, from its first byte to its last."""

    def __init__(
        self, owner: Owner, endpoint: Endpoint, name: str, heartbeat: int, outgoing: Outgoing
    ) -> None:
        self.outgoing = outgoing
        self.frame_max = _FRAME_MAX
        self.channel_max = _CHANNEL_MAX
        self.heartbeat = heartbeat
        self.server_capabilities: Mapping[str, Any] = {}
        self.error: ConnectionLost | None = None
        self.is_open = False
        self._owner = owner
        self._endpoint = endpoint
        self._name = name
        self._channels: dict[int, ChannelProtocol] = {}
        self._sinks: dict[int, Sink] = {0: self}
        self._reader = FrameReader(self._sinks, _FRAME_MAX)
        self._greeted = False

    def begin(self) -> None:
        """Speak first, as a client does."""
        self.outgoing.write(PROTOCOL_HEADER)

    def receive(self, data: bytes) -> None:
        """Take what the broker has sent. Raises ProtocolError; then only `fail` makes sense."""
        if not self._greeted:
            self._greeted = True
            if data.startswith(b"AMQP"):
                raise ProtocolError(540, "the broker speaks another version of AMQP")
        self._reader.feed(data)

    def join(self, channel: ChannelProtocol) -> None:
        """Route a channel's frames to it. Raises ConnectionLost where the line is gone: nobody would tell the channel."""
        if self.error is not None:
            raise again(self.error)
        self._channels[channel.number] = self._sinks[channel.number] = channel

    def leave(self, channel: ChannelProtocol) -> None:
        """The channel is closed on both sides."""
        self._channels.pop(channel.number, None)
        self._sinks.pop(channel.number, None)

    def close(self, code: int = 200, text: str = "") -> None:
        """Say goodbye; `on_closed` follows when the broker has answered."""
        self.outgoing.write(encode_method(0, ConnectionClass.Close, reply_code=code, reply_text=text))

    def closed(self, error: ConnectionLost) -> None:
        """The line is gone: end everything on it. Only the first error counts."""
        if self.error is not None:
            return
        self.error = error
        self.is_open = False
        self.outgoing.obstacle = lambda: again(error)
        for channel in list(self._channels.values()):
            channel.detach(error)
        self._owner.on_closed(error)

    def on_method(self, payload: bytes, /) -> None:
        """A method of channel 0."""
        method = decode_method(payload)
        if isinstance(method, ConnectionClass.Start):
            self._start(method)
        elif isinstance(method, ConnectionClass.Tune):
            self._tune(method)
        elif isinstance(method, ConnectionClass.OpenOk):
            self.is_open = True
            self._owner.on_open()
        elif isinstance(method, ConnectionClass.Blocked):
            self._owner.on_blocked(method.reason)
        elif isinstance(method, ConnectionClass.Unblocked):
            self._owner.on_blocked(None)
        elif isinstance(method, ConnectionClass.Close):
            self.outgoing.write(encode_method(0, ConnectionClass.CloseOk))
            self.closed(
                ConnectionLost(f"the broker closed the connection: {method.reply_code} {method.reply_text}")
            )
        elif isinstance(method, ConnectionClass.CloseOk):
            self.closed(ConnectionClosed("the connection is closed"))
        else:
            raise ProtocolError(503, f"{method.name} is not expected on channel 0")

    def _refuse(self, *_: object) -> None:
        raise ProtocolError(503, "a message or confirm on channel 0")

    on_delivery = on_return = on_ack = on_nack = _refuse

    def _start(self, method: ConnectionClass.Start) -> None:
        if "PLAIN" not in method.mechanisms.split():
            raise ProtocolError(540, f"the broker offers no PLAIN login, only {method.mechanisms}")
        capabilities = method.server_properties.get("capabilities")
        self.server_capabilities = capabilities if isinstance(capabilities, dict) else {}
        about = {
            "product": "libs.amqp",
            "platform": "Python",
            "connection_name": self._name,
            "capabilities": _CAPABILITIES,
        }
        login = f"\0{self._endpoint.user}\0{self._endpoint.password}"
        self.outgoing.write(
            encode_method(
                0,
                ConnectionClass.StartOk,
                client_properties=about,
                mechanism="PLAIN",
                response=login,
                locale="en_US",
            )
        )

    def _tune(self, method: ConnectionClass.Tune) -> None:
        self.frame_max = self._reader.frame_max = _agree(_FRAME_MAX, method.frame_max)
        self.channel_max = _agree(_CHANNEL_MAX, method.channel_max)
        self.heartbeat = _agree(self.heartbeat, method.heartbeat)
        agreed = encode_method(
            0,
            ConnectionClass.TuneOk,
            channel_max=self.channel_max,
            frame_max=self.frame_max,
            heartbeat=self.heartbeat,
        )
        self.outgoing.write(
            agreed + encode_method(0, ConnectionClass.Open, virtual_host=self._endpoint.vhost)
        )


def _agree(ours: int, theirs: int) -> int:
    """The smaller of two limits, where zero means none (AMQP 0-9-1 section 1.4.2.5)."""
    return min(ours, theirs) if ours and theirs else max(ours, theirs)
