"""One client: order, answers, ends."""

import asyncio
import time

import pytest
from typing_extensions import override

from libs.messaging import Caller
from libs.realtime.codes import SHUTDOWN
from libs.realtime.formats import MessageFormat
from libs.realtime.json_codec import JsonCodec
from libs.realtime.node import Node
from libs.realtime.protocol import Result, UnsubscribeResult
from tests.unit.libs.realtime.clients import FakeClient, new_node


class Stutter(JsonCodec):
    """Finds no words for one kind of answer."""

    @override
    def reply(self, command_id: int, result: Result) -> bytes:
        if isinstance(result, UnsubscribeResult):
            raise TypeError("no words")
        return super().reply(command_id, result)


class TestOrder:
    async def test_a_subscribe_may_be_pipelined_behind_a_connect_that_is_still_checked(
        self, client: FakeClient
    ) -> None:
        client.send(
            {"connect": {"token": "ann/s1"}, "id": 1}, {"subscribe": {"channel": "public:news"}, "id": 2}
        )

        await client.reply(2)

        assert [message["id"] for message in client.messages()] == [1, 2]

    async def test_a_second_frame_waits_behind_the_connect_too(self, client: FakeClient) -> None:
        client.send({"connect": {"token": "ann/s1"}, "id": 1})
        client.send({"subscribe": {"channel": "public:news"}, "id": 2})

        assert "subscribe" in await client.reply(2)

    async def test_a_slow_call_holds_nothing_up(self, ann: FakeClient) -> None:
        ann.send({"id": 50, "rpc": {"method": "slow"}}, {"id": 51, "rpc": {"method": "echo", "data": [1]}})

        assert (await ann.reply(51))["rpc"]["data"] == [1]

    async def test_calls_side_by_side_are_bounded(self) -> None:
        node = new_node(max_rpcs=2)
        await node.start()
        client = FakeClient(node)
        await client.connect()

        client.send(*({"id": 50 + n, "rpc": {"method": "slow"}} for n in range(3)))

        assert (await client.reply(52))["error"] == {
            "code": 111,
            "message": "too many requests",
            "temporary": True,
        }
        await node.stop()

    async def test_a_client_that_asks_faster_than_it_is_answered_is_held_back(self, ann: FakeClient) -> None:
        ann.send({"id": 40, "subscribe": {"channel": "public:a"}})
        ann.send(*({"id": 100 + n, "history": {"channel": "public:a", "limit": 1}} for n in range(200)))

        assert ann.connection.paused
        await ann.reply(299)
        await asyncio.sleep(0)
        assert not ann.connection.paused


class TestBadInput:
    @pytest.mark.parametrize(
        "frame",
        [
            b"",
            b"\n",
            b"not json",
            b"[]",
            b"null",
            b'{"id":-1,"connect":{}}',
            b'{"id":"1","connect":{}}',
            b'{"id":1,"connect":[]}',
            b'{"id":1,"connect":{"token":1}}',
            b'{"id":1,"connect":{"subs":[]}}',
            b'{"id":4294967296,"connect":{}}',
            b"\xff",
            b'{"id":1}',
            b'{"id":1,"ping":{}}',
            b"{}",
            b'{"id":0}',
            b'{"connect":{"token":"ann/s1"}}',
            b'{"send":{"data":1}}',
            b"{" * 100_000,
        ],
    )
    async def test_what_is_not_the_protocol_closes_the_connection(
        self, client: FakeClient, frame: bytes
    ) -> None:
        client.session.receive(frame)

        assert await client.until_closed() == (3501, "bad request")

    async def test_nothing_is_read_after_the_end(self, ann: FakeClient) -> None:
        ann.session.receive(b"not json")
        count = len(ann.messages())

        ann.send({"id": 9, "rpc": {"method": "echo"}})
        await asyncio.sleep(0.01)

        assert len(ann.messages()) == count

    async def test_a_client_that_says_too_much_is_closed(self) -> None:
        node = new_node(commands_per_second=1)
        await node.start()
        client = FakeClient(node)
        await client.connect()

        client.send(*({"id": 100 + n, "unsubscribe": {"channel": "public:a"}} for n in range(20)))

        assert await client.until_closed() == (3013, "too many requests")
        await node.stop()

    async def test_what_fails_inside_is_answered_and_tells_nothing(self, node: Node, ann: FakeClient) -> None:
        async def fail(method: str, data: bytes, caller: Caller) -> bytes:
            raise RuntimeError("secret")

        node.rpc = fail

        assert await ann.error(rpc={"method": "echo"}) == (100, "internal server error")

    async def test_an_answer_that_cannot_be_put_into_words_costs_no_other_command(
        self, ann: FakeClient
    ) -> None:
        ann.connection.format = MessageFormat(Stutter())
        ann.send(
            {"id": 50, "unsubscribe": {"channel": "a"}}, {"id": 51, "subscribe": {"channel": "public:a"}}
        )

        assert (await ann.reply(50))["error"]["code"] == 100
        assert "subscribe" in await ann.reply(51)


