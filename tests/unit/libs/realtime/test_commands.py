"""What a client may ask beside its subscriptions."""

import asyncio

import pytest
from typing_extensions import override

from libs.messaging import Unavailable
from libs.realtime.commands import CLIENT_EVENT
from libs.realtime.feed import Event, Movement
from libs.realtime.memory_log import MemoryLog
from libs.realtime.node import Node
from tests.unit.libs.realtime.clients import FakeClient, new_node


class TestPublish:
    async def test_reaches_every_subscriber_and_the_publisher(self, ann: FakeClient, bob: FakeClient) -> None:
        for client in (ann, bob):
            await client.ask(subscribe={"channel": "room:1"})

        assert await ann.ask(publish={"channel": "room:1", "data": {"n": 1}}) == {}
        await asyncio.sleep(0)

        for client in (ann, bob):
            [push] = [one for one in client.pushes() if "pub" in one]
            assert push == {
                "channel": "room:1",
                "pub": {
                    "data": {"n": 1},
                    "info": {"user": "ann", "client": ann.session.id},
                    "offset": push["pub"]["offset"],
                    "tags": {"type": CLIENT_EVENT},
                },
            }

    @pytest.mark.parametrize(
        ("channel", "error"),
        [
            ("public:a", (103, "permission denied")),
            ("room:other", (103, "permission denied")),
            ("nowhere:a", (102, "unknown channel")),
        ],
    )
    async def test_is_refused_unless_the_namespace_lets_its_subscribers(
        self, ann: FakeClient, channel: str, error: tuple[int, str]
    ) -> None:
        await ann.ask(subscribe={"channel": "public:a"})

        assert await ann.error(publish={"channel": channel, "data": 1}) == error

    async def test_without_data_says_nothing(self, ann: FakeClient) -> None:
        await ann.ask(subscribe={"channel": "room:1"})

        assert await ann.error(publish={"channel": "room:1"}) == (107, "bad request")

    async def test_of_more_than_a_publication_may_have_is_refused_and_not_dropped(self) -> None:
        node = new_node(max_publication=1024)
        await node.start()
        ann = FakeClient(node)
        await ann.connect()
        await ann.ask(subscribe={"channel": "live:1"})

        assert await ann.error(publish={"channel": "live:1", "data": "x" * 1023}) == (107, "bad request")
        assert await ann.ask(publish={"channel": "live:1", "data": "x" * 1022}) == {}
        await node.stop()

    async def test_is_in_the_history_once_it_is_answered(self) -> None:
        """The log of a broker is read back a little later than it confirms."""

        class Late(MemoryLog):
            @override
            async def append(self, content: Event | Movement) -> None:
                later.append(asyncio.create_task(self.read(content)))

            async def read(self, content: Event | Movement) -> None:
                await asyncio.sleep(0.02)
                await super().append(content)

        later: list[asyncio.Task[None]] = []
        node = new_node(log=Late())
        await node.start()
        client = FakeClient(node)
        await client.connect()
        await client.ask(subscribe={"channel": "room:1"})

        await client.ask(publish={"channel": "room:1", "data": 1})
        page = await client.ask(history={"channel": "room:1", "limit": 5})

        assert [one["data"] for one in page["publications"]] == [1]
        await node.stop()

    async def test_that_the_log_does_not_take_is_worth_another_try(self) -> None:
        class Full(MemoryLog):
            @override
            async def append(self, content: Event | Movement) -> None:
                raise Unavailable

        node = new_node(log=Full())
        await node.start()
        client = FakeClient(node)
        await client.connect()
        await client.ask(subscribe={"channel": "room:1"})

        assert await client.error(publish={"channel": "room:1", "data": 1}) == (100, "internal server error")
        await node.stop()


