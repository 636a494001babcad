"""The headers of a request, written and read for every call without a general codec of tables in between.

They are put together from entries whose names and types are encoded once, and what was written like that is read back
in the same order. Any other table, of a foreign caller, is decoded by the book.
"""

from __future__ import annotations

import time
from struct import Struct
from typing import Any, Final, NamedTuple

from libs.amqp import Delivery, encode_table
from libs.messaging.caller import Caller

_LENGTH: Final = Struct(">I")
_INT64: Final = Struct(">q")
_MAX_TRACEPARENT: Final = 128  # characters; version 00 has 55 (W3C Trace Context, section 3.2)


def _beginning(name: str, value: int | str, size: int) -> bytes:
    """An entry up to the last ``size`` bytes, which hold its value or the length of it."""
    return encode_table({name: value})[_LENGTH.size : -size]


_DEADLINE: Final = _beginning("deadline", 2**40, _INT64.size)
_TRACEPARENT: Final = _beginning("traceparent", "", _LENGTH.size)
_IDENTITY: Final = _beginning("identity", "", _LENGTH.size)
_CLIENT: Final = _beginning("client", "", _LENGTH.size)
_AFTER_DEADLINE: Final = _LENGTH.size + len(_DEADLINE) + _INT64.size


class RequestHeaders(NamedTuple):
    """What a request says beside its properties; ``deadline`` in unix ms. Nothing in it is checked or believed yet."""

    deadline: int | None
    traceparent: str
    identity: object
    client: object


def request_headers(caller: Caller, budget: float) -> bytes:
    """The encoded headers of a request whose caller still waits ``budget`` seconds."""
    entries = _DEADLINE + _INT64.pack(int((time.time() + budget) * 1000))
    if caller.traceparent:
        entries += _text(_TRACEPARENT, caller.traceparent)
    if caller.identity is not None:
        entries += _text(_IDENTITY, caller.identity.header)
    if caller.client.ip:
        entries += _text(_CLIENT, caller.client.header)
    return _LENGTH.pack(len(entries)) + entries


def _text(beginning: bytes, value: str) -> bytes:
    raw = value.encode()
    return beginning + _LENGTH.pack(len(raw)) + raw


def read_headers(delivery: Delivery) -> RequestHeaders:
    """The headers of a request; raises `libs.amqp.MalformedMessage`."""
    table = delivery.undecoded.headers
    if (
        isinstance(table, bytes)
        and table.startswith(_DEADLINE, _LENGTH.size)
        and len(table) >= _AFTER_DEADLINE
    ):
        (deadline,) = _INT64.unpack_from(table, _AFTER_DEADLINE - _INT64.size)
        try:
            traceparent, at = _read_text(table, _AFTER_DEADLINE, _TRACEPARENT)
            identity, at = _read_text(table, at, _IDENTITY)
            client, at = _read_text(table, at, _CLIENT)
        except UnicodeDecodeError:
            at = -1
        if at == len(table):
            return RequestHeaders(deadline, trace(traceparent), identity, client)
    return _by_the_book(delivery.headers)


def _read_text(table: bytes, at: int, beginning: bytes) -> tuple[str, int]:
    """The text that stands there and where it ends; empty where the entry is another."""
    if not table.startswith(beginning, at):
        return "", at
    start = at + len(beginning) + _LENGTH.size
    stop = start + int.from_bytes(table[start - _LENGTH.size : start], "big")
    return table[start:stop].decode(), stop


def _by_the_book(headers: dict[str, Any]) -> RequestHeaders:
    deadline = headers.get("deadline")
    return RequestHeaders(
        deadline if isinstance(deadline, int) else None,
        trace(headers.get("traceparent")),
        headers.get("identity"),
        headers.get("client"),
    )


def trace(header: object) -> str:
    """A `traceparent` that may be one; empty where it cannot."""
    return header if isinstance(header, str) and len(header) <= _MAX_TRACEPARENT else ""
