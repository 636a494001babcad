"""What this process knows of the log: how far it has read, what it keeps, and what a client has missed.

A client's offset is a position in the log plus one, so that 0 means none. Offsets grow, but not by one: other channels
lie between, and each segment of the log uses one up.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import structlog

from libs.realtime.channels import Channel, Channels
from libs.realtime.codes import UNRECOVERABLE_POSITION, Refused
from libs.realtime.history import History
from libs.realtime.hub import Hub
from libs.realtime.payload import one_line
from libs.realtime.protocol import ClientInfo, HistoryRequest, Join, Leave, Position, Publication
from libs.realtime.seen import Seen
from libs.realtime.strays import drop

_log = structlog.get_logger(__name__)
_SEEN = 65_536  # message ids by which a publication that was sent again is known
_MOST_WAITING = 32_768  # clients that know more of the log than this process, of whom one may be a few
_SEEN_MOVEMENTS = 4096  # of their own, so that who comes and goes often makes no publication forgotten


@dataclass(frozen=True, slots=True)
class Event:
    """A client-facing event, as it goes into the log and comes out of it; ``at`` in Unix seconds."""

    name: str
    channel: str
    data: bytes
    message_id: str
    info: ClientInfo | None = None
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Movement:
    """A client came into a channel, or left it."""

    channel: str
    info: ClientInfo
    joined: bool
    message_id: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a client is told when it comes back: all that it missed, or that it cannot have it."""

    recovered: bool
    position: Position
    publications: Sequence[Publication] = ()


