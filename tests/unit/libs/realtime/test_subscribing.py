"""Entering a channel: who may, and what was missed."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from typing_extensions import override

from libs.realtime.feed import Event
from libs.realtime.memory_log import MemoryLog, MemoryStream
from libs.realtime.node import Node
from libs.realtime.ports import Presence, Present
from libs.realtime.protocol import ClientInfo
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient, new_node


async def say(node: Node, channel: str, *data: int) -> None:
    for one in data:
        await node.log.append(Event("realtime.test.said", channel, b"%d" % one, f"{channel}{one}"))


class TestPermission:
    @pytest.mark.parametrize(
        ("channel", "error"),
        [
            ("nowhere:a", (102, "unknown channel")),
            ("plain", (102, "unknown channel")),
            ("user:#bob", (103, "permission denied")),
            ("user:ann", (103, "permission denied")),
            ("public:dialog#bob,carl", (103, "permission denied")),
            ("$public:news", (103, "permission denied")),
            ("closed:a", (103, "permission denied")),
            ("x" * 256, (107, "bad request")),
        ],
    )
    async def test_is_refused_unless_a_rule_gives_it(
        self, ann: FakeClient, channel: str, error: tuple[int, str]
    ) -> None:
        assert await ann.error(subscribe={"channel": channel}) == error

    async def test_is_given_to_whom_the_channel_names(self, ann: FakeClient) -> None:
        assert "error" not in await ann.ask(subscribe={"channel": "user:dialog#ann,bob"})

    async def test_is_not_asked_for_twice(self, ann: FakeClient) -> None:
        await ann.ask(subscribe={"channel": "public:a"})

        assert await ann.error(subscribe={"channel": "public:a"}) == (105, "already subscribed")
        assert await ann.error(subscribe={"channel": "user:#ann"}) == (105, "already subscribed")

    async def test_is_bounded_per_connection(self) -> None:
        node = new_node(max_channels=3)
        await node.start()
        client = FakeClient(node)
        await client.connect()
        for name in "ab":
            await client.ask(subscribe={"channel": f"public:{name}"})

        assert await client.error(subscribe={"channel": "public:c"}) == (106, "limit exceeded")
        await node.stop()

    @pytest.mark.parametrize("request_", [{"channel": ""}, {"channel": "public:a", "delta": "other"}])
    async def test_bad_requests_cost_the_connection(self, ann: FakeClient, request_: dict[str, str]) -> None:
        ann.send({"id": 9, "subscribe": request_})

        assert await ann.until_closed() == (3501, "bad request")

    async def test_kinds_of_subscription_that_are_not_there_are_not_available(self, ann: FakeClient) -> None:
        assert await ann.error(subscribe={"channel": "public:a", "type": 1}) == (108, "not available")


class TestPosition:
    async def test_is_told_where_the_namespace_recovers(self, node: Node, ann: FakeClient) -> None:
        await say(node, "public:a", 1, 2)

        result = await ann.ask(subscribe={"channel": "public:a"})

        assert result == {
            "recoverable": True,
            "positioned": True,
            "epoch": node.feed.position.epoch,
            "offset": 2,
        }

    async def test_is_not_told_elsewhere(self, ann: FakeClient) -> None:
        assert await ann.ask(subscribe={"channel": "live:a"}) == {}

    async def test_nothing_comes_before_the_answer_nor_what_it_holds_again(
        self, node: Node, ann: FakeClient
    ) -> None:
        await say(node, "public:a", 1)
        ann.send({"id": 50, "subscribe": {"channel": "public:a", "recover": True}})
        await say(node, "public:a", 2)

        reply = await ann.reply(50)
        await say(node, "public:a", 3)
        await ann.until(lambda: ann.publications()[-1:] == [3])

        in_the_reply = [one["data"] for one in reply["subscribe"].get("publications", [])]
        assert in_the_reply + ann.publications() == [1, 2, 3]


class TestRecovery:
    async def subscribe(
        self, client: FakeClient, offset: int, epoch: str, **request: object
    ) -> dict[str, object]:
        position = {"recover": True, "offset": offset, "epoch": epoch}
        result = await client.ask(subscribe={"channel": "public:a", **position, **request})
        assert isinstance(result, dict)
        return result

    async def test_gives_what_was_missed(self, node: Node, ann: FakeClient) -> None:
        await say(node, "public:a", 1, 2)
        await say(node, "public:b", 7)
        await say(node, "public:a", 3)

        result = await self.subscribe(ann, 1, node.feed.position.epoch)

        assert [one["data"] for one in result["publications"]] == [2, 3]  # type: ignore[attr-defined]
        assert (result["recovered"], result["was_recovering"], result["offset"]) == (True, True, 1)

    async def test_of_a_quiet_channel_moves_the_position_on(self, node: Node, ann: FakeClient) -> None:
        await say(node, "public:a", 1)
        await say(node, "public:b", 7)

        result = await self.subscribe(ann, 1, node.feed.position.epoch)

        assert "publications" not in result
        assert (result["recovered"], result["offset"]) == (True, 2)

    async def test_is_denied_when_something_was_dropped(self, node: Node, ann: FakeClient) -> None:
        await say(node, "public:a", *range(8))  # five are kept

        denied = await self.subscribe(ann, 2, node.feed.position.epoch)
        await ann.ask(unsubscribe={"channel": "public:a"})
        given = await self.subscribe(ann, 3, node.feed.position.epoch)

        assert "recovered" not in denied
        assert denied["offset"] == 8
        assert [one["data"] for one in given["publications"]] == [3, 4, 5, 6, 7]  # type: ignore[attr-defined]

    async def test_is_denied_under_another_epoch(self, node: Node, ann: FakeClient) -> None:
        result = await self.subscribe(ann, 0, "another")

        assert (result.get("recovered"), result["was_recovering"]) == (None, True)
        assert result["epoch"] == node.feed.position.epoch

    async def test_takes_an_empty_epoch_for_any(self, node: Node, ann: FakeClient) -> None:
        await say(node, "public:a", 1)

        assert (await self.subscribe(ann, 0, ""))["recovered"] is True

    async def test_that_must_not_fail_is_refused_when_it_would(self, node: Node, ann: FakeClient) -> None:
        reply = await ann.ask(
            subscribe={"channel": "public:a", "recover": True, "offset": 0, "epoch": "another", "flag": 2}
        )

        assert reply["error"] == {"code": 112, "message": "unrecoverable position"}
        assert node.hub.listeners("public:a") == 0

    async def test_waits_for_a_process_that_is_behind_the_client(self, node: Node, ann: FakeClient) -> None:
        epoch = node.feed.position.epoch
        waiting = asyncio.create_task(self.subscribe(ann, 2, epoch))
        await asyncio.sleep(0.01)
        assert not waiting.done()

        await say(node, "public:a", 1, 2, 3)

        assert [one["data"] for one in (await waiting)["publications"]] == [3]  # type: ignore[attr-defined]

    async def test_is_worth_another_try_when_the_process_stays_behind(self) -> None:
        node = new_node(catch_up=0.01)
        await node.start()
        ann = FakeClient(node)
        await ann.connect()

        reply = await ann.ask(
            subscribe={
                "channel": "public:a",
                "recover": True,
                "offset": 9,
                "epoch": node.feed.position.epoch,
            }
        )
        assert reply["error"]["temporary"] is True
        await node.stop()

    async def test_of_server_side_subscriptions_comes_with_the_connect(self, node: Node) -> None:
        await say(node, "user:#ann", 1, 2)
        client = FakeClient(node)

        result = await client.connect(
            "ann/s1", subs={"user:#ann": {"recover": True, "offset": 1, "epoch": node.feed.position.epoch}}
        )

        mine = result["subs"]["user:#ann"]
        assert mine["recovered"] is True
        assert [one["data"] for one in mine["publications"]] == [2]


class TestGap:
    async def test_tells_whoever_relies_on_a_position(
        self, node: Node, ann: FakeClient, bob: FakeClient
    ) -> None:
        bob.session.unsubscribe("user:#bob")
        await bob.ask(subscribe={"channel": "public:a"})
        await bob.ask(subscribe={"channel": "live:a"})

        node.feed.lose()
        await asyncio.sleep(0)

        assert await ann.until_closed() == (3010, "insufficient state")
        assert bob.pushes() == [
            {"channel": "public:a", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}
        ]
        assert list(bob.session.subscriptions) == ["live:a"]

    async def test_lets_nobody_in_who_could_be_told_nothing(self, node: Node, bob: FakeClient) -> None:
        node.feed.lose()
        other = FakeClient(node)

        reply = await other.ask(connect={"token": "carl/s3"})

        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}


class Held(Presence):
    """A store that takes its time."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    @override
    async def write(self, *, present: Sequence[Present] = (), gone: Sequence[Present] = ()) -> None:
        self.asked.set()
        await self.go_on.wait()

    @override
    async def clients(self, channel: str) -> Mapping[str, ClientInfo]:
        return {}


