"""The rare methods, by pamqp's book.

pamqp's command classes tell the arguments of each method and their types. The arguments are written here:
pamqp itself refuses names that RabbitMQ takes (longer than 127 bytes, or of other letters) and narrows the
floats in tables.
"""

import struct
from typing import Any, Final

from pamqp import commands
from pamqp.base import Frame
from pamqp.exceptions import UnmarshalingException

from libs.amqp.errors import ProtocolError
from libs.amqp.frames import method_frame
from libs.amqp.properties import encode_short
from libs.amqp.table import encode_table

Basic = commands.Basic
ChannelClass = commands.Channel
Confirm = commands.Confirm
ConnectionClass = commands.Connection
ExchangeClass = commands.Exchange
QueueClass = commands.Queue
Method = Frame

_ZERO: Final[dict[str, Any]] = {"shortstr": "", "longstr": "", "table": {}}


def encode_method(channel: int, method: type[Method], **arguments: Any) -> bytes:
    """One method frame; an argument that is not given is zero, empty or false."""
    unknown = arguments.keys() - set(method.attributes())
    if unknown:
        raise TypeError(f"{method.name} has no argument {', '.join(unknown)}")
    payload = [method.index.to_bytes(4, "big")]
    bits: list[bool] = []
    for name in method.attributes():
        kind = method.amqp_type(name)
        value = arguments.get(name, _ZERO.get(kind, 0))
        if kind == "bit":
            bits.append(bool(value))
            continue
        payload += [_octet_of(bits), _encode(kind, value)]
        bits = []
    payload.append(_octet_of(bits))
    return method_frame(channel, b"".join(payload))


def decode_method(payload: bytes) -> Method:
    """The method in a frame's payload. Raises ProtocolError."""
    (index,) = struct.unpack_from(">I", payload) if len(payload) >= 4 else (0,)
    known = commands.INDEX_MAPPING.get(index)
    if known is None:
        raise ProtocolError(540, f"method {index >> 16}.{index & 0xFFFF} is not known here")
    method: Method = known()
    try:
        method.unmarshal(payload[4:])
    except (UnmarshalingException, struct.error, ValueError, IndexError, TypeError) as error:
        raise ProtocolError(502, f"{method.name} cannot be decoded: {error}") from None
    return method


def _octet_of(bits: list[bool]) -> bytes:
    """Bits that stand next to each other share one octet, lowest first."""
    return bytes((sum(bit << place for place, bit in enumerate(bits)),)) if bits else b""


def _encode(kind: str, value: Any) -> bytes:
    match kind:
        case "shortstr":
            return encode_short(value)
        case "longstr":
            raw: bytes = value.encode()
            return struct.pack(">I", len(raw)) + raw
        case "table":
            return encode_table(value)
        case _:
            return struct.pack(_INTEGERS[kind], value)


_INTEGERS: Final = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q"}
