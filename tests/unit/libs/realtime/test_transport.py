"""A connection on its transport: what the client closes, and what was still to be said."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typing_extensions import override

from libs.messaging import Client
from libs.realtime.commands import HANDLERS
from libs.realtime.formats import JSON_SOCKET
from libs.realtime.node import Node
from libs.realtime.session import Session
from libs.realtime.transport import Socket
from tests.unit.libs.realtime.clients import FakeClient

CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # masked with zeros: 1000


class Line(asyncio.Transport):
    """A transport that remembers, and that is as strict about its end as uvloop's."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.waiting = 0
        self.ended = False
        self.aborted = False

    @override
    def write(self, data: Any) -> None:
        if self.ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        self.written.append(bytes(data))

    @override
    def write_eof(self) -> None:
        self.ended = True

    @override
    def can_write_eof(self) -> bool:
        return True

    @override
    def is_closing(self) -> bool:
        return False

    @override
    def abort(self) -> None:
        self.ended = self.aborted = True

    @override
    def pause_reading(self) -> None:
        """Nothing is read from it."""

    @override
    def resume_reading(self) -> None:
        """Nothing is read from it."""

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It has no buffer."""

    @override
    def get_write_buffer_size(self) -> int:
        return self.waiting

    @override
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Bytes come from the tests."""


class SlowLine(Line):
    """A transport whose client takes nothing: above its high water it pauses its protocol within the write itself."""

    HIGH = 65_536

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = None

    @override
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    @override
    def write(self, data: Any) -> None:
        before, self.waiting = self.waiting, self.waiting + len(data)
        if before <= self.HIGH < self.waiting and isinstance(self.protocol, asyncio.Protocol):
            self.protocol.pause_writing()


class Leaver:
    """A client whose line ends in the tests."""

    def __init__(self, node: Node, line: Line | None = None, *, max_pending: int = 65_536) -> None:
        self.line = line or Line()
        self.socket = Socket(JSON_SOCKET, max_message=1024, max_pending=max_pending)
        self.session = Session(node, self.socket, Client("192.0.2.1", "tests"), HANDLERS)
        self.socket.serve(self.line, self.session, set())
        node.open(self.session)


@pytest.fixture
async def leaver(node: Node) -> AsyncIterator[Leaver]:
    leaver = Leaver(node)
    yield leaver
    leaver.socket.connection_lost(None)


async def test_a_client_that_leaves_costs_the_others_nothing(
    node: Node, ann: FakeClient, leaver: Leaver
) -> None:
    leaver.session.push(b"{}")
    ann.session.push(b'{"push":{}}')

    leaver.socket.data_received(CLOSE)
    await asyncio.sleep(0)

    assert leaver.line.ended
    assert leaver.session.closed
    assert {"push": {}} in ann.messages()


async def test_a_transport_that_raises_is_cut_and_the_others_hear_all(
    node: Node, ann: FakeClient, leaver: Leaver
) -> None:
    leaver.line.ended = True
    leaver.session.push(b"{}")
    ann.session.push(b'{"push":{}}')

    await asyncio.sleep(0)

    assert leaver.line.aborted
    assert {"push": {}} in ann.messages()


async def test_what_was_held_back_for_it_goes_before_the_last_word(leaver: Leaver) -> None:
    leaver.socket.pause_writing()
    leaver.socket.write(b"held back")

    leaver.socket.data_received(CLOSE)
    leaver.socket.resume_writing()
    leaver.socket.write(b"too late")

    assert leaver.line.written == [b"held back\x88\x02\x03\xe8"]


async def test_a_client_that_reads_a_little_once_and_stops_is_closed_at_its_bound(node: Node) -> None:
    line = SlowLine()
    slow = Leaver(node, line, max_pending=400_000)
    for _ in range(30):
        slow.socket.write(b"x" * 10_000)

    line.waiting = 0
    slow.socket.resume_writing()
    while not slow.session.closed:
        slow.socket.write(b"x" * 10_000)
        await asyncio.sleep(0)
        assert line.waiting <= 500_000

    assert line.waiting < 400_000  # what waited in the socket was dropped
    slow.socket.connection_lost(None)
