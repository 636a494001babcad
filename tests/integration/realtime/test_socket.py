"""The socket itself: who may open it, pings, slow clients, and that nothing of it stays."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import pytest
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from libs.realtime import MemoryLog, RealtimeProtocol, RealtimeSettings
from libs.realtime.feed import Event
from libs.realtime.transport import Socket
from tests.fixtures.raw_socket import dialled, raw
from tests.fixtures.realtime import Door, Heard, OpenDoor, Told, soon

PLAIN_ASGI = "websockets-sansio"


class TestHandshake:
    @pytest.mark.parametrize(
        ("origin", "status"), [("https://elsewhere.test", 403), ("https://front.test", 101), ("null", 403)]
    )
    async def test_of_a_page_needs_an_origin_that_is_allowed(
        self, open_door: OpenDoor, origin: str, status: int
    ) -> None:
        door = await open_door(settings=RealtimeSettings(allowed_origins=frozenset({"https://front.test"})))

        async with dialled(door.url, Origin=origin) as (_, answer):
            assert answer.status == status

    async def test_that_is_refused_is_no_error_of_ours(
        self, open_door: OpenDoor, caplog: pytest.LogCaptureFixture
    ) -> None:
        door = await open_door()

        async with dialled(door.url, Origin="https://elsewhere.test") as (_, answer):
            assert answer.status == 403

        assert [one for one in caplog.records if one.levelname == "ERROR"] == []

    async def test_of_the_gateways_own_pages_is_welcome(self, open_door: OpenDoor) -> None:
        door = await open_door()

        async with dialled(door.url, Origin=f"http://127.0.0.1:{door.port}") as (_, answer):
            assert answer.status == 101

    @pytest.mark.parametrize("subprotocol", ["centrifuge-json", "centrifuge-protobuf"])
    @pytest.mark.parametrize("protocol", [RealtimeProtocol, PLAIN_ASGI])
    async def test_echoes_the_subprotocol(self, open_door: OpenDoor, protocol: Any, subprotocol: str) -> None:
        door = await open_door(protocol=protocol)

        async with websocket(door.url, subprotocols=[subprotocol], proxy=None) as client:  # type: ignore[list-item]
            assert client.subprotocol == subprotocol

    async def test_on_another_path_is_refused(self, open_door: OpenDoor) -> None:
        door = await open_door()

        with pytest.raises(InvalidStatus):
            async with websocket(door.url + "/elsewhere", proxy=None):
                pass


async def test_a_line_that_is_cut_leaves_nothing_behind(open_door: OpenDoor) -> None:
    door = await open_door()
    async with raw(door.url) as client:
        await client.connected("ann/s1", "public:news")

    async with asyncio.timeout(30):
        while door.realtime.revoke("s1"):  # ruff: ignore[async-busy-wait] - the kernel tells when
            await asyncio.sleep(0.01)


async def test_a_ping_of_the_server_comes_and_its_answer_keeps_the_line(open_door: OpenDoor) -> None:
    settings = RealtimeSettings(ping_interval=3, pong_timeout=2.5)
    door = await open_door(settings=settings)
    async with raw(door.url) as client:
        await client.connected("ann/s1")
        assert await client.frame() == (Opcode.TEXT, b"{}")
        client.send(Opcode.TEXT, b"{}")

        assert await client.frame() == (Opcode.TEXT, b"{}")
        assert await client.close_code() == 3012  # this one was not answered


@pytest.mark.parametrize("protocol", [RealtimeProtocol, PLAIN_ASGI])
async def test_a_message_beyond_the_bound_ends_the_line_on_any_server(
    open_door: OpenDoor, protocol: Any
) -> None:
    door = await open_door(protocol=protocol, settings=RealtimeSettings(max_message=1024))
    async with raw(door.url) as client:
        await client.connected("ann/s1")
        client.send(Opcode.TEXT, b'{"id":2,"rpc":{"method":"%b"}}' % (b"x" * 1024))

        assert await client.close_code() == 1009


async def flood(door: Door, log: MemoryLog, *, until: asyncio.Event) -> int:
    """Publish large events until told; how many."""
    count = 0
    async with asyncio.timeout(30):
        while not until.is_set():
            count += 1
            await log.append(Event("x.y", "public:news", b'"%b"' % (b"x" * 50_000), f"m{count}"))
            await asyncio.sleep(0)
    return count


@pytest.mark.parametrize("protocol", [RealtimeProtocol, PLAIN_ASGI])
async def test_a_client_that_stops_reading_is_closed_and_nobody_else_notices(
    open_door: OpenDoor, protocol: Any
) -> None:
    log, heard, slow_is_gone = MemoryLog(), Heard(), asyncio.Event()
    door = await open_door(log=log, protocol=protocol, settings=RealtimeSettings(max_pending=262_144))
    other = door.client("bob/s2")
    await other.connect()
    await other.new_subscription("public:news", events=heard).subscribe()
    await soon(heard.subscribed)
    async with raw(door.url) as slow:
        await slow.connected("ann/s1", "public:news")
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        watching = asyncio.create_task(_watch(door, slow_is_gone))
        count = await flood(door, log, until=slow_is_gone)
        await watching

        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 3008
        for expected in range(1, count + 1):
            assert (await soon(heard.publications)).offset == expected


async def test_a_client_that_reads_a_little_once_and_stops_is_closed_too(open_door: OpenDoor) -> None:
    log, slow_is_gone = MemoryLog(), asyncio.Event()
    door = await open_door(log=log, settings=RealtimeSettings(max_pending=1_048_576))
    async with raw(door.url) as slow:
        await slow.connected("ann/s1", "public:news")
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        [session] = door.realtime._node.registry.of_sid("s1")
        socket = session.connection
        assert isinstance(socket, Socket)
        line = socket._transport.get_extra_info("socket")
        line.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)  # so that the kernel takes little at once
        held = asyncio.Event()
        watching = asyncio.create_task(_until(lambda: socket._backlog_bytes > 500_000, held))
        await flood(door, log, until=held)
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        while (
            socket._backlog_bytes > 500_000
        ):  # it is read from until the socket has handed over what it held
            await slow.frame()
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await watching

        watching = asyncio.create_task(_watch(door, slow_is_gone))
        await flood(door, log, until=slow_is_gone)
        await watching

        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert await slow.close_code() == 3008


async def _until(condition: Callable[[], bool], told: asyncio.Event) -> None:
    while not condition():  # ruff: ignore[async-busy-wait] - a full buffer makes it true
        await asyncio.sleep(0)
    told.set()


async def _watch(door: Door, gone: asyncio.Event) -> None:
    node = door.realtime._node
    while node.registry.of_sid("s1"):  # ruff: ignore[async-busy-wait] - a full buffer makes it true
        await asyncio.sleep(0.005)
    gone.set()


@pytest.mark.parametrize("use_protobuf", [False, True], ids=["json", "protobuf"])
@pytest.mark.parametrize("protocol", [RealtimeProtocol, PLAIN_ASGI])
async def test_the_official_client_works_in_both_encodings_on_any_server(
    open_door: OpenDoor, protocol: Any, use_protobuf: bool
) -> None:
    log = MemoryLog()
    door = await open_door(log=log, protocol=protocol)
    told, heard = Told(), Heard()
    client = door.client("ann/s1", events=told, use_protobuf=use_protobuf)
    await client.connect()
    subscription = client.new_subscription("public:news", events=heard)
    await subscription.subscribe()
    await soon(heard.subscribed)

    await log.append(Event("realtime.news.posted", "public:news", b'{"n":1}', "m1"))
    publication = await soon(heard.publications)
    history = await subscription.history(limit=10)
    door.realtime.revoke("s1")

    assert publication.data == (b'{"n":1}' if use_protobuf else {"n": 1})
    assert [one.offset for one in history.publications] == [publication.offset]
    closed = await soon(told.disconnected)
    assert (closed.code, closed.reason) == (3500, "session ended")


async def test_many_clients_come_and_go_without_a_trace(open_door: OpenDoor) -> None:
    door = await open_door()
    async with AsyncExitStack() as opened:
        for number in range(50):
            client = await opened.enter_async_context(raw(door.url))
            await client.connected(f"u{number}/s{number}", "public:news")
        node = door.realtime._node
        assert len(node.registry) == node.hub.listeners("public:news") == 50

    async with asyncio.timeout(30):
        while len(node.registry) or node.hub.listeners("public:news"):  # ruff: ignore[async-busy-wait] - the kernel tells when
            await asyncio.sleep(0.01)
    assert door.server.server_state.connections == set()
