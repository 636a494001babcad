"""The protocol in JSON, as the SDKs write and read it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.realtime.codes import INTERNAL, PERMISSION_DENIED, SHUTDOWN, UNSUBSCRIBED_EXPIRED
from libs.realtime.json_codec import JsonCodec
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
    PresenceStatsResult,
    Publication,
    PublishRequest,
    PublishResult,
    RpcRequest,
    RpcResult,
    SendRequest,
    SubscribeRequest,
    SubscribeResult,
)

CODEC = JsonCodec()


class TestCommands:
    def test_of_one_frame_stand_on_lines(self) -> None:
        frame = (
            b'{"connect":{"token":"tok","name":"js"},"id":1}\n'
            b'{"subscribe":{"channel":"ns:ch","flag":1,"recover":true,"offset":3,"epoch":"AAAA"},"id":2}\n'
        )

        assert CODEC.decode(frame) == [
            Command(1, ConnectRequest("tok")),
            Command(2, SubscribeRequest("ns:ch", flag=1, recover=True, offset=3, epoch="AAAA")),
        ]

    def test_an_empty_one_is_a_pong(self) -> None:
        assert CODEC.decode(b"{}") == [Command()]

    def test_payloads_are_kept_as_json(self) -> None:
        [publish, rpc, send] = CODEC.decode(
            b'{"id":1,"publish":{"channel":"c","data":{"a": [1, 2.5, "\\u00e4", null]}}}\n'
            b'{"id":2,"rpc":{"method":"m","data":null}}\n'
            b'{"send":{"data":"x"}}'
        )

        assert publish.request == PublishRequest("c", '{"a":[1,2.5,"\u00e4",null]}'.encode())
        assert rpc.request == RpcRequest(b"", "m")
        assert send.request == SendRequest(b'"x"')

    def test_positions_are_plain_numbers(self) -> None:
        [command] = CODEC.decode(
            b'{"id":3,"history":{"channel":"c","limit":-1,"reverse":true,"since":{"offset":18446744073709551615}}}'
        )

        assert command.request == HistoryRequest("c", -1, Position((1 << 64) - 1), reverse=True)

    def test_of_a_connect_know_the_server_side_subscriptions(self) -> None:
        [command] = CODEC.decode(
            b'{"id":1,"connect":{"subs":{"#42":{"recover":true,"offset":7,"epoch":"e"}}}}'
        )

        assert command.request == ConnectRequest(
            subs={"#42": SubscribeRequest(recover=True, offset=7, epoch="e")}
        )

    def test_fields_that_nobody_knows_are_ignored(self) -> None:
        assert CODEC.decode(b'{"id":1,"connect":{"token":"t","new":[1]},"newer":{}}') == [
            Command(1, ConnectRequest("t"))
        ]

    @given(st.binary(max_size=60))
    def test_any_bytes_are_commands_or_malformed(self, frame: bytes) -> None:
        try:
            commands = CODEC.decode(frame)
        except Malformed:
            return
        assert commands

    @pytest.mark.parametrize("value", ['"\\ud800"', "NaN", "Infinity"])
    def test_json_that_could_not_be_passed_on_is_malformed(self, value: str) -> None:
        with pytest.raises(Malformed):
            CODEC.decode(b'{"id":1,"publish":{"channel":"c","data":%b}}' % value.encode())


class TestReplies:
    def test_leave_out_what_is_zero(self) -> None:
        assert CODEC.reply(1, ConnectResult("c1", ping=25, pong=True)) == (
            b'{"id":1,"connect":{"client":"c1","ping":25,"pong":true}}'
        )
        assert CODEC.reply(2, PublishResult()) == b'{"id":2,"publish":{}}'

    def test_keep_the_fields_that_the_sdks_rely_on(self) -> None:
        assert CODEC.reply(1, HistoryResult()) == (
            b'{"id":1,"history":{"publications":[],"epoch":"","offset":0}}'
        )
        assert CODEC.reply(1, PresenceStatsResult()) == (
            b'{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}'
        )
        assert CODEC.reply(1, PresenceResult({"c1": ClientInfo("", "c1")})) == (
            b'{"id":1,"presence":{"presence":{"c1":{"user":"","client":"c1"}}}}'
        )

    def test_embed_payloads_as_they_are(self) -> None:
        assert CODEC.reply(7, RpcResult(b'{"a":1.0}')) == b'{"id":7,"rpc":{"data":{"a":1.0}}}'

    def test_hold_what_was_missed(self) -> None:
        missed = [Publication(b"1", offset=4, tags={"type": "x.y"})]
        reply = CODEC.reply(
            3, SubscribeResult(recoverable=True, epoch="e", publications=missed, recovered=True, offset=3)
        )

        assert json.loads(reply) == {
            "id": 3,
            "subscribe": {
                "recoverable": True,
                "epoch": "e",
                "publications": [{"data": 1, "offset": 4, "tags": {"type": "x.y"}}],
                "recovered": True,
                "offset": 3,
            },
        }

    def test_of_errors_say_whether_to_try_again(self) -> None:
        assert CODEC.refusal(1, PERMISSION_DENIED) == (
            b'{"id":1,"error":{"code":103,"message":"permission denied"}}'
        )
        assert CODEC.refusal(1, INTERNAL) == (
            b'{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}'
        )


class TestPushes:
    def test_carry_publications_with_who_said_it(self) -> None:
        info = ClientInfo("42", "c1", conn_info=b'{"n":1}')

        assert CODEC.push("c", Publication(b"{}", info=info, offset=9)) == (
            b'{"push":{"channel":"c","pub":{"data":{},"info":{"user":"42","client":"c1","conn_info":{"n":1}},"offset":9}}}'
        )

    def test_name_what_they_tell(self) -> None:
        assert CODEC.push("c", Join(ClientInfo("42", "c1"))) == (
            b'{"push":{"channel":"c","join":{"info":{"user":"42","client":"c1"}}}}'
        )
        assert CODEC.push("c", UNSUBSCRIBED_EXPIRED) == (
            b'{"push":{"channel":"c","unsubscribe":{"code":2501,"reason":"subscription expired"}}}'
        )
        assert CODEC.push("", SHUTDOWN) == b'{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}'
