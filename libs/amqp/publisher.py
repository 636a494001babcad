"""Publishing with everything constant encoded once."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.confirms import Confirmation, Outcome
from libs.amqp.frames import publish_frame
from libs.amqp.properties import (
    Properties,
    encode_expiration,
    encode_headers,
    encode_properties,
    encode_short,
    encode_timestamp,
    flag,
)

_MAX_ADDRESSES: Final = 1024
"""Encoded addresses that are kept; beyond them the store is emptied."""

_PER_MESSAGE: Final = ("headers", "correlation_id", "reply_to", "expiration", "message_id", "timestamp")
_HEADERS: Final = flag("headers")
_CORRELATION_ID: Final = flag("correlation_id")
_REPLY_TO: Final = flag("reply_to")
_EXPIRATION: Final = flag("expiration")
_MESSAGE_ID: Final = flag("message_id")
_TIMESTAMP: Final = flag("timestamp")


class Addresses:
    """The `basic.publish` frames of one channel, by address."""

    __slots__ = ("_channel", "_frames")

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._frames: dict[tuple[str, str, bool], bytes] = {}

    def frame(self, exchange: str, routing_key: str, mandatory: bool) -> bytes:  # ruff: ignore[boolean-type-hint-positional-argument] - a flag of the wire
        """The frame, encoded at its first use."""
        address = (exchange, routing_key, mandatory)
        frame = self._frames.get(address)
        if frame is None:
            frame = publish_frame(self._channel, exchange, routing_key, mandatory=mandatory)
            if len(self._frames) >= _MAX_ADDRESSES:
                self._frames.clear()
            self._frames[address] = frame
        return frame


class Publisher:
    """Publishes many messages to one exchange with the same constant properties.

    What differs from message to message is given to `publish`: the ids, the reply address, the time to live
    (ms), the timestamp (unix s), the headers (a mapping, or what `encode_table` made of one), and the routing
    key where it differs from the publisher's own.
    """

    __slots__ = ("_addresses", "_exchange", "_flags", "_frame", "_mandatory", "_parts", "_protocol")

    def __init__(
        self,
        protocol: ChannelProtocol,
        addresses: Addresses,
        exchange: str,
        routing_key: str,
        properties: Properties,
        *,
        mandatory: bool,
    ) -> None:
        if any(getattr(properties, name) is not None for name in _PER_MESSAGE):
            raise ValueError(f"given with each message, not to its publisher: {', '.join(_PER_MESSAGE)}")
        self._protocol = protocol
        self._addresses = addresses
        self._exchange = exchange
        self._mandatory = mandatory
        self._frame = addresses.frame(exchange, routing_key, mandatory)
        self._flags, _ = encode_properties(properties)
        first = Properties(content_type=properties.content_type, content_encoding=properties.content_encoding)
        middle = Properties(delivery_mode=properties.delivery_mode, priority=properties.priority)
        last = Properties(type=properties.type, user_id=properties.user_id, app_id=properties.app_id)
        self._parts = tuple(encode_properties(part)[1] for part in (first, middle, last))

    def publish(
        self,
        body: bytes,
        *,
        routing_key: str | None = None,
        headers: Mapping[str, Any] | bytes | None = None,
        correlation_id: str | None = None,
        reply_to: str | None = None,
        expiration: int | None = None,
        message_id: str | None = None,
        timestamp: int | None = None,
        on_confirm: Outcome = None,
    ) -> None:
        """Send one message; `on_confirm` is called once with its outcome on a channel with confirms (a future gets it).

        Raises ConnectionLost while there is no connection, Blocked while the broker takes no publications,
        ValueError for properties that cannot be encoded or fit into no frame.
        """
        flags = self._flags
        fields, middle, last = self._parts
        if headers is not None:
            flags |= _HEADERS
            fields += encode_headers(headers)
        fields += middle
        if correlation_id is not None:
            flags |= _CORRELATION_ID
            fields += encode_short(correlation_id)
        if reply_to is not None:
            flags |= _REPLY_TO
            fields += encode_short(reply_to)
        if expiration is not None:
            flags |= _EXPIRATION
            fields += encode_expiration(expiration)
        if message_id is not None:
            flags |= _MESSAGE_ID
            fields += encode_short(message_id)
        if timestamp is not None:
            flags |= _TIMESTAMP
            fields += encode_timestamp(timestamp)
        if routing_key is None:
            frame = self._frame
        else:
            frame = self._addresses.frame(self._exchange, routing_key, self._mandatory)
        self._protocol.publish(frame, flags, fields + last, body, on_confirm)

    def submit(
        self,
        body: bytes,
        *,
        routing_key: str | None = None,
        headers: Mapping[str, Any] | bytes | None = None,
        correlation_id: str | None = None,
        reply_to: str | None = None,
        expiration: int | None = None,
        message_id: str | None = None,
        timestamp: int | None = None,
    ) -> Confirmation:
        """Send one message and get its confirmation to await, now or later. Raises as `publish`."""
        outcome: Confirmation = asyncio.get_running_loop().create_future()
        self.publish(
            body,
            routing_key=routing_key,
            headers=headers,
            correlation_id=correlation_id,
            reply_to=reply_to,
            expiration=expiration,
            message_id=message_id,
            timestamp=timestamp,
            on_confirm=outcome,
        )
        return outcome
