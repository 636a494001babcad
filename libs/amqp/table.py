"""Field tables: the typed key/value pairs of headers and arguments (AMQP 0-9-1 section 4.2.5).

Types are those of RabbitMQ, which differ from the printed specification (its errata, section 3). Values are
encoded without loss: an int as 32 or 64 bits signed, a float as a double, bytes as a byte array.
Text that is not UTF-8 is kept by surrogate escapes in keys; as a value it is decoded to bytes.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from libs.amqp.errors import MalformedMessage

_MAX_DEPTH: Final = 32
_LENGTH: Final = struct.Struct(">I")
_DECIMAL_DIGITS: Final = 10


def encode_table(table: Mapping[str, Any]) -> bytes:
    """The table with its length prefix. Raises TypeError or ValueError for what has no AMQP type."""
    payload = b"".join([_encode_key(key) + _encode_value(value) for key, value in table.items()])
    return _LENGTH.pack(len(payload)) + payload


def decode_table(data: bytes) -> dict[str, Any]:
    """A table with its length prefix. Raises MalformedMessage."""
    try:
        table, stop = _read_table(data, 0, 0)
    except (struct.error, IndexError, KeyError, ArithmeticError) as error:
        raise MalformedMessage(f"not a field table: {error!r}") from None
    if stop != len(data):
        raise MalformedMessage("a field table is followed by stray bytes")
    return table


def _encode_key(key: str) -> bytes:
    raw = key.encode("utf-8", "surrogateescape")
    if len(raw) > 255:
        raise ValueError("a field name has at most 255 bytes")
    return bytes((len(raw),)) + raw


def _encode_value(value: Any) -> bytes:
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    for kind, encode in _ENCODERS.items():  # bool is found above, before its base class int could claim it
        if isinstance(value, kind):
            return encode(value)
    raise TypeError(f"a field table cannot hold {type(value).__name__}")


def _encode_int(value: int) -> bytes:
    if _fits(value, 32):
        return struct.pack(">ci", b"I", value)
    if _fits(value, 64):
        return struct.pack(">cq", b"l", value)
    raise ValueError("a field table holds integers of at most 64 bits")


def _fits(value: int, bits: int) -> bool:
    return value.bit_length() < bits or value == -(1 << bits - 1)


def _encode_decimal(value: Decimal) -> bytes:
    if not value.is_finite() or value.adjusted() > _DECIMAL_DIGITS:
        raise ValueError("a field table holds decimals of 32 bits")
    places = max(-cast("int", value.as_tuple().exponent), 0)
    unscaled = int(value.scaleb(places))
    if places > 255 or not _fits(unscaled, 32):
        raise ValueError("a field table holds decimals of 32 bits with at most 255 places")
    return struct.pack(">cBi", b"D", places, unscaled)


def _encode_time(value: datetime) -> bytes:
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return struct.pack(">cq", b"T", int(moment.timestamp()))


def _encode_text(value: str) -> bytes:
    return _sized(b"S", value.encode("utf-8", "surrogateescape"))


def _encode_array(value: Sequence[Any]) -> bytes:
    return _sized(b"A", b"".join(map(_encode_value, value)))


def _sized(kind: bytes, payload: bytes) -> bytes:
    return kind + _LENGTH.pack(len(payload)) + payload


_ENCODERS: Final[dict[type, Callable[[Any], bytes]]] = {
    bool: lambda value: b"t\x01" if value else b"t\x00",
    str: _encode_text,
    int: _encode_int,
    float: lambda value: struct.pack(">cd", b"d", value),
    bytes: lambda value: _sized(b"x", value),
    bytearray: lambda value: _sized(b"x", bytes(value)),
    type(None): lambda _: b"V",
    datetime: _encode_time,
    Decimal: _encode_decimal,
    dict: lambda value: b"F" + encode_table(value),
    list: _encode_array,
    tuple: _encode_array,
}

_Reader = Callable[[bytes, int, int], tuple[Any, int]]


def _fixed(layout: str) -> _Reader:
    shape = struct.Struct(layout)

    def read(data: bytes, at: int, _depth: int) -> tuple[Any, int]:
        return shape.unpack_from(data, at)[0], at + shape.size

    return read


def _read_span(data: bytes, at: int) -> tuple[int, int]:
    """Start and stop of what a four-byte length announces."""
    (length,) = _LENGTH.unpack_from(data, at)
    if at + 4 + length > len(data):
        raise MalformedMessage("a field is longer than its table")
    return at + 4, at + 4 + length


def _read_bytes(data: bytes, at: int, _depth: int) -> tuple[bytes, int]:
    start, stop = _read_span(data, at)
    return data[start:stop], stop


def _read_text(data: bytes, at: int, _depth: int) -> tuple[str | bytes, int]:
    raw, stop = _read_bytes(data, at, 0)
    try:
        return raw.decode(), stop
    except UnicodeDecodeError:
        return raw, stop


def _read_decimal(data: bytes, at: int, _depth: int) -> tuple[Decimal, int]:
    places, unscaled = struct.unpack_from(">Bi", data, at)
    return Decimal(unscaled).scaleb(-places), at + 5


def _read_time(data: bytes, at: int, _depth: int) -> tuple[datetime, int]:
    (seconds,) = struct.unpack_from(">q", data, at)
    try:
        return datetime.fromtimestamp(seconds, UTC), at + 8
    except (ValueError, OverflowError, OSError):
        raise MalformedMessage("a timestamp is out of range") from None


def _read_value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    return _READERS[data[at]](data, at + 1, depth)


def _read_table(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    at, stop = _descend(data, at, depth)
    table: dict[str, Any] = {}
    while at < stop:
        name_stop = at + 1 + data[at]
        name = data[at + 1 : name_stop].decode("utf-8", "surrogateescape")
        table[name], at = _read_value(data, name_stop, depth + 1)
    return table, _ended(at, stop)


def _read_array(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    at, stop = _descend(data, at, depth)
    values: list[Any] = []
    while at < stop:
        value, at = _read_value(data, at, depth + 1)
        values.append(value)
    return values, _ended(at, stop)


def _descend(data: bytes, at: int, depth: int) -> tuple[int, int]:
    if depth > _MAX_DEPTH:
        raise MalformedMessage(f"a field table is nested deeper than {_MAX_DEPTH}")
    return _read_span(data, at)


def _ended(at: int, stop: int) -> int:
    if at != stop:
        raise MalformedMessage("a field runs over the end of its table")
    return stop


_READERS: Final[dict[int, _Reader]] = {
    ord("t"): lambda data, at, _depth: (data[at] != 0, at + 1),
    ord("b"): _fixed(">b"),
    ord("B"): _fixed(">B"),
    ord("s"): _fixed(">h"),
    ord("u"): _fixed(">H"),
    ord("I"): _fixed(">i"),
    ord("i"): _fixed(">I"),
    ord("l"): _fixed(">q"),
    ord("L"): _fixed(">q"),
    ord("f"): _fixed(">f"),
    ord("d"): _fixed(">d"),
    ord("D"): _read_decimal,
    ord("S"): _read_text,
    ord("x"): _read_bytes,
    ord("A"): _read_array,
    ord("T"): _read_time,
    ord("F"): _read_table,
    ord("V"): lambda _data, at, _depth: (None, at),
}