class TestConnect:
    async def test_says_who_the_client_is_and_how_it_is_pinged(self, client: FakeClient) -> None:
        result = await client.connect("ann/s1/600")

        assert result["client"] == client.session.id
        assert (result["ping"], result["pong"]) == (25, True)
        assert result["expires"] is True
        assert 598 <= result["ttl"] <= 600

    async def test_subscribes_the_client_to_its_own_channel(self, client: FakeClient) -> None:
        result = await client.connect("ann/s1")

        assert list(result["subs"]) == ["user:#ann"]
        assert result["subs"]["user:#ann"]["recoverable"] is True

    @pytest.mark.parametrize(
        ("token", "closed"),
        [
            ("", (3501, "bad request")),
            ("rubbish", (3500, "invalid token")),
            ("ended/s", (3500, "invalid token")),
        ],
    )
    async def test_a_token_that_is_no_good_closes_the_connection(
        self, client: FakeClient, token: str, closed: tuple[int, str]
    ) -> None:
        client.send({"id": 1, "connect": {"token": token}})

        assert await client.until_closed() == closed

    async def test_an_expired_token_is_answered_so_that_the_client_gets_another(
        self, client: FakeClient
    ) -> None:
        assert await client.error(connect={"token": "expired/s"}) == (109, "token expired")

    async def test_a_token_that_cannot_be_judged_now_is_worth_another_try(self, client: FakeClient) -> None:
        reply = await client.ask(connect={"token": "away/s"})

        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}

    async def test_after_a_refused_connect_nothing_is_taken(self, client: FakeClient) -> None:
        await client.error(connect={"token": "expired/s"})

        client.send({"id": 2, "connect": {"token": "ann/s1"}})

        assert await client.until_closed() == (3501, "bad request")

    async def test_comes_first_and_once(self, client: FakeClient, ann: FakeClient) -> None:
        client.send({"id": 1, "subscribe": {"channel": "public:news"}})
        ann.send({"id": 9, "connect": {"token": "ann/s1"}})

        assert await client.until_closed() == (3501, "bad request")
        assert await ann.until_closed() == (3501, "bad request")

    async def test_an_account_has_only_so_many_connections(self) -> None:
        node = new_node(max_connections_per_user=1)
        await node.start()
        first, second = FakeClient(node), FakeClient(node)
        await first.connect("ann/s1")

        second.send({"id": 1, "connect": {"token": "ann/s2"}})

        assert await second.until_closed() == (3504, "connection limit")
        await node.stop()

    async def test_who_does_not_connect_in_time_is_closed(self) -> None:
        node = new_node(connect_timeout=0.001)
        await node.start()
        stranger, known = FakeClient(node), FakeClient(node)
        await known.connect()
        await asyncio.sleep(0.01)

        node.registry.drop_strangers()

        assert await stranger.until_closed() == (3502, "stale")
        assert known.closed is None
        await node.stop()

    async def test_who_was_refused_and_stays_is_closed(self) -> None:
        node = new_node(connect_timeout=0.001)
        await node.start()
        node.feed.lose()
        client = FakeClient(node)
        assert await client.error(connect={"token": "ann/s1"}) == (100, "internal server error")
        await asyncio.sleep(0.01)

        node.registry.drop_strangers()

        assert await client.until_closed() == (3502, "stale")
        assert node.registry.of_user("ann") == []
        await node.stop()


