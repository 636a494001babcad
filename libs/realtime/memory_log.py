"""The log in memory: the same promises without a broker, for the tests of whoever builds on Gatehouse."""

from __future__ import annotations

from secrets import token_hex

from typing_extensions import override

from libs.messaging import Unavailable
from libs.realtime.feed import Event, Feed, Movement
from libs.realtime.ports import Log


class MemoryStream:
    """What the logs of one test share."""

    def __init__(self) -> None:
        self.epoch = token_hex(4)
        self.records: list[Event | Movement] = []
        self.readers: list[Feed] = []


class MemoryLog(Log):
    """One process's end of a `MemoryStream`."""

    def __init__(self, stream: MemoryStream | None = None) -> None:
        self.stream = stream or MemoryStream()
        self._feed: Feed | None = None

    @override
    async def start(self, feed: Feed) -> None:
        feed.begin(0)
        feed.name(self.stream.epoch)
        for position, content in enumerate(self.stream.records):
            _read(feed, position, content)
        feed.caught_up()
        self.stream.readers.append(feed)
        self._feed = feed

    @override
    async def append(self, content: Event | Movement) -> None:
        await self.check()
        self.stream.records.append(content)
        for feed in self.stream.readers:
            _read(feed, len(self.stream.records) - 1, content)

    @override
    async def check(self) -> None:
        if self._feed is None:
            raise Unavailable("the realtime log is not being read")

    @override
    async def stop(self) -> None:
        if self._feed is not None:
            self.stream.readers.remove(self._feed)
            self._feed = None


def _read(feed: Feed, position: int, content: Event | Movement) -> None:
    if isinstance(content, Event):
        feed.add(position, content)
    else:
        feed.move(position, content)
