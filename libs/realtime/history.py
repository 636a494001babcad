"""What a process keeps of the channels' publications: bounded per channel, by age, and in total."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

from libs.realtime.channels import Channel
from libs.realtime.protocol import Publication

# Bytes, as measured with tracemalloc (64 bit):
_PUBLICATION = 370  # a kept publication beside its payload
_CHANNEL = 1_000  # a channel that has any, beside its name
_MEMORY_OF = 250  # what was dropped last of a channel, beside its name
_FOR_MEMORIES = 8  # the part of all memory that may go into them: an eighth


class _Kept(NamedTuple):
    channel: str
    size: int
    until: float


class _Window(NamedTuple):
    channel: str
    """The name, one object for all that is kept of the channel."""
    publications: deque[Publication]


class History:
    """The latest publications of each channel; times in Unix seconds, memory in bytes.

    Of a channel it also knows what was dropped last (`dropped`), so that somebody who had read that far can be told that
    nothing is missing, however long ago that was; exactly for as many channels as an eighth of the memory holds.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._memory_bytes = 0
        self._channels: dict[str, _Window] = {}
        # Per namespace, since within one the oldest is also the first to expire.
        self._shelves: dict[str, OrderedDict[int, _Kept]] = {}
        self._dropped: OrderedDict[str, int] = OrderedDict()
        self._floor = 0

    @property
    def size(self) -> int:
        """What is kept now takes so much memory (bytes)."""
        return self._bytes + self._memory_bytes

    def add(self, channel: Channel, publication: Publication, *, at: float, now: float) -> None:
        """Keep what was published at ``at``, as the channel's rules say."""
        rules = channel.rules
        shelf = self._shelves.setdefault(channel.namespace, OrderedDict())
        name, kept = self._channels.get(channel.name) or self._begin(channel.name)
        kept.append(publication)
        size = len(publication.data) + _PUBLICATION
        shelf[publication.offset] = _Kept(name, size, at + rules.history_seconds)
        self._bytes += size
        if len(kept) > rules.history_size:
            self._drop(shelf, kept[0].offset)
        self.trim(now)

    def trim(self, now: float) -> None:
        """Drop what is too old, and the oldest of all while there is too much."""
        for shelf in self._shelves.values():
            while shelf and next(iter(shelf.values())).until <= now:
                self._drop(shelf, next(iter(shelf)))
        while self.size > self._max_bytes and self._channels:
            self._drop(min(filter(None, self._shelves.values()), key=lambda shelf: next(iter(shelf))))

    def after(self, channel: str, offset: int) -> list[Publication]:
        """What is kept above ``offset``, oldest first."""
        window = self._channels.get(channel)
        return [] if window is None else [one for one in window.publications if one.offset > offset]

    def dropped(self, channel: str) -> int:
        """The offset up to which publications may have been dropped; 0: none was."""
        return self._dropped.get(channel, self._floor)

    def clear(self) -> None:
        """Forget everything: another log begins."""
        self._channels.clear()
        self._shelves.clear()
        self._dropped.clear()
        self._floor = self._bytes = self._memory_bytes = 0

    def _begin(self, channel: str) -> _Window:
        window = self._channels[channel] = _Window(channel, deque())
        self._bytes += _CHANNEL + len(channel)
        return window

    def _drop(self, shelf: OrderedDict[int, _Kept], offset: int | None = None) -> None:
        """Drop one publication, by default the shelf's oldest; it is the oldest of its channel in any case."""
        if offset is None:
            offset = next(iter(shelf))
        channel, size, _ = shelf.pop(offset)
        self._bytes -= size
        kept = self._channels[channel].publications
        kept.popleft()
        if not kept:
            del self._channels[channel]
            self._bytes -= _CHANNEL + len(channel)
        self._remember(channel, offset)

    def _remember(self, channel: str, offset: int) -> None:
        if channel not in self._dropped:
            self._memory_bytes += _MEMORY_OF + len(channel)
        self._dropped[channel] = offset
        self._dropped.move_to_end(channel)
        while self._memory_bytes > self._max_bytes // _FOR_MEMORIES:
            forgotten, last = self._dropped.popitem(last=False)
            self._memory_bytes -= _MEMORY_OF + len(forgotten)
            self._floor = max(self._floor, last)