class TestHistory:
    @pytest.fixture
    async def ann(self, node: Node) -> FakeClient:
        """A subscriber of a channel in which four things were said."""
        client = FakeClient(node)
        await client.connect("ann/s1")
        await client.ask(subscribe={"channel": "public:a"})
        for number in range(1, 5):
            await node.log.append(Event("x.y", "public:a", b"%d" % number, ""))
        return client

    async def ask(self, client: FakeClient, **request: object) -> list[int]:
        result = await client.ask(history={"channel": "public:a", **request})
        return [one["data"] for one in result["publications"]]

    async def test_without_a_limit_is_the_position_alone(self, node: Node, ann: FakeClient) -> None:
        assert await ann.ask(history={"channel": "public:a"}) == {
            "publications": [],
            "epoch": node.feed.position.epoch,
            "offset": 4,
        }

    async def test_is_asked_for_in_pieces(self, ann: FakeClient) -> None:
        assert await self.ask(ann, limit=2) == [1, 2]
        assert await self.ask(ann, limit=-1) == [1, 2, 3, 4]
        assert await self.ask(ann, limit=2, since={"offset": 2}) == [3, 4]
        assert await self.ask(ann, limit=2, reverse=True) == [4, 3]
        assert await self.ask(ann, limit=-1, reverse=True, since={"offset": 3}) == [2, 1]

    async def test_since_a_position_of_another_log_cannot_be_told(self, ann: FakeClient) -> None:
        error = await ann.error(
            history={"channel": "public:a", "limit": 1, "since": {"offset": 1, "epoch": "z"}}
        )

        assert error == (112, "unrecoverable position")

    @pytest.mark.parametrize(
        ("request_", "error"),
        [
            ({"channel": "live:a"}, (108, "not available")),
            ({"channel": "closed:a"}, (103, "permission denied")),
            ({"channel": "public:other"}, (103, "permission denied")),
            ({"channel": "public:a", "reverse": True, "since": {"offset": 0}}, (107, "bad request")),
        ],
    )
    async def test_is_refused_where_it_cannot_be_given(
        self, ann: FakeClient, request_: dict[str, object], error: tuple[int, str]
    ) -> None:
        assert await ann.error(history=request_) == error


class TestCalls:
    async def test_are_answered(self, ann: FakeClient) -> None:
        assert await ann.ask(rpc={"method": "echo", "data": {"a": 1}}) == {"data": {"a": 1}}

    async def test_are_not_available_where_there_is_nothing_to_call(self) -> None:
        node = new_node(rpc=None)
        await node.start()
        client = FakeClient(node)
        await client.connect()

        assert await client.error(rpc={"method": "echo"}) == (108, "not available")
        await node.stop()

    async def test_that_take_too_long_are_answered_before_the_client_gives_up(self) -> None:
        node = new_node(command_timeout=0.01)
        await node.start()
        client = FakeClient(node)
        await client.connect()

        client.send({"id": 9, "rpc": {"method": "slow"}})
        await asyncio.sleep(0.05)

        assert (await client.reply(9))["error"]["code"] == 100
        await node.stop()


class TestUnsubscribe:
    async def test_ends_a_subscription(self, node: Node, ann: FakeClient) -> None:
        await ann.ask(subscribe={"channel": "public:a"})

        assert await ann.ask(unsubscribe={"channel": "public:a"}) == {}

        assert node.hub.listeners("public:a") == 0

    @pytest.mark.parametrize("command", ["unsubscribe", "sub_refresh", "presence", "history", "publish"])
    async def test_without_a_channel_is_none(self, ann: FakeClient, command: str) -> None:
        ann.send({"id": 9, command: {}})

        assert await ann.until_closed() == (3501, "bad request")

    async def test_is_harmless_without_one(self, ann: FakeClient) -> None:
        assert await ann.ask(unsubscribe={"channel": "public:a"}) == {}


async def test_a_namespace_may_be_open_to_clients_that_are_not_subscribed(
    node: Node, ann: FakeClient
) -> None:
    assert await ann.ask(publish={"channel": "lobby:a", "data": 1}) == {}

    result = await ann.ask(history={"channel": "lobby:a", "limit": 10})

    assert [one["info"]["user"] for one in result["publications"]] == ["ann"]
    assert node.hub.listeners("lobby:a") == 0