class TestRefresh:
    async def test_keeps_the_connection_alive_under_a_newer_token(self, client: FakeClient) -> None:
        await client.connect("ann/s1/60")

        result = await client.ask(refresh={"token": "ann/s1/600"})

        assert result["expires"] is True
        assert 598 <= result["ttl"] <= 600
        assert client.session.who is not None
        assert client.session.who.expires_at == pytest.approx(time.time() + 600, abs=2)

    @pytest.mark.parametrize(
        ("token", "closed"),
        [
            ("", (3501, "bad request")),
            ("rubbish", (3500, "invalid token")),
            ("bob/s1", (3500, "invalid token")),
            ("expired/s", (3005, "connection expired")),
        ],
    )
    async def test_with_a_token_that_is_no_good_ends_the_connection(
        self, ann: FakeClient, token: str, closed: tuple[int, str]
    ) -> None:
        ann.send({"id": 9, "refresh": {"token": token}})

        assert await ann.until_closed() == closed

    async def test_of_another_session_is_found_by_that_session(self, node: Node, ann: FakeClient) -> None:
        await ann.ask(refresh={"token": "ann/s9"})

        assert node.registry.of_sid("s1") == []
        assert node.registry.of_sid("s9") == [ann.session]

    async def test_that_never_comes_ends_the_connection_after_its_grace(self) -> None:
        node = new_node(expiry_grace=0)
        await node.start()
        client = FakeClient(node)
        await client.connect("ann/s1/-1")

        client.session.beat()

        assert await client.until_closed() == (3005, "connection expired")
        await node.stop()

    async def test_is_not_waited_for_from_a_client_without_a_token(self) -> None:
        node = new_node(expiry_grace=3600)
        await node.start()
        by_cookie, by_token = FakeClient(node), FakeClient(node)
        by_cookie.session.handshake_token = "ann/s1/-1"
        await by_cookie.connect("")
        await by_token.connect("ann/s1/-1")

        by_cookie.session.beat()
        by_token.session.beat()

        assert await by_cookie.until_closed() == (3005, "connection expired")
        assert by_token.closed is None
        await node.stop()


class TestPing:
    async def test_is_an_empty_message_and_wants_one_back(self, ann: FakeClient) -> None:
        ann.session.beat()
        await asyncio.sleep(0)
        assert ann.messages()[-1] == {}

        ann.send({})
        ann.session.expect_pong()

        assert ann.closed is None

    async def test_without_an_answer_is_the_end(self, ann: FakeClient) -> None:
        ann.session.beat()

        ann.session.expect_pong()

        assert await ann.until_closed() == (3012, "no pong")

    async def test_a_pong_that_nobody_asked_for_is_let_pass(self, ann: FakeClient) -> None:
        ann.send({}, {})

        ann.session.expect_pong()

        assert ann.closed is None

    async def test_a_command_without_a_number_is_none(self, ann: FakeClient) -> None:
        ann.session.beat()

        ann.send({"rpc": {"method": "echo"}})

        assert await ann.until_closed() == (3501, "bad request")
        assert ann.session.awaiting_pong


class TestEnd:
    async def test_what_is_due_is_sent_before_the_close(self, node: Node, ann: FakeClient) -> None:
        await ann.ask(subscribe={"channel": "public:news"})
        ann.session.push(b'{"push":{}}')

        node.dismiss(SHUTDOWN)

        assert ann.messages()[-1] == {"push": {}}
        assert await ann.until_closed() == (3001, "shutdown")

    async def test_leaves_nothing_behind(self, node: Node, ann: FakeClient) -> None:
        await ann.ask(subscribe={"channel": "room:1"})

        ann.session.lost()

        assert len(node.registry) == 0
        assert node.registry.of_user("ann") == node.registry.of_sid("s1") == []
        assert node.hub.listeners("room:1") == node.hub.listeners("user:#ann") == 0

    async def test_gives_up_what_was_asked_for(self, node: Node, ann: FakeClient) -> None:
        ann.send({"id": 50, "rpc": {"method": "slow"}})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calls = set(ann.session._calls or ())
        assert calls

        ann.session.lost()
        await asyncio.wait(calls, timeout=30)

        assert all(call.cancelled() for call in calls)

    async def test_is_harmless_when_repeated(self, ann: FakeClient, bob: FakeClient) -> None:
        await bob.ask(subscribe={"channel": "room:1"})
        await ann.ask(subscribe={"channel": "room:1"})
        await bob.until(lambda: len(bob.pushes()) == 2)

        for _ in range(2):
            ann.session.lost()
            ann.session.unsubscribe("room:1")
        ann.session.beat()
        await bob.until(lambda: len(bob.pushes()) > 2)
        await asyncio.sleep(0.01)

        assert ann.closed is None
        assert [one["leave"]["info"]["user"] for one in bob.pushes() if "leave" in one] == ["ann"]

    async def test_a_message_that_wants_no_answer_has_nobody_to_take_it(self, ann: FakeClient) -> None:
        ann.send({"send": {"data": {}}})

        assert await ann.until_closed() == (3508, "not available")
