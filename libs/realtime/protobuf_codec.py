"""The protocol in protobuf (`client.proto`): each message behind its length, as a varint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

from google.protobuf.message import DecodeError
from typing_extensions import override

from libs.realtime import client_pb2
from libs.realtime.codes import Error
from libs.realtime.names import PUSHES, REQUESTS, RESULTS
from libs.realtime.protocol import (
    Codec,
    Command,
    Malformed,
    Position,
    Push,
    Request,
    Result,
    SubscribeRequest,
)

_pb = cast("Any", client_pb2)  # its classes are made when it is imported, so that no checker sees them
_MAX_VARINT = 5  # bytes of a length; a frame is far smaller than what four could tell


class ProtobufCodec(Codec):
    """Protobuf, each message with its length."""

    name = "protobuf"
    ping = b"\x00"

    @override
    def decode(self, frame: bytes) -> list[Command]:
        commands = []
        at = 0
        while at < len(frame):
            size, at = _varint(frame, at)
            if size > len(frame) - at:
                raise Malformed("a message ends behind its frame")
            commands.append(_command(frame[at : at + size]))
            at += size
        if not commands:
            raise Malformed("a frame without commands")
        return commands

    @override
    def reply(self, command_id: int, result: Result) -> bytes:
        return _delimited(_pb.Reply(id=command_id, **{RESULTS[type(result)]: _message(result)}))

    @override
    def refusal(self, command_id: int, error: Error) -> bytes:
        return _delimited(_pb.Reply(id=command_id, error=_message(error)))

    @override
    def push(self, channel: str, push: Push) -> bytes:
        return _delimited(_pb.Reply(push=_pb.Push(channel=channel, **{PUSHES[type(push)]: _message(push)})))

    @override
    def join(self, messages: Sequence[bytes]) -> bytes:
        return b"".join(messages)

    @override
    def text(self, payload: bytes) -> bytes:
        return payload


def emulation_request(body: bytes) -> tuple[str, str, bytes]:
    """Session, node and commands of a request to `/emulation`; raises `Malformed`."""
    request = _pb.EmulationRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Malformed("not protobuf") from error
    return request.session, request.node, request.data


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + _MAX_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise Malformed("a length without an end")


def _delimited(message: Any) -> bytes:
    raw: bytes = message.SerializeToString()
    size, head = len(raw), bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + raw


def _command(raw: bytes) -> Command:
    command = _pb.Command()
    try:
        command.ParseFromString(raw)
    except DecodeError as error:
        raise Malformed("not protobuf") from error
    for name, request in REQUESTS.items():
        if command.HasField(name):
            return Command(command.id, _request(request, getattr(command, name)))
    return Command(command.id)


def _request(request: type[Request], message: Any) -> Request:
    values = {one.name: getattr(message, one.name) for one in fields(request) if one.name in _PLAIN[request]}
    if "since" in _NESTED[request] and message.HasField("since"):
        values["since"] = Position(message.since.offset, message.since.epoch)
    if "tf" in _NESTED[request] and message.HasField("tf"):
        values["tf"] = message.tf
    if "subs" in _NESTED[request]:
        values["subs"] = {
            channel: cast("SubscribeRequest", _request(SubscribeRequest, one))
            for channel, one in message.subs.items()
        }
    return request(**values)


_NESTED: Mapping[type[Request], frozenset[str]] = {
    request: frozenset({"since", "subs", "tf"} & {one.name for one in fields(request)})
    for request in REQUESTS.values()
}
_PLAIN: Mapping[type[Request], frozenset[str]] = {
    request: frozenset(one.name for one in fields(request)) - _NESTED[request]
    for request in REQUESTS.values()
}


def _message(value: Any) -> Any:
    """A dataclass of the protocol as the message of the same name."""
    made = getattr(_pb, type(value).__name__)()
    for one in fields(value):
        found = getattr(value, one.name)
        if found:
            _fill(made, one.name, found)
    return made


def _fill(message: Any, name: str, value: Any) -> None:
    target = getattr(message, name)
    if is_dataclass(value):
        target.CopyFrom(_message(value))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if is_dataclass(one):
                target[key].CopyFrom(_message(one))
            else:
                target[key] = one
    elif isinstance(value, str | bytes | bool | int):
        setattr(message, name, value)
    else:
        target.extend(_message(one) for one in value)
