"""The protocol in JSON: objects joined by newlines, payloads embedded as they are.

Names are snake_case, 64-bit numbers plain numbers, zero values absent (the encoding of the reference server, which is
not protojson). A payload must hold no newline, or it would end its object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic_core import from_json, to_json
from typing_extensions import override

from libs.realtime.codes import Error
from libs.realtime.names import PUSHES, REQUESTS, RESULTS
from libs.realtime.protocol import (
    ClientInfo,
    Codec,
    Command,
    Malformed,
    Position,
    Push,
    Result,
    SubscribeRequest,
)

_UINT32 = 1 << 32
_UINT64 = 1 << 64
_MessageT = TypeVar("_MessageT")


class JsonCodec(Codec):
    """JSON, one object per line."""

    name = "json"
    ping = b"{}"

    @override
    def decode(self, frame: bytes) -> list[Command]:
        commands = [_command(line) for line in frame.split(b"\n") if line.strip()]
        if not commands:
            raise Malformed("a frame without commands")
        return commands

    @override
    def reply(self, command_id: int, result: Result) -> bytes:
        return b'{"id":%d,"%b":%b}' % (command_id, RESULTS[type(result)].encode(), dump(result))

    @override
    def refusal(self, command_id: int, error: Error) -> bytes:
        return b'{"id":%d,"error":%b}' % (command_id, dump(error))

    @override
    def push(self, channel: str, push: Push) -> bytes:
        name = b'"channel":%b,' % to_json(channel) if channel else b""
        return b'{"push":{%b"%b":%b}}' % (name, PUSHES[type(push)].encode(), dump(push))

    @override
    def join(self, messages: Sequence[bytes]) -> bytes:
        return b"\n".join(messages)

    @override
    def text(self, payload: bytes) -> bytes:
        return to_json(payload.decode())


def _command(line: bytes) -> Command:
    try:
        found = from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed("not JSON") from error
    if not isinstance(found, dict):
        raise Malformed("not an object")
    command_id = found.get("id", 0)
    if not isinstance(command_id, int) or isinstance(command_id, bool) or not 0 <= command_id < _UINT32:
        raise Malformed("id is no uint32")
    for name, request in REQUESTS.items():
        if (body := found.get(name)) is not None:
            return Command(command_id, _read(request, body))
    return Command(command_id)


def _read(message: type[_MessageT], found: Any) -> _MessageT:
    """The message that a JSON object holds; fields that it does not know are ignored."""
    if not isinstance(found, dict):
        raise Malformed(f"{message.__name__} is no object")
    values = {
        name: read(value) for name, read in _READABLE[message] if (value := found.get(name)) is not None
    }
    return message(**values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed("no string")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Malformed("no boolean")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -_UINT32 <= value < _UINT64:
        raise Malformed("no 64-bit number")
    return value


def _positions(value: Any) -> dict[str, SubscribeRequest]:
    if not isinstance(value, dict):
        raise Malformed("no object")
    return {channel: _read(SubscribeRequest, one) for channel, one in value.items()}


_READERS: Mapping[Any, Callable[[Any], Any]] = {
    str: _text,
    bool: _flag,
    int: _number,
    bytes: to_json,
    object: lambda value: value,
    Position | None: lambda value: _read(Position, value),
    Mapping[str, SubscribeRequest]: _positions,
}


def _readable(message: type[Any]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """The fields of a request, each with what reads it."""
    hints = get_type_hints(message)
    return tuple((one.name, _READERS[hints[one.name]]) for one in fields(message))


_READABLE: Mapping[type[Any], tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    message: _readable(message) for message in (*REQUESTS.values(), Position)
}


def _layout(message: type[Any]) -> tuple[tuple[bytes, str, bool], ...]:
    """The fields of what is sent: name on the wire, attribute, whether its zero value is sent too."""
    always: frozenset[str] = getattr(message, "ALWAYS", frozenset())
    return tuple((one.name.encode(), one.name, one.name in always) for one in fields(message))


_LAYOUTS: Mapping[type[Any], tuple[tuple[bytes, str, bool], ...]] = {
    message: _layout(message) for message in (*RESULTS, *PUSHES, Error, ClientInfo)
}


def dump(message: Any) -> bytes:
    """A message that is sent, as a JSON object."""
    members = [
        b'"%b":%b' % (name, _value(value))
        for name, field, always in _LAYOUTS[type(message)]
        if (value := getattr(message, field)) or always
    ]
    return b"{%b}" % b",".join(members)


def _value(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str | bool | int):
        return to_json(value)
    if isinstance(value, Mapping):
        return b"{%b}" % b",".join(b"%b:%b" % (to_json(name), _value(one)) for name, one in value.items())
    if is_dataclass(value):
        return dump(value)
    return b"[%b]" % b",".join(_value(one) for one in value)
