"""The properties of a message (AMQP 0-9-1 section 1.8.3.1, the content header of class `basic`).

On the wire they are 16 flag bits and the fields whose bit is set, highest bit first. `cluster_id`, which
the specification has emptied of meaning, is read over and never written.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from libs.amqp.errors import MalformedMessage
from libs.amqp.table import decode_table, encode_table

PERSISTENT: Final = 2
"""The delivery mode of a message that outlives a restart of the broker."""

MAX_EXPIRATION: Final = 2**32 - 1
"""The longest time to live RabbitMQ takes, in ms; a longer one closes the channel."""


class Properties(NamedTuple):
    """What a message says about itself. None means: not sent.

    `headers` is a mapping, or a table that `encode_table` has encoded before. `expiration` is the time to
    live in ms, `timestamp` the unix time in seconds.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] | bytes | None = None
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: int | None = None
    message_id: str | None = None
    timestamp: int | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None


def flag(name: str) -> int:
    """The bit that says a property is present."""
    return 1 << (15 - Properties._fields.index(name))


def encode_short(text: str) -> bytes:
    """A short string: one byte of length, at most 255 bytes of UTF-8."""
    raw = text.encode("utf-8", "surrogateescape")
    try:
        return _LENGTHS[len(raw)] + raw
    except IndexError:
        raise ValueError("a short string has at most 255 bytes") from None


def decode_short(data: bytes, at: int) -> tuple[str, int]:
    """The short string that begins at `at`, and where it ends."""
    stop = at + 1 + data[at]
    return data[at + 1 : stop].decode("utf-8", "surrogateescape"), stop


def encode_headers(headers: Mapping[str, Any] | bytes) -> bytes:
    """Headers as a table; one that is encoded already stays as it is."""
    return headers if isinstance(headers, bytes) else encode_table(headers)


def encode_expiration(milliseconds: int) -> bytes:
    """A time to live; refused here, since the broker would close the channel over it."""
    if not 0 <= milliseconds <= MAX_EXPIRATION:
        raise ValueError(f"an expiration is 0 to {MAX_EXPIRATION} ms")
    raw = b"%d" % milliseconds
    return _LENGTHS[len(raw)] + raw


def encode_timestamp(seconds: int) -> bytes:
    """Unix time in seconds."""
    return _TIMESTAMP.pack(seconds)


def encode_properties(properties: Properties) -> tuple[int, bytes]:
    """Flags and fields."""
    flags = 0
    fields = b""
    bit = 1 << 15
    for value, encode in zip(properties, _ENCODERS, strict=True):
        if value is not None:
            flags |= bit
            fields += encode(value)
        bit >>= 1
    return flags, fields


def decode_properties(flags: int, fields: bytes) -> Properties:
    """The properties, with `headers` still encoded. Raises MalformedMessage."""
    plan = _PLANS.get(flags) or _plan(flags)
    values: list[Any] = [None] * len(_READERS)
    at = 0
    try:
        for index, read in plan:
            if read is decode_short:  # most of them, and a call for each would cost as much as all the rest
                start, at = at + 1, at + 1 + fields[at]
                values[index] = fields[start:at].decode("utf-8", "surrogateescape")
            else:
                values[index], at = read(fields, at)
    except (struct.error, IndexError, ValueError) as error:
        raise MalformedMessage(f"not the properties of a message: {error!r}") from None
    if at > len(fields):
        raise MalformedMessage("a property runs over the end of its header")
    return Properties._make(values[:-1])


