"""The protocol in protobuf: the same messages, checked against the official client's own schema."""

from typing import Any, cast

import centrifuge.protocol.client_pb2 as official
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from libs.realtime import client_pb2
from libs.realtime.codes import INTERNAL, SHUTDOWN, UNSUBSCRIBED_EXPIRED
from libs.realtime.json_codec import JsonCodec
from libs.realtime.protobuf_codec import ProtobufCodec
from libs.realtime.protocol import (
    ClientInfo,
    Command,
    ConnectRequest,
    ConnectResult,
    HistoryRequest,
    HistoryResult,
    Join,
    Malformed,
    Position,
    PresenceResult,
    Publication,
    PublishRequest,
    PublishResult,
    RpcRequest,
    SendRequest,
    SubscribeRequest,
    SubscribeResult,
)

CODEC = ProtobufCodec()
theirs = cast("Any", official)


def framed(*messages: Any) -> bytes:
    return b"".join(
        len(raw).to_bytes(1, "little") + raw for raw in (message.SerializeToString() for message in messages)
    )


def read(message: bytes) -> dict[str, Any]:
    """A reply as the official client reads it; its length is one byte in these tests."""
    assert message[0] == len(message) - 1
    reply = theirs.Reply()
    reply.ParseFromString(message[1:])
    found: dict[str, Any] = MessageToDict(reply, preserving_proto_field_name=True)
    return found


NEWER = {  # fields of the protocol's version 0.21 that the SDK's schema does not have yet; 5 is int32, 9 a string
    ("publishrequest", "type"): (3, 5),
    ("publishrequest", "key"): (4, 9),
    ("subscriberequest", "type"): (15, 5),
    ("subrefreshrequest", "type"): (3, 5),
}


def numbers(schema: Any) -> dict[tuple[str, str], tuple[int, int]]:
    """Number and type of every field, by message; the names of messages do not travel."""
    names = {"streamposition": "position"}
    return {
        (names.get(name.lower(), name.lower()), field.name): (field.number, field.type)
        for name, message in schema.DESCRIPTOR.message_types_by_name.items()
        for field in message.fields
    }


def test_every_field_has_the_number_and_the_type_that_the_protocol_gives_it() -> None:
    ours = numbers(client_pb2)

    assert len(ours) > 100
    assert ours.items() <= (numbers(theirs) | NEWER).items()


class TestCommands:
    def test_of_one_frame_stand_behind_their_lengths(self) -> None:
        connect = theirs.Command(id=1, connect=theirs.ConnectRequest(token="tok", name="js"))
        subscribe = theirs.Command(
            id=2,
            subscribe=theirs.SubscribeRequest(channel="ns:ch", recover=True, offset=3, epoch="A", flag=1),
        )

        assert CODEC.decode(framed(connect, subscribe)) == [
            Command(1, ConnectRequest("tok")),
            Command(2, SubscribeRequest("ns:ch", recover=True, offset=3, epoch="A", flag=1)),
        ]

    def test_an_empty_one_is_a_pong(self) -> None:
        assert CODEC.decode(b"\x00") == [Command()]

    def test_nested_messages_are_read(self) -> None:
        history = theirs.Command(
            id=3,
            history=theirs.HistoryRequest(
                channel="c", limit=-1, since=theirs.StreamPosition(offset=(1 << 64) - 1, epoch="e")
            ),
        )
        connect = theirs.Command(id=4, connect=theirs.ConnectRequest(data=b"{}"))
        connect.connect.subs["#42"].offset = 7

        [one, other] = CODEC.decode(framed(history, connect))

        assert one.request == HistoryRequest("c", -1, Position((1 << 64) - 1, "e"))
        assert other.request == ConnectRequest(subs={"#42": SubscribeRequest(offset=7)})

    def test_payloads_are_bytes(self) -> None:
        commands = [
            theirs.Command(id=1, publish=theirs.PublishRequest(channel="c", data=b"{}")),
            theirs.Command(id=2, rpc=theirs.RPCRequest(method="m", data=b"[]")),
            theirs.Command(send=theirs.SendRequest(data=b"1")),
        ]

        assert [one.request for one in CODEC.decode(framed(*commands))] == [
            PublishRequest("c", b"{}"),
            RpcRequest(b"[]", "m"),
            SendRequest(b"1"),
        ]

    def test_a_filter_is_seen(self) -> None:
        command = theirs.Command(id=1, subscribe=theirs.SubscribeRequest(channel="c"))
        command.subscribe.tf.op = "and"

        [subscribe] = CODEC.decode(framed(command))

        assert isinstance(subscribe.request, SubscribeRequest)
        assert subscribe.request.tf is not None

    @pytest.mark.parametrize(
        "frame", [b"", b"\x05\x08", b"\xff\xff\xff\xff\xff\xff", b"\x02\xff\xff", b"\x80"]
    )
    def test_what_is_no_protobuf_is_malformed(self, frame: bytes) -> None:
        with pytest.raises(Malformed):
            CODEC.decode(frame)

    @given(st.binary(max_size=60))
    def test_any_bytes_are_commands_or_malformed(self, frame: bytes) -> None:
        try:
            commands = CODEC.decode(frame)
        except Malformed:
            return
        assert commands


class TestReplies:
    @pytest.mark.parametrize(
        "result",
        [
            ConnectResult("c1", ping=25, pong=True, subs={"#42": SubscribeResult(offset=3, epoch="e")}),
            SubscribeResult(
                recoverable=True,
                epoch="e",
                offset=9,
                publications=[Publication(b"1", offset=4, tags={"a": "b"})],
            ),
            PublishResult(),
            PresenceResult({"c1": ClientInfo("42", "c1", b"{}")}),
            HistoryResult([Publication(b"{}", info=ClientInfo("42", "c1"))], "e", 3),
        ],
    )
    def test_say_what_json_says(self, result: Any) -> None:
        mine = CODEC.reply(7, result)

        found = read(mine)

        assert found["id"] == 7
        assert set(found) == {"id", JsonCodec().reply(7, result).split(b'"')[3].decode()}

    def test_are_read_by_the_official_client(self) -> None:
        assert read(CODEC.reply(1, SubscribeResult(offset=3, epoch="e", recoverable=True))) == {
            "id": 1,
            "subscribe": {"recoverable": True, "epoch": "e", "offset": "3"},
        }
        assert read(CODEC.refusal(1, INTERNAL)) == {
            "id": 1,
            "error": {"code": 100, "message": "internal server error", "temporary": True},
        }

    def test_longer_than_one_byte_of_length_are_delimited_by_a_varint(self) -> None:
        message = CODEC.push("c", Publication(bytes(300)))

        assert message[0] & 0x80
        assert (message[0] & 0x7F) | (message[1] << 7) == len(message) - 2


def test_pushes_are_read_by_the_official_client() -> None:
    assert read(CODEC.push("c", Join(ClientInfo("42", "c1")))) == {
        "push": {"channel": "c", "join": {"info": {"user": "42", "client": "c1"}}}
    }
    assert read(CODEC.push("c", UNSUBSCRIBED_EXPIRED)) == {
        "push": {"channel": "c", "unsubscribe": {"code": 2501, "reason": "subscription expired"}}
    }
    assert read(CODEC.push("", SHUTDOWN)) == {"push": {"disconnect": {"code": 3001, "reason": "shutdown"}}}
