"""The reader's keeper: what it has to do, one thing after the other, with deliveries given by hand."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from pydantic import SecretStr

from libs.amqp import Properties
from libs.messaging.settings import BrokerSettings
from libs.realtime import records
from libs.realtime.feed import Event
from libs.realtime.records import Mark
from libs.realtime.stream_reader import StreamReader
from tests.unit.libs.realtime.clients import new_node

USER = "gatehouse"


def headers(properties: Properties) -> dict[str, Any]:
    """Those that a record is appended with."""
    assert isinstance(properties.headers, Mapping)
    return dict(properties.headers)


class Delivered:
    """A record of the stream, as it is delivered."""

    def __init__(self, position: int, content: Event | Mark) -> None:
        self.properties, self.body = records.message(content, user=USER)
        self.headers = {**headers(self.properties), "x-stream-offset": position}
        self.routing_key = ""

    def ack(self) -> None:
        """Nothing is counted here."""


class Stream:
    """A stream of one reader: connection, channel, consumer and appender at once."""

    is_open = True

    def __init__(self) -> None:
        self.records: dict[int, Event | Mark] = {}
        self.attached_at: list[int | str] = []
        self.deliver: Callable[[Any], None] = lambda _: None
        self.marks: list[Properties] = []
        self.appended = asyncio.Event()

    async def channel(self, prefetch: int) -> "Stream":
        """Itself."""
        assert prefetch
        return self

    async def consume(self, _queue: str, deliver: Callable[[Any], None], *, arguments: Any) -> "Stream":
        """Remember where, and deliver all that lies there already."""
        self.deliver = deliver
        start = arguments()["x-stream-offset"]
        self.attached_at.append(start)
        for position, content in sorted(self.records.items()):
            if isinstance(start, str) or position >= start:
                deliver(Delivered(position, content))
        return self

    async def cancel(self) -> None:
        """Nobody consumes."""

    async def close(self) -> None:
        """Nothing is open."""

    async def append(self, properties: Properties, _body: bytes, *, within: float) -> None:
        """Keep what marks were appended; the tests say where they lie."""
        assert within
        self.marks.append(properties)
        self.appended.set()

    async def next_mark(self) -> Properties:
        """The mark that is appended next."""
        async with asyncio.timeout(30):
            await self.appended.wait()
        self.appended.clear()
        return self.marks[-1]

    def lies(self, position: int, content: Event | Mark) -> None:
        """Let a record lie somewhere, and deliver it."""
        self.records[position] = content
        self.deliver(Delivered(position, content))


async def test_a_jump_behind_the_first_mark_makes_nobody_forget_to_name_the_log() -> None:
    stream, node = Stream(), new_node()
    everything = cast("Any", stream)
    broker = BrokerSettings(url=SecretStr(f"amqp://{USER}:secret@127.0.0.1/"))
    reader = StreamReader(node.feed, everything, everything, broker, history=3600, log_bytes=1 << 30)
    starting = asyncio.create_task(reader.start(within=30))
    first = await stream.next_mark()

    # In one turn: the first mark of a log without a name, and an event behind a segment's end.
    stream.lies(10, Mark(first.message_id or ""))
    stream.lies(12, Event("x.y", "public:a", b"1", "m1"))
    name = await stream.next_mark()
    stream.lies(13, Mark(name.message_id or "", headers(name)["epoch"]))

    await starting
    assert node.feed.ready
    assert stream.attached_at[1:] == [10]
    await reader.stop()