class Feed:
    """Takes the log's records in their order; hands publications to the hub and keeps them for who comes later.

    ``max_publication`` bounds one publication, ``max_recovery`` what one client is given at once (bytes). ``on_gap`` is called when records were lost or the
    log began anew: whoever relies on a position must start over.
    """

    def __init__(
        self,
        channels: Channels,
        hub: Hub,
        *,
        window_bytes: int,
        max_publication: int,
        max_recovery: int,
        on_gap: Callable[[], None],
        most_waiting: int = _MOST_WAITING,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._channels = channels
        self._hub = hub
        self._history = History(window_bytes)
        self._max_publication = max_publication
        self._max_recovery = max_recovery
        self._on_gap = on_gap
        self._clock = clock
        self._seen = Seen(_SEEN)
        self._seen_movements = Seen(_SEEN_MOVEMENTS)
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._waited = 0
        self._most_waiting = most_waiting
        self._first = 0
        self._offset = 0
        self._epoch = ""
        self._ready = False

    @property
    def position(self) -> Position:
        """How far the log was read."""
        return Position(self._offset, self._epoch)

    @property
    def ready(self) -> bool:
        """Whether it can be told what a client has missed."""
        return self._ready

    def begin(self, position: int) -> None:
        """Reading starts at ``position``: nothing before it is known, nor which log this is."""
        self._first = position + 1
        self._offset = position
        self._epoch = ""
        self._history.clear()
        self._seen.clear()
        self._seen_movements.clear()

    def name(self, epoch: str) -> None:
        """The log's epoch was read; another one than before makes every position worthless."""
        if self._epoch not in {"", epoch}:
            _log.warning("realtime_log_is_another", epoch=epoch)
            self._history.clear()
            self._first = self._offset + 1
            self._epoch = epoch
            self._on_gap()
        self._epoch = epoch

    def caught_up(self) -> None:
        """Everything that lay in the log was read; from now on clients are told what comes."""
        self._ready = True

    def lose(self) -> None:
        """Records may be missing: whoever relies on a position is told, and nobody is served until `caught_up`."""
        if self._ready:
            self._ready = False
            _log.warning("realtime_log_lost", offset=self._offset, epoch=self._epoch)
            self._on_gap()

    def passed(self, position: int) -> None:
        """The record at ``position`` was read; records of the log's own say nothing to clients."""
        self._offset = position + 1
        while self._waiting and self._waiting[0][0] <= self._offset:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def add(self, position: int, event: Event) -> None:
        """The event at ``position`` was read: to whoever hears its channel, once."""
        if self._seen.add(event.message_id, position + 1):
            self._publish(event, position + 1)
        self.passed(position)

    def _publish(self, event: Event, offset: int) -> None:
        channel = self._channels.find(event.channel)
        if channel is None:
            _drop("no such channel", event)
            return
        if len(event.data) > self._max_publication:
            _drop("too large", event)
            return
        publication = _publication(event, offset, kept=channel.rules.keeps_history)
        if publication is None:
            return
        if channel.rules.keeps_history:
            self._history.add(channel, publication, at=event.at, now=self._clock())
        if self._ready:
            self._hub.publish(channel.name, publication)

    def move(self, position: int, movement: Movement) -> None:
        """Somebody came or went, says the record at ``position``: to whoever watches the channel."""
        if self._ready and self._seen_movements.add(movement.message_id, position + 1):
            push = Join(movement.info) if movement.joined else Leave(movement.info)
            self._hub.tell(movement.channel, push)
        self.passed(position)

    def trim(self) -> None:
        """Drop what has become too old."""
        self._history.trim(self._clock())

    async def reach(self, offset: int, timeout: float) -> bool:
        """Wait until the log was read up to ``offset``; False when it was not within ``timeout`` seconds, or too many wait."""
        if offset <= self._offset:
            return True
        if len(self._waiting) >= self._most_waiting:
            self._forget_who_gave_up()
        if len(self._waiting) >= self._most_waiting:
            return False
        future = asyncio.get_running_loop().create_future()
        self._waited += 1
        heapq.heappush(self._waiting, (offset, self._waited, future))
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        return True

    def _forget_who_gave_up(self) -> None:
        """Until here they stay where they are, and are passed over: one by one each would cost as much as all do here."""
        self._waiting = [one for one in self._waiting if not one[2].done()]
        heapq.heapify(self._waiting)

    async def read_back(self, message_id: str, timeout: float) -> int:
        """The offset of a message that was appended, once it was read; 0 when it was not within ``timeout`` seconds."""
        return await self._seen.offset(message_id, timeout)

    def recover(self, channel: Channel, since: Position) -> Recovery:
        """What was published after ``since``, or that this cannot be told; an empty epoch means any."""
        now = self.position
        self.trim()
        known_from = max(self._first - 1, self._history.dropped(channel.name))
        if since.epoch not in {"", now.epoch} or not known_from <= since.offset <= now.offset:
            return Recovery(recovered=False, position=now)
        missed = self._history.after(channel.name, since.offset)
        if sum(len(one.data) for one in missed) > self._max_recovery:
            return Recovery(recovered=False, position=now)
        # With publications to come the client counts from where it was, and advances with each that it handles.
        return Recovery(True, Position(since.offset, now.epoch) if missed else now, missed)

    def history(self, channel: Channel, request: HistoryRequest, limit: int) -> list[Publication]:
        """What is kept of a channel, as ``request`` asks for it; raises `Refused` for a position of another epoch."""
        since = request.since
        if since is not None and since.epoch not in {"", self._epoch}:
            raise Refused(UNRECOVERABLE_POSITION)
        self.trim()
        if not request.reverse:
            found = self._history.after(channel.name, since.offset if since else 0)
        else:
            found = self._history.after(channel.name, 0)[::-1]
            found = [one for one in found if since is None or one.offset < since.offset]
        return found[:limit]


def _publication(event: Event, offset: int, *, kept: bool) -> Publication | None:
    """The event as clients get it; None where its body is no JSON, which no client could be given."""
    try:
        data = one_line(event.data)
    except ValueError:
        _drop("no JSON", event)
        return None
    return Publication(data, info=event.info, offset=offset if kept else 0, tags=_tags(event.name))


def _drop(reason: str, event: Event) -> None:
    drop(reason, event_name=event.name, message_id=event.message_id, channel=event.channel)


@lru_cache(maxsize=1024)
def _tags(name: str) -> MappingProxyType[str, str]:
    return MappingProxyType({"type": name}) if name else MappingProxyType({})
