"""How messages travel on each kind of connection: encoding by framing."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from libs.realtime.json_codec import JsonCodec
from libs.realtime.line import Format
from libs.realtime.protobuf_codec import ProtobufCodec
from libs.realtime.protocol import Codec
from libs.realtime.websocket import BINARY, TEXT, frame

_MESSAGES_PER_FRAME = 16  # as the reference server does; clients bound the size of a frame


class SocketFormat(Format):
    """WebSocket frames, ready for the transport."""

    def __init__(self, codec: Codec, opcode: int) -> None:
        self.codec = codec
        self._opcode = opcode
        self.ping = frame(opcode, codec.ping)

    @override
    def frames(self, messages: Sequence[bytes]) -> bytes:
        if len(messages) == 1:
            return frame(self._opcode, messages[0])
        groups = range(0, len(messages), _MESSAGES_PER_FRAME)
        join, count = self.codec.join, _MESSAGES_PER_FRAME
        return b"".join(frame(self._opcode, join(messages[start : start + count])) for start in groups)

    @override
    def join(self, frames: Sequence[bytes]) -> bytes:
        return b"".join(frames)


class MessageFormat(Format):
    """Whole messages, which somebody else frames: the ASGI server."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.ping = codec.ping

    @override
    def frames(self, messages: Sequence[bytes]) -> bytes:
        return self.codec.join(messages)

    @override
    def join(self, frames: Sequence[bytes]) -> bytes:
        return self.codec.join(frames)


class StreamFormat(Format):
    """Messages in a body of HTTP that goes on, each between what sets it apart from the next."""

    def __init__(self, codec: Codec, before: bytes = b"", after: bytes = b"") -> None:
        self.codec = codec
        self._before = before
        self._after = after
        self.ping = self.frames([codec.ping])

    @override
    def frames(self, messages: Sequence[bytes]) -> bytes:
        return b"".join(b"%b%b%b" % (self._before, one, self._after) for one in messages)

    @override
    def join(self, frames: Sequence[bytes]) -> bytes:
        return b"".join(frames)


JSON_SOCKET = SocketFormat(JsonCodec(), TEXT)
PROTOBUF_SOCKET = SocketFormat(ProtobufCodec(), BINARY)
JSON_MESSAGES = MessageFormat(JsonCodec())
PROTOBUF_MESSAGES = MessageFormat(ProtobufCodec())
JSON_LINES = StreamFormat(JsonCodec(), after=b"\n")
PROTOBUF_STREAM = StreamFormat(ProtobufCodec())
EVENT_STREAM = StreamFormat(JsonCodec(), b"data: ", b"\n\n")
