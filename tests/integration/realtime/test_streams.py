"""HTTP streams on a real server: what stands in for a WebSocket where none gets through."""

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from libs.app import EdgeSettings
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.realtime import MemoryLog, MemoryStream, RealtimeSettings, client_pb2
from libs.realtime.feed import Event
from tests.fixtures.realtime import Door, OpenDoor
from tests.fixtures.services import Vhost
from tests.fixtures.streams import HTTP_STREAM, SSE, streaming

pb: Any = client_pb2
BOTH = pytest.mark.parametrize("path", [HTTP_STREAM, SSE])
FRONT = "https://front.test"


async def post(url: str, body: object, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(url, json=body, headers=headers)


async def until_gone(door: Door) -> None:
    async with asyncio.timeout(30):
        while len(door.realtime._node.registry):  # ruff: ignore[async-busy-wait] - the kernel tells when
            await asyncio.sleep(0.01)


@BOTH
async def test_a_client_subscribes_and_is_given_publications(open_door: OpenDoor, path: str) -> None:
    log = MemoryLog()
    door = await open_door(log=log)
    async with streaming(door.http, path) as client:
        assert "user:#ann" in (await client.reply(1))["connect"]["subs"]
        await client.ask(id=2, subscribe={"channel": "public:news"})
        await log.append(Event("realtime.news.posted", "public:news", b'{"n":1}', "m1"))

        assert (await client.publication())["data"] == {"n": 1}


@BOTH
async def test_the_answer_is_passed_on_as_it_comes(open_door: OpenDoor, path: str) -> None:
    door = await open_door()
    async with streaming(door.http, path) as client:
        await client.reply(1)
        headers = client.answer.headers

        assert headers["content-type"].startswith(
            "text/event-stream" if path == SSE else "application/x-ndjson"
        )
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in headers
        assert "content-length" not in headers


@BOTH
async def test_pings_are_answered_by_requests_of_their_own(open_door: OpenDoor, path: str) -> None:
    door = await open_door(settings=RealtimeSettings(ping_interval=3, pong_timeout=2.5))
    async with streaming(door.http, path) as client:
        await client.reply(1)
        await client.until(lambda message: message == {})
        await client.send({})

        assert (await client.until_end())["code"] == 3012  # the second one was not answered
        assert client.messages.count({}) == 2


@BOTH
async def test_a_session_that_ends_ends_the_stream_with_its_code(open_door: OpenDoor, path: str) -> None:
    door = await open_door()
    async with streaming(door.http, path) as client:
        await client.reply(1)
        door.realtime.revoke("s1")

        assert await client.until_end() == {"code": 3500, "reason": "session ended"}


@pytest.mark.parametrize(
    ("token", "code"), [("garbage", 3500), ("", 3501)], ids=["no token of ours", "no token"]
)
async def test_a_token_is_judged_as_on_a_websocket(open_door: OpenDoor, token: str, code: int) -> None:
    door = await open_door()
    async with streaming(door.http, token=token) as client:
        assert (await client.until_end())["code"] == code


async def test_what_is_no_command_ends_the_stream(open_door: OpenDoor) -> None:
    door = await open_door()
    answer = await post(f"{door.http}{HTTP_STREAM}", {"id": "x"})

    assert (answer.status_code, answer.json()["push"]["disconnect"]["code"]) == (200, 3501)


async def test_a_stop_ends_every_stream_so_that_clients_go_elsewhere(open_door: OpenDoor) -> None:
    door = await open_door()
    async with streaming(door.http) as first, streaming(door.http, SSE, "bob/s2") as second:
        await first.reply(1)
        await second.reply(1)
        await door.realtime.dismiss()

        assert [(await one.until_end())["code"] for one in (first, second)] == [3001, 3001]
    async with streaming(door.http) as late:
        assert (await late.until_end())["code"] == 3001


@BOTH
async def test_a_client_that_goes_leaves_nothing_behind(open_door: OpenDoor, path: str) -> None:
    door = await open_door()
    async with streaming(door.http, path) as client:
        await client.reply(1)
        gone = client.path
    await until_gone(door)

    answer = await post(f"{door.http}/emulation", {**gone, "data": "{}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "realtime.session_not_found")
    assert door.realtime._emulation._takers == {}


async def test_a_client_that_stops_reading_is_cut_off(open_door: OpenDoor) -> None:
    log = MemoryLog()
    door = await open_door(log=log, settings=RealtimeSettings(max_pending=262_144))
    async with streaming(door.http, token="bob/s2") as other:
        await other.reply(1)
        await other.ask(id=2, subscribe={"channel": "public:news"})
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=4096)
        body = b'{"id":1,"connect":{"token":"ann/s1"}}\n{"id":2,"subscribe":{"channel":"public:news"}}'
        head = b"POST /connection/http_stream HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        writer.write(head + body)
        await reader.readuntil(b'"id":2')
        count = 0
        async with asyncio.timeout(30):
            while door.realtime._node.registry.of_sid("s1"):
                count += 1
                await log.append(Event("x.y", "public:news", b'"%b"' % (b"x" * 50_000), f"m{count}"))
                await asyncio.sleep(0)
            while len(door.server.server_state.connections) > 2:  # ruff: ignore[async-busy-wait] - the clock cuts it
                await asyncio.sleep(0.05)
        writer.transport.abort()

        await other.until(lambda _: sum("pub" in one.get("push", {}) for one in other.messages) == count)


class TestProtobuf:
    async def test_is_spoken_both_ways(self, open_door: OpenDoor) -> None:
        door = await open_door()
        binary = {"content-type": "application/octet-stream"}
        first = pb.Command(id=1, connect=pb.ConnectRequest(token="ann/s1"))
        async with (
            httpx.AsyncClient(base_url=door.http, trust_env=False, headers=binary) as http,
            http.stream("POST", HTTP_STREAM, content=delimited(first)) as answer,
        ):
            chunks = answer.aiter_raw()
            replies = Replies()
            connect = (await replies.next(chunks)).connect
            command = delimited(pb.Command(id=2, subscribe=pb.SubscribeRequest(channel="public:news")))
            request = pb.EmulationRequest(session=connect.session, node=connect.node, data=command)
            sent = await http.post("/emulation", content=request.SerializeToString())
            reply = await replies.next(chunks)

        assert answer.headers["content-type"] == "application/octet-stream"
        assert (sent.status_code, reply.id, reply.subscribe.recoverable) == (204, 2, True)

    async def test_that_cannot_be_read_is_refused(self, open_door: OpenDoor) -> None:
        door = await open_door()
        async with httpx.AsyncClient(base_url=door.http, trust_env=False) as http:
            headers = {"content-type": "application/octet-stream"}
            answer = await http.post("/emulation", content=b"\xff\xff", headers=headers)

        assert answer.status_code == 400


def delimited(message: Any) -> bytes:
    raw: bytes = message.SerializeToString()
    assert len(raw) < 128
    return bytes([len(raw)]) + raw


class Replies:
    """Takes messages out of a stream of chunks."""

    def __init__(self) -> None:
        self._rest = b""

    async def next(self, chunks: Any) -> Any:
        while True:
            size, start = self._length()
            if start and len(self._rest) >= start + size:
                message, self._rest = self._rest[start : start + size], self._rest[start + size :]
                return pb.Reply.FromString(message)
            self._rest += await anext(chunks)

    def _length(self) -> tuple[int, int]:
        """The length that stands before a message, and where the message starts; 0 while it is not all there."""
        size = 0
        for index, byte in enumerate(self._rest):
            size |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return size, index + 1
        return 0, 0


class TestOrigins:
    SETTINGS = RealtimeSettings(allowed_origins=frozenset({FRONT}))

    @pytest.mark.parametrize("path", [HTTP_STREAM, SSE, "/emulation"])
    async def test_another_page_is_refused(self, open_door: OpenDoor, path: str) -> None:
        door = await open_door(settings=self.SETTINGS)
        answer = await post(door.http + path, {}, origin="https://elsewhere.test")

        assert (answer.status_code, answer.json()["code"]) == (403, "realtime.origin_refused")
        assert "access-control-allow-origin" not in answer.headers

    @BOTH
    async def test_an_allowed_page_may_read_the_stream(self, open_door: OpenDoor, path: str) -> None:
        cors_of_everything_else = EdgeSettings(cors_origins=frozenset({FRONT}))
        door = await open_door(settings=self.SETTINGS, edge=cors_of_everything_else)
        async with streaming(door.http, path, origin=FRONT) as client:
            await client.reply(1)
            headers = client.answer.headers

        assert headers.get_list("access-control-allow-origin") == [FRONT]
        assert headers["access-control-allow-credentials"] == "true"
        assert headers.get_list("vary") == ["origin"]

    @pytest.mark.parametrize("path", [HTTP_STREAM, SSE, "/emulation"])
    async def test_a_preflight_is_told_what_may_be_sent(self, open_door: OpenDoor, path: str) -> None:
        door = await open_door(settings=self.SETTINGS)
        asked = {
            "origin": FRONT,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type, x-trace",
        }
        async with httpx.AsyncClient(base_url=door.http, trust_env=False) as http:
            answer = await http.options(path, headers=asked)

        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == FRONT
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == "content-type, x-trace"
        assert answer.headers["access-control-max-age"] == "300"

    async def test_an_allowed_page_may_read_why_it_was_refused(self, open_door: OpenDoor) -> None:
        door = await open_door(settings=self.SETTINGS)
        answer = await post(f"{door.http}/emulation", {}, origin=FRONT)

        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (400, FRONT)


class TestRequests:
    @pytest.mark.parametrize("body", [[], {"session": "s"}, {"session": 1, "node": "n", "data": ""}])
    async def test_that_cannot_be_read_are_refused(self, open_door: OpenDoor, body: object) -> None:
        door = await open_door()

        assert (await post(f"{door.http}/emulation", body)).status_code == 400

    @pytest.mark.parametrize("node", ["", "n0123456789abcdef", "gateway.x", "n0123456789abcdef.#"])
    async def test_for_an_unknown_process_are_not_found(self, open_door: OpenDoor, node: str) -> None:
        door = await open_door()
        answer = await post(f"{door.http}/emulation", {"session": "s", "node": node, "data": "{}"})

        assert answer.status_code == 404

    @pytest.mark.parametrize("path", [HTTP_STREAM, SSE, "/emulation"])
    async def test_that_are_too_large_are_refused(self, open_door: OpenDoor, path: str) -> None:
        door = await open_door(settings=RealtimeSettings(max_message=1024))

        assert (await post(door.http + path, {"data": "x" * 2000})).status_code == 413

    async def test_with_another_method_are_refused(self, open_door: OpenDoor) -> None:
        door = await open_door()
        async with httpx.AsyncClient(base_url=door.http, trust_env=False) as http:
            answer = await http.get(HTTP_STREAM)
            without_command = await http.get(SSE)

        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
        assert without_command.status_code == 400


async def gateway(open_door: OpenDoor, vhost: Vhost, stream: MemoryStream) -> tuple[Door, RabbitBus]:
    """A process of its own, as far as RabbitMQ can tell."""
    settings = BrokerSettings(url=SecretStr(vhost.url_for("gateway")))
    bus = await RabbitBus.open(settings, name="gateway")
    return await open_door(bus=bus, log=MemoryLog(stream)), bus


async def two_gateways(
    open_door: OpenDoor, vhost: Vhost
) -> tuple[tuple[Door, RabbitBus], tuple[Door, RabbitBus]]:
    stream = MemoryStream()
    return await gateway(open_door, vhost, stream), await gateway(open_door, vhost, stream)


class TestTwoProcesses:
    @BOTH
    async def test_a_request_reaches_its_session_from_the_other_one(
        self, open_door: OpenDoor, vhost: Vhost, path: str
    ) -> None:
        (one, bus), (other, other_bus) = await two_gateways(open_door, vhost)
        async with streaming(one.http, path) as client:
            await client.reply(1)
            client.emulation = f"{other.http}/emulation"
            await client.ask(id=2, subscribe={"channel": "public:news"})
            await one.realtime._node.log.append(Event("x.y", "public:news", b"7", "m1"))
            publication = await client.publication()
            large = await client.ask(id=3, rpc={"method": "x", "data": "x" * 60_000})
        await bus.close()
        await other_bus.close()

        assert publication["data"] == 7
        assert large["error"]["code"] == 108

    async def test_a_session_that_is_not_there_is_not_found(self, open_door: OpenDoor, vhost: Vhost) -> None:
        (one, bus), (other, other_bus) = await two_gateways(open_door, vhost)
        node = one.realtime._emulation.node
        answers = [
            await post(f"{door.http}/emulation", {"session": "guessed", "node": node, "data": "{}"})
            for door in (one, other)
        ]
        await bus.close()
        await other_bus.close()

        assert [one.status_code for one in answers] == [404, 404]
        assert {one.json()["code"] for one in answers} == {"realtime.session_not_found"}

    async def test_without_the_broker_only_the_own_sessions_are_reached(
        self, open_door: OpenDoor, vhost: Vhost
    ) -> None:
        (one, bus), (other, other_bus) = await two_gateways(open_door, vhost)
        async with streaming(one.http) as client:
            await client.reply(1)
            await other_bus.close()
            lost = await post(f"{other.http}/emulation", {**client.path, "data": "{}"})
            await bus.close()
            here = await client.ask(id=2, subscribe={"channel": "public:news"})

        assert (lost.status_code, lost.headers["retry-after"]) == (503, "1")
        assert "subscribe" in here


class TestLimits:
    async def test_a_process_takes_so_many_connections_whatever_their_way(self, open_door: OpenDoor) -> None:
        door = await open_door(settings=RealtimeSettings(max_connections=2))
        async with streaming(door.http) as first, streaming(door.http, SSE, "bob/s2") as second:
            await first.reply(1)
            await second.reply(1)
            refused = [
                await post(door.http + HTTP_STREAM, {"id": 1, "connect": {"token": "cat/s3"}}),
                await handshake(door),
            ]
        await until_gone(door)
        async with streaming(door.http, token="cat/s3") as third:
            again = await third.reply(1)

        assert [one.status_code for one in refused] == [503, 503]
        assert {one.headers["retry-after"] for one in refused} == {"5"}
        assert {one.json()["code"] for one in refused} == {"realtime.too_many_connections"}
        assert "connect" in again

    async def test_an_account_has_so_many_connections_whatever_their_way(self, open_door: OpenDoor) -> None:
        door = await open_door(settings=RealtimeSettings(max_connections_per_user=1))
        async with streaming(door.http) as first:
            await first.reply(1)
            async with streaming(door.http, SSE, "ann/s2") as second:
                refused = await second.until_end()
            async with streaming(door.http, token="bob/s3") as other:
                welcome = await other.reply(1)

        assert refused == {"code": 3504, "reason": "connection limit"}
        assert "connect" in welcome


async def handshake(door: Door) -> httpx.Response:
    """What a WebSocket handshake is answered with."""
    headers = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with httpx.AsyncClient(base_url=door.http, trust_env=False) as http:
        return await http.get("/connection/websocket", headers=headers)