def read_short(flags: int, fields: bytes, index: int) -> str | None:
    """The property with this index in `Properties`, a short string; those before it are stepped over.

    Costs a quarter of decoding them all. Raises MalformedMessage.
    """
    try:
        steps = _STEPS[flags, index]
    except KeyError:
        steps = _STEPS[flags, index] = _steps(flags, index)
    if steps is None:
        return None
    at = 0
    try:  # ruff: ignore[too-many-statements-in-try-clause] - one walk, whose every step may run over the end
        for size in steps:
            if size == _TEXT:
                at += 1 + fields[at]
            elif size == _TABLE:
                at += 4 + _TABLE_LENGTH.unpack_from(fields, at)[0]
            else:
                at += size
        stop = at + 1 + fields[at]
    except (struct.error, IndexError) as error:
        raise MalformedMessage(f"not the properties of a message: {error!r}") from None
    if stop > len(fields):
        raise MalformedMessage("a property runs over the end of its header")
    return fields[at + 1 : stop].decode("utf-8", "surrogateescape")


def decode_headers(properties: Properties) -> dict[str, Any]:
    """The header table of decoded properties; empty where there is none. Raises MalformedMessage."""
    headers = properties.headers
    if headers is None:
        return {}
    return decode_table(headers) if isinstance(headers, bytes) else dict(headers)


_LENGTHS: Final = tuple(bytes((length,)) for length in range(256))
_TIMESTAMP: Final = struct.Struct(">Q")
_TABLE_LENGTH: Final = struct.Struct(">I")


def _read_expiration(fields: bytes, at: int) -> tuple[int, int]:
    stop = at + 1 + fields[at]
    return int(fields[at + 1 : stop]), stop


def _read_octet(fields: bytes, at: int) -> tuple[int, int]:
    return fields[at], at + 1


def _read_timestamp(fields: bytes, at: int) -> tuple[int, int]:
    return _TIMESTAMP.unpack_from(fields, at)[0], at + 8


def _read_table(fields: bytes, at: int) -> tuple[bytes, int]:
    stop = at + 4 + _TABLE_LENGTH.unpack_from(fields, at)[0]
    return fields[at:stop], stop


def _octet(value: int) -> bytes:
    return bytes((value,))


_Codec = tuple[Callable[[Any], bytes], Callable[[bytes, int], tuple[Any, int]]]
_SHORT: Final[_Codec] = (encode_short, decode_short)
_OCTET: Final[_Codec] = (_octet, _read_octet)
_CODECS: Final[tuple[_Codec, ...]] = (
    _SHORT,  # content_type
    _SHORT,  # content_encoding
    (encode_headers, _read_table),
    _OCTET,  # delivery_mode
    _OCTET,  # priority
    _SHORT,  # correlation_id
    _SHORT,  # reply_to
    (encode_expiration, _read_expiration),
    _SHORT,  # message_id
    (encode_timestamp, _read_timestamp),
    _SHORT,  # type
    _SHORT,  # user_id
    _SHORT,  # app_id
)
_ENCODERS: Final = tuple(encode for encode, _ in _CODECS)
_READERS: Final = (*(read for _, read in _CODECS), decode_short)  # the last one is cluster_id

_Plan = tuple[tuple[int, Callable[[bytes, int], tuple[Any, int]]], ...]
_PLANS: Final[dict[int, _Plan]] = {}  # at most 2**14 combinations exist


def _plan(flags: int) -> _Plan:
    """Which readers a combination of flags asks for, in order."""
    if flags & 0b11:
        raise MalformedMessage("a message of class basic has no second word of property flags")
    plan = tuple((index, read) for index, read in enumerate(_READERS) if flags & (1 << (15 - index)))
    _PLANS[flags] = plan
    return plan


_TEXT: Final = 0
_TABLE: Final = -1
_SIZES: Final[dict[Callable[[bytes, int], tuple[Any, int]], int]] = {
    _read_octet: 1,
    _read_timestamp: 8,
    _read_table: _TABLE,
}
_STEPS: Final[dict[tuple[int, int], tuple[int, ...] | None]] = {}  # at most one per plan and short string


def _steps(flags: int, index: int) -> tuple[int, ...] | None:
    """What is stepped over before a property, in bytes or by its kind; None where the property is not there."""
    plan = _PLANS.get(flags) or _plan(flags)
    if index not in dict(plan):
        return None
    return tuple(_SIZES.get(read, _TEXT) for place, read in plan if place < index)
