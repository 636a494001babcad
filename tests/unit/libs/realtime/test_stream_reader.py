"""The reader's keeper: what it has to do, one thing after the other, with deliveries given by hand."""

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
        self.consumers: list[Callable[[Any], None]] = []
        self.attached_at: list[int | str] = []
        self.names: list[str] = []

    async def channel(self, prefetch: int) -> "Stream":
        """Itself."""
        assert prefetch
        return self

    async def consume(self, _queue: str, deliver: Callable[[Any], None], *, arguments: Any) -> "Stream":
        """Deliver what lies there already, and whatever comes."""
        start = (arguments() if callable(arguments) else arguments)["x-stream-offset"]
        self.consumers.append(deliver)
        self.attached_at.append(start)
        for position, content in sorted(self.records.items()):
            if start != "last" and (isinstance(start, str) or position >= start):
                deliver(Delivered(position, content))
        return self

    async def cancel(self) -> None:
        """Whoever was attached before hears nothing any more."""
        self.consumers.clear()

    async def close(self) -> None:
        """The same."""
        self.consumers.clear()

    async def append(self, properties: Properties, _body: bytes, *, within: float) -> None:
        """A mark; behind the second, with which reading starts, lies an event of the next segment."""
        assert within
        given = headers(properties)
        self.names += [given["epoch"]] if "epoch" in given else []
        position = max(self.records, default=9) + 1
        self.lies(position, Mark(properties.message_id or "", given.get("epoch", "")))
        if len(self.records) == 2:
            self.lies(position + 2, Event("x.y", "public:a", b"1", "m1"))

    def lies(self, position: int, content: Event | Mark) -> None:
        """Let a record lie somewhere, and deliver it."""
        self.records[position] = content
        for deliver in list(self.consumers):
            deliver(Delivered(position, content))


async def test_a_jump_behind_the_first_mark_makes_nobody_forget_to_name_the_log() -> None:
    stream, node = Stream(), new_node()
    everything = cast("Any", stream)
    broker = BrokerSettings(url=SecretStr(f"amqp://{USER}:secret@127.0.0.1/"))
    reader = StreamReader(node.feed, everything, everything, broker, history=3600, log_bytes=1 << 30)

    await reader.start(within=30)

    assert node.feed.ready
    assert stream.attached_at == ["last", "3600s", 0, 11]  # the jump behind 11 had to be looked at
    assert stream.names == [node.feed.position.epoch]
    await reader.stop()
