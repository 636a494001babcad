"""The byte stream from the broker, cut into methods, messages and confirms.

No I/O: bytes go in, calls on the channels' sinks come out. A delivery whose frames all lie in one piece of
the stream, which is nearly every delivery, is read in one step; everything else goes frame by frame.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from libs.amqp.errors import ProtocolError
from libs.amqp.frames import (
    ACK,
    BODY,
    CONTENT,
    CONTENT_FIXED,
    DELIVER,
    END,
    FRAME,
    HEADER,
    HEARTBEAT,
    METHOD,
    NACK,
    OVERHEAD,
    RETURN,
    TAG,
)

_CONTENT_FRAME: Final = CONTENT.size + 1  # the shortest header frame, in bytes
_CONFIRM_SIZE: Final = 4 + TAG.size  # the payload of basic.ack, in bytes


class Sink(Protocol):
    """What a channel makes of what it is sent.

    A message comes as its method's arguments, `data[start:stop]`, its property flags and fields, not
    decoded, and its body.
    """

    def on_delivery(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        """`basic.deliver`."""

    def on_return(
        self, data: bytes, start: int, stop: int, flags: int, fields: bytes, body: bytes, /
    ) -> None:
        """`basic.return`."""

    def on_ack(self, tag: int, bits: int, /) -> None:
        """`basic.ack` of publications; the lowest bit says `multiple`."""

    def on_nack(self, tag: int, bits: int, /) -> None:
        """`basic.nack` of publications; the lowest bit says `multiple`."""

    def on_method(self, payload: bytes, /) -> None:
        """Any other method."""


class _Assembly:
    """A message whose frames have not all arrived."""

    __slots__ = ("_announced", "_pieces", "_size", "fields", "flags", "method", "missing")

    def __init__(self, method: bytes) -> None:
        self.method = method
        self.flags = 0
        self.fields = b""
        self.missing = -1  # bytes of the body still to come; -1 before the header
        self._pieces: list[bytes] = []

    def header(self, payload: bytes) -> None:
        if self.missing >= 0 or len(payload) < CONTENT_FIXED:
            raise ProtocolError(505, "a header frame out of place")
        self.missing = int.from_bytes(payload[4:12], "big")
        self.flags = int.from_bytes(payload[12:14], "big")
        self.fields = payload[14:]

    def piece(self, payload: bytes) -> None:
        if self.missing < len(payload):
            raise ProtocolError(505, "a body frame out of place")
        self.missing -= len(payload)
        self._pieces.append(payload)

    def body(self) -> bytes:
        return b"".join(self._pieces)


class FrameReader:
    """Reads one connection's stream. `sinks` are the open channels by number."""

    __slots__ = ("_assemblies", "_kept", "_missing", "_sinks", "frame_max")

    def __init__(self, sinks: Mapping[int, Sink], frame_max: int) -> None:
        self.frame_max = frame_max
        self._sinks = sinks
        self._assemblies: dict[int, _Assembly] = {}
        self._kept: list[bytes] = []  # the beginning of a frame, in the pieces it came in
        self._missing = 0  # bytes without which that frame cannot be read on

    def feed(self, data: bytes) -> None:
        """Read what has arrived. Raises ProtocolError; the stream cannot be read on after it."""
        if self._kept:
            self._kept.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._kept)
            self._kept.clear()
        done = self._read_frames(data)
        if done < len(data):
            self._keep(data[done:])

    def _keep(self, rest: bytes) -> None:
        if len(rest) < FRAME.size:
            self._missing = OVERHEAD - len(rest)
        else:
            _, _, size = FRAME.unpack_from(rest)
            if size > self.frame_max - OVERHEAD:
                raise ProtocolError(501, f"a frame of {size} bytes is larger than agreed")
            self._missing = size + OVERHEAD - len(rest)
        self._kept.append(rest)

    def _read_frames(self, data: bytes) -> int:
        """Read every whole frame; return where the first broken one begins."""
        sinks = self._sinks
        at, end = 0, len(data)
        while end - at >= OVERHEAD:
            kind, channel, size = FRAME.unpack_from(data, at)
            start = at + 7
            stop = start + size
            if stop >= end:
                break
            if data[stop] != END:
                raise ProtocolError(501, "a frame does not end where it said")
            at = stop + 1
            sink = sinks.get(channel)
            if sink is None:
                raise ProtocolError(504, f"a frame for channel {channel}, which is not open")
            if kind != METHOD or channel in self._assemblies:
                self._read_part(sink, kind, channel, data[start:stop])
                continue
            method = data[start : start + 4]
            if method == DELIVER:
                whole = self._read_content(data, at, channel)
                if whole is None:
                    self._assemblies[channel] = _Assembly(data[start:stop])
                else:
                    at, flags, fields, body = whole
                    sink.on_delivery(data, start + 4, stop, flags, fields, body)
            elif method in {ACK, NACK}:
                _read_confirm(sink, data[start:stop])
            elif method == RETURN:
                self._assemblies[channel] = _Assembly(data[start:stop])
            else:
                sink.on_method(data[start:stop])
        return at

    @staticmethod
    def _read_content(data: bytes, at: int, channel: int) -> tuple[int, int, bytes, bytes] | None:
        """Header and body of a message, where both are here and the body is one frame or none."""
        end = len(data)
        if end - at < _CONTENT_FRAME:
            return None
        kind, number, size, _, _, length, flags = CONTENT.unpack_from(data, at)
        stop = at + 7 + size
        if kind != HEADER or number != channel or size < CONTENT_FIXED or stop >= end or data[stop] != END:
            return None
        fields = data[at + 21 : stop]
        if length == 0:
            return stop + 1, flags, fields, b""
        start = stop + 8
        last = start + length
        if last >= end or FRAME.unpack_from(data, stop + 1) != (BODY, channel, length) or data[last] != END:
            return None
        return last + 1, flags, fields, data[start:last]

    def _read_part(self, sink: Sink, kind: int, channel: int, payload: bytes) -> None:
        """A frame that is no method, or that interrupts a message."""
        if kind == HEARTBEAT and channel == 0:
            return
        assembly = self._assemblies.get(channel)
        if assembly is None or kind not in {HEADER, BODY}:
            raise ProtocolError(505, f"a frame of type {kind} on channel {channel} out of place")
        if kind == HEADER:
            assembly.header(payload)
        else:
            assembly.piece(payload)
        if assembly.missing == 0:
            del self._assemblies[channel]
            method = assembly.method
            deliver = sink.on_delivery if method.startswith(DELIVER) else sink.on_return
            deliver(method, 4, len(method), assembly.flags, assembly.fields, assembly.body())


def _read_confirm(sink: Sink, payload: bytes) -> None:
    if len(payload) != _CONFIRM_SIZE:
        raise ProtocolError(502, "a confirm that cannot be decoded")
    tag, bits = TAG.unpack_from(payload, 4)
    if payload.startswith(ACK):
        sink.on_ack(tag, bits)
    else:
        sink.on_nack(tag, bits)
