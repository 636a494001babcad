"""Frames as a broker would send them, written by pamqp."""

from collections.abc import Iterator

from pamqp import body, commands, frame, header
from pamqp.base import Frame

from libs.amqp.properties import Properties, encode_properties

_NONE = Properties()


def method(channel: int, command: Frame) -> bytes:
    """A method frame."""
    return frame.marshal(command, channel)


def content(channel: int, properties: Properties, payload: bytes, largest: int = 131_064) -> bytes:
    """Header and body frames."""
    flags, fields = encode_properties(properties)
    head = b"\x00\x3c\x00\x00" + len(payload).to_bytes(8, "big") + flags.to_bytes(2, "big") + fields
    frames = [b"\x02" + channel.to_bytes(2, "big") + len(head).to_bytes(4, "big") + head + b"\xce"]
    frames += [
        frame.marshal(body.ContentBody(payload[start : start + largest]), channel)
        for start in range(0, len(payload), largest)
    ]
    return b"".join(frames)


def deliver(
    channel: int,
    tag: int,
    payload: bytes = b"",
    *,
    consumer: str = "c",
    exchange: str = "",
    routing_key: str = "q",
    redelivered: bool = False,
    properties: Properties = _NONE,
    largest: int = 131_064,
) -> bytes:
    """A whole delivery."""
    command = commands.Basic.Deliver(consumer, tag, redelivered, exchange, routing_key)
    return method(channel, command) + content(channel, properties, payload, largest)


def sent(data: bytes) -> list[tuple[int, Frame | body.ContentBody | header.ContentHeader]]:
    """What was written, read by pamqp: channel and frame."""
    return list(_read(data))


def _read(data: bytes) -> Iterator[tuple[int, Frame | body.ContentBody | header.ContentHeader]]:
    while data:
        size, channel, value = frame.unmarshal(data)
        if isinstance(value, (Frame, body.ContentBody, header.ContentHeader)):
            yield channel, value
        data = data[size:]


def names(data: bytes) -> list[str]:
    """The names of the methods that were written."""
    return [value.name for _, value in sent(data) if isinstance(value, Frame)]
