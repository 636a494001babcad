"""The log in memory: the same promises without a broker, for the tests of whoever builds on Gatehouse."""

from __future__ import annotations

from secrets import token_hex

from typing_extensions import override

from libs.messaging import Unavailable
from libs.realtime.feed import Event, Feed
from libs.realtime.ports import Log


class MemoryStream:
    """What the logs of one test share."""

    def __init__(self) -> None:
        self.epoch = token_hex(4)
        self.events: list[Event] = []
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
        for position, event in enumerate(self.stream.events):
            feed.add(position, event)
        feed.caught_up()
        self.stream.readers.append(feed)
        self._feed = feed

    @override
    async def append(self, event: Event) -> None:
        await self.check()
        self.stream.events.append(event)
        for feed in self.stream.readers:
            feed.add(len(self.stream.events) - 1, event)

    @override
    async def check(self) -> None:
        if self._feed is None:
            raise Unavailable("the realtime log is not being read")

    @override
    async def stop(self) -> None:
        if self._feed is not None:
            self.stream.readers.remove(self._feed)
            self._feed = None
