import asyncio
from typing import Any

import pytest
from starlette.types import Message

from libs.messaging import Client, Overloaded
from libs.realtime.commands import HANDLERS
from libs.realtime.connection import ReturnPath
from libs.realtime.formats import JSON_LINES
from libs.realtime.node import Node
from libs.realtime.session import Session
from libs.realtime.streaming import StreamConnection

CONNECT = b'{"id":1,"connect":{"token":"ann/s1"}}'


class Browser:
    """The server's side of a client: takes what is sent, or nothing at all."""

    def __init__(
        self, node: Node, *, reads: bool = True, max_pending: int = 65_536, longest_hold: float = 60.0
    ) -> None:
        self.aborted = asyncio.Event()
        self.sent: list[Message] = []
        self.connection = StreamConnection(
            JSON_LINES,
            ReturnPath("s", "n"),
            max_pending=max_pending,
            abort=self.aborted.set,
            farewell=0.01,
            longest_hold=longest_hold,
        )
        self.session = Session(node, self.connection, Client("192.0.2.1"), HANDLERS)
        self._reads = reads
        self._gone = asyncio.Event()
        node.open(self.session)

    def leave(self) -> None:
        self._gone.set()

    async def serve(self) -> None:
        await self.connection.serve(self.session, self._receive, self._send)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent)

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(30):
            while text not in self.body:  # ruff: ignore[async-busy-wait] - the session's own turns
                await asyncio.sleep(0)

    async def _receive(self) -> Message:
        left = [asyncio.create_task(one.wait()) for one in (self._gone, self.aborted)]
        try:
            await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in left:
                one.cancel()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self._reads:
            await self.aborted.wait()
            raise ConnectionError
        self.sent.append(message)


async def test_answers_come_as_lines_and_tell_where_commands_go(node: Node) -> None:
    browser = Browser(node)
    serving = asyncio.create_task(browser.serve())
    browser.session.receive(CONNECT)
    await browser.until(b'"session":"s","node":"n"')
    browser.leave()
    await serving

    assert browser.body.endswith(b"}\n")
    assert all(message["more_body"] for message in browser.sent)
    assert browser.session.closed


async def test_the_last_words_are_the_code(node: Node) -> None:
    browser = Browser(node)
    serving = asyncio.create_task(browser.serve())
    browser.session.receive(b"nonsense")
    await serving

    assert browser.body == b'{"push":{"disconnect":{"code":3501,"reason":"bad request"}}}\n'
    assert browser.sent[-1]["more_body"] is False
    assert not browser.aborted.is_set()


async def test_a_client_that_takes_nothing_is_cut_off(node: Node) -> None:
    browser = Browser(node, reads=False, max_pending=100)
    serving = asyncio.create_task(browser.serve())
    await asyncio.sleep(0)
    closed = []
    for _ in range(3):  # the first one is not bounded: the writer has it
        browser.connection.write(b"x" * 60)
        await asyncio.sleep(0)
        closed.append(browser.session.closed)
    async with asyncio.timeout(30):
        await serving

    assert closed[0] is False
    assert browser.session.closed
    assert browser.aborted.is_set()


async def test_commands_wait_for_a_session_that_has_enough_to_do(node: Node) -> None:
    browser = Browser(node)
    serving = asyncio.create_task(browser.serve())
    browser.connection.pause()
    waiting = asyncio.create_task(browser.connection.take(CONNECT))
    await asyncio.sleep(0)
    assert browser.session.who is None
    assert not waiting.done()

    browser.connection.resume()
    await browser.until(b'"connect"')
    await waiting
    browser.leave()
    await serving


@pytest.mark.parametrize(("longest_hold", "others"), [(0.01, 0), (60.0, 16)], ids=["too long", "too many"])
async def test_a_session_whose_commands_are_lost_is_closed(
    node: Node, longest_hold: float, others: int
) -> None:
    browser = Browser(node, longest_hold=longest_hold)
    serving = asyncio.create_task(browser.serve())
    await asyncio.sleep(0)
    browser.connection.pause()
    waiting = [asyncio.create_task(browser.connection.take(CONNECT)) for _ in range(others)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await browser.connection.take(CONNECT)
    await serving

    assert browser.body == b'{"push":{"disconnect":{"code":3013,"reason":"too many requests"}}}\n'
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