class TestGapWhileEntering:
    async def test_lets_the_client_in_to_no_channel_that_it_would_miss_something_of(self) -> None:
        presence = Held()
        node = new_node(presence=presence, namespaces={"room": NAMESPACES["room"]})
        await node.start()
        ann = FakeClient(node)
        await ann.connect()
        position = {"recover": True, "offset": 0, "epoch": node.feed.position.epoch}
        ann.send({"id": 50, "subscribe": {"channel": "room:1", **position}})
        await presence.asked.wait()

        node.feed.lose()
        presence.go_on.set()

        reply = await ann.reply(50)
        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
        assert node.hub.listeners("room:1") == 0
        await node.stop()

    async def test_keeps_a_client_out_that_was_waited_for(self, node: Node) -> None:
        client = FakeClient(node)
        epoch = node.feed.position.epoch
        subs = {"user:#ann": {"recover": True, "offset": 150, "epoch": epoch}}
        client.send({"id": 1, "connect": {"token": "ann/s1", "subs": subs}})
        await asyncio.sleep(0.01)

        node.feed.lose()
        node.feed.begin(149)
        node.feed.add(150, Event("e", "user:#zoe", b"1", "m0"))  # the tail is read again, and not to its end

        reply = await client.reply(1)
        assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
        assert node.hub.listeners("user:#ann") == 0


async def test_two_nodes_of_one_log_agree() -> None:
    stream = MemoryStream()
    nodes = [new_node(log=MemoryLog(stream)) for _ in range(2)]
    heard = []
    for node in nodes:
        await node.start()
        client = FakeClient(node)
        await client.connect()
        await client.ask(subscribe={"channel": "public:a"})
        heard.append(client)

    await say(nodes[0], "public:a", 1, 2)
    await asyncio.sleep(0)

    assert heard[0].pushes() == heard[1].pushes()
    assert heard[1].publications() == [1, 2]
    for node in nodes:
        await node.stop()
