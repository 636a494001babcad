"""The frames of the hot path, laid out by hand (AMQP 0-9-1 section 2.3).

A frame is a type, a channel number, the size of its payload, the payload, and the octet 0xCE. A message is
a method frame, a header frame and, where it has a body, body frames none of which exceeds what was agreed
as `frame_max`.
"""

import struct
from typing import Final

from libs.amqp.properties import decode_short, encode_short

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8
END: Final = 0xCE

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
OVERHEAD: Final = 8
"""What a frame costs beside its payload, in bytes."""

FRAME: Final = struct.Struct(">BHI")
"""Type, channel, size of the payload."""

CONTENT: Final = struct.Struct(">BHIHHQH")
"""A header frame up to its properties: type, channel, size, class, weight, size of the body, flags."""

CONTENT_FIXED: Final = 14
"""The part of a header frame's payload before the properties, in bytes."""

TAG: Final = struct.Struct(">QB")
"""A delivery tag and an octet of bits: redelivered, multiple or requeue."""

DELIVER: Final = b"\x00\x3c\x00\x3c"
RETURN: Final = b"\x00\x3c\x00\x32"
ACK: Final = b"\x00\x3c\x00\x50"
NACK: Final = b"\x00\x3c\x00\x78"

_BODY_FRAME: Final = struct.Struct(">BBHI")
_SETTLE: Final = struct.Struct(">BHIHHQBB")
_END_BYTE: Final = b"\xce"


def method_frame(channel: int, payload: bytes) -> bytes:
    """A method frame around an encoded method."""
    return FRAME.pack(METHOD, channel, len(payload)) + payload + _END_BYTE


def ack_frame(channel: int, tag: int, *, multiple: bool) -> bytes:
    """`basic.ack`."""
    return _SETTLE.pack(METHOD, channel, 13, 60, 80, tag, multiple, END)


def nack_frame(channel: int, tag: int, *, requeue: bool) -> bytes:
    """`basic.nack` of one delivery."""
    return _SETTLE.pack(METHOD, channel, 13, 60, 120, tag, 2 * requeue, END)


def reject_frame(channel: int, tag: int, *, requeue: bool) -> bytes:
    """`basic.reject`."""
    return _SETTLE.pack(METHOD, channel, 13, 60, 90, tag, requeue, END)


def publish_frame(channel: int, exchange: str, routing_key: str, *, mandatory: bool) -> bytes:
    """`basic.publish` without its content; the same bytes for every message to one address."""
    address = encode_short(exchange) + encode_short(routing_key)
    return method_frame(channel, b"\x00\x3c\x00\x28\x00\x00" + address + (b"\x01" if mandatory else b"\x00"))


def published_to(frame: bytes) -> tuple[str, str]:
    """Exchange and routing key of a `publish_frame`."""
    exchange, at = decode_short(frame, 13)
    routing_key, _ = decode_short(frame, at)
    return exchange, routing_key


def message(method: bytes, channel: int, flags: int, fields: bytes, body: bytes, largest: int) -> bytes:
    """A whole message: its method frame, and header and body frames of at most `largest` payload bytes.

    Raises ValueError for properties that do not fit: only a body may be split, and the broker closes the
    connection, with all that is under way on it, over a frame that is too large.
    """
    size, head = len(body), CONTENT_FIXED + len(fields)
    if head > largest:
        raise ValueError(f"properties of {len(fields)} bytes; {largest - CONTENT_FIXED} fit into a frame")
    header = CONTENT.pack(HEADER, channel, head, 60, 0, size, flags)
    if 0 < size <= largest:
        start = _BODY_FRAME.pack(END, BODY, channel, size)
        return b"".join((method, header, fields, start, body, _END_BYTE))
    pieces = [method, header, fields]
    for at in range(0, size, largest):
        piece = body[at : at + largest]
        pieces += (_BODY_FRAME.pack(END, BODY, channel, len(piece)), piece)
    return b"".join((*pieces, _END_BYTE))
