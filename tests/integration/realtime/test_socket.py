"""The socket itself: handshake, closes, slow clients; driven byte by byte."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from libs.realtime import MemoryLog, RealtimeProtocol, RealtimeSettings
from libs.realtime.feed import Event
from tests.fixtures.realtime import Door, Heard, OpenDoor, Told, soon

PLAIN_ASGI = "websockets-sansio"


class Raw:
    """A WebSocket client that does only what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, opcode: Opcode, payload: bytes = b"") -> None:
        """A whole frame, masked."""
        self.writer.write(Frame(opcode, payload).serialize(mask=True))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server."""
        async with asyncio.timeout(10):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80  # a server masks nothing (section 5.1)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """Read on until the server closes; its code."""
        while True:
            opcode, payload = await self.frame()
            if opcode == Opcode.CLOSE:
                assert len(payload) > 2  # a reason is never empty
                return int.from_bytes(payload[:2], "big")

    async def connected(self, token: str, *channels: str) -> None:
        """Connect and subscribe, as a frame of commands."""
        commands: list[dict[str, object]] = [{"id": 1, "connect": {"token": token}}]
        commands += [{"id": n, "subscribe": {"channel": one}} for n, one in enumerate(channels, 2)]
        self.send(Opcode.TEXT, "\n".join(json.dumps(one) for one in commands).encode())
        replies = b""
        while b'"id":%d,' % len(commands) not in replies:
            replies += (await self.frame())[1]


@asynccontextmanager
async def raw(door: Door, **headers: str) -> AsyncGenerator[Raw]:
    """A client after its handshake."""
    async with dialled(door, **headers) as (client, status):
        assert status == 101
        yield client


@asynccontextmanager
async def dialled(door: Door, **headers: str) -> AsyncGenerator[tuple[Raw, int]]:
    """A client and the status that its handshake was answered with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    asked = {
        "Host": f"127.0.0.1:{door.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in asked.items() if value)
    writer.write(f"GET /connection/websocket HTTP/1.1\r\n{head}\r\n".encode())
    try:
        async with asyncio.timeout(10):
            answer = await reader.readuntil(b"\r\n\r\n")
        yield Raw(reader, writer), int(answer.split(b" ")[1])
    finally:
        writer.transport.abort()


class TestHandshake:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec_WebSocket_Key": ""},
            {"Sec_WebSocket_Key": "short"},
            {"Sec_WebSocket_Version": "12"},
            {"Sec_WebSocket_Version": ""},
        ],
    )
    async def test_that_breaks_rfc_6455_section_4_2_1_is_refused(
        self, open_door: OpenDoor, headers: dict[str, str]
    ) -> None:
        door = await open_door()

        async with dialled(door, **headers) as (_, status):
            assert status in {400, 426}

    @pytest.mark.parametrize(
        ("origin", "status"), [("https://elsewhere.test", 403), ("https://front.test", 101), ("null", 403)]
    )
    async def test_of_a_page_needs_an_origin_that_is_allowed(
        self, open_door: OpenDoor, origin: str, status: int
    ) -> None:
        door = await open_door(settings=RealtimeSettings(allowed_origins=frozenset({"https://front.test"})))

        async with dialled(door, Origin=origin) as (_, answered):
            assert answered == status

    async def test_of_the_gateways_own_pages_is_welcome(self, open_door: OpenDoor) -> None:
        door = await open_door()

        async with dialled(door, Origin=f"http://127.0.0.1:{door.port}") as (_, status):
            assert status == 101

    async def test_agrees_on_no_extension(self, open_door: OpenDoor) -> None:
        door = await open_door()

        async with websocket(door.url, proxy=None) as client:
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers

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


class TestClose:
    async def test_of_the_client_is_answered_and_ends_the_line(self, open_door: OpenDoor) -> None:
        door = await open_door()
        async with raw(door) as client:
            client.send(Opcode.CLOSE, (1000).to_bytes(2, "big"))

            assert await client.frame() == (Opcode.CLOSE, (1000).to_bytes(2, "big"))
            assert await client.reader.read() == b""

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (b"\x81\x02{}", 1002),  # not masked (section 5.1)
            (b"\xf1\x80\x00\x00\x00\x00", 1002),  # reserved bits (section 5.2)
            (b"\x83\x80\x00\x00\x00\x00", 1002),  # reserved opcode (section 5.2)
            (b"\x80\x80\x00\x00\x00\x00", 1002),  # nothing to continue (section 5.4)
            (b"\x81\x81\x00\x00\x00\x00\xff", 1007),  # not UTF-8 (section 8.1)
            (b"\x81\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00", 1009),  # larger than is read
        ],
    )
    async def test_tells_which_rule_was_broken(self, open_door: OpenDoor, frame: bytes, code: int) -> None:
        door = await open_door()
        async with raw(door) as client:
            client.writer.write(frame)

            assert await client.close_code() == code

    async def test_a_line_that_is_cut_leaves_nothing_behind(self, open_door: OpenDoor) -> None:
        door = await open_door()
        async with raw(door) as client:
            await client.connected("ann/s1", "public:news")

        async with asyncio.timeout(10):
            while door.realtime.revoke("s1"):  # ruff: ignore[async-busy-wait] - the kernel tells when
                await asyncio.sleep(0.01)


class TestPing:
    async def test_of_a_client_is_answered_between_fragments(self, open_door: OpenDoor) -> None:
        door = await open_door()
        async with raw(door) as client:
            text = b'{"id":1,"connect":{"token":"ann/s1"}}'
            client.writer.write(Frame(Opcode.TEXT, text[:9], fin=False).serialize(mask=True))
            client.send(Opcode.PING, b"?")
            client.writer.write(Frame(Opcode.CONT, text[9:]).serialize(mask=True))

            assert await client.frame() == (Opcode.PONG, b"?")
            assert b'"connect"' in (await client.frame())[1]

    async def test_of_the_server_comes_and_its_answer_keeps_the_line(self, open_door: OpenDoor) -> None:
        settings = RealtimeSettings(ping_interval=1, pong_timeout=0.5)
        door = await open_door(settings=settings)
        async with raw(door) as client:
            await client.connected("ann/s1")
            for _ in range(2):
                assert await client.frame() == (Opcode.TEXT, b"{}")
                client.send(Opcode.TEXT, b"{}")

            assert await client.frame() == (Opcode.TEXT, b"{}")
            assert await client.close_code() == 3012  # this one was not answered


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
    async with raw(door) as slow:
        await slow.connected("ann/s1", "public:news")
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
        watching = asyncio.create_task(_watch(door, slow_is_gone))
        count = await flood(door, log, until=slow_is_gone)
        await watching

        for expected in range(1, count + 1):
            assert (await soon(heard.publications)).offset == expected
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        if protocol is RealtimeProtocol:
            assert await slow.close_code() == 3008


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
            client = await opened.enter_async_context(raw(door))
            await client.connected(f"u{number}/s{number}", "public:news")
        node = door.realtime._node
        assert len(node.registry) == node.hub.listeners("public:news") == 50

    async with asyncio.timeout(10):
        while len(node.registry) or node.hub.listeners("public:news"):  # ruff: ignore[async-busy-wait] - the kernel tells when
            await asyncio.sleep(0.01)
    assert door.server.server_state.connections == set()
