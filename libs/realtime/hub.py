"""Who listens to what, and the way from one publication to all of them: in memory, without awaiting anybody.

Whatever is due in one turn of the event loop leaves together: a publication is encoded once per kind of connection,
its bytes are shared by all subscribers of that kind, and each connection gets one write per turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

from libs.realtime.protocol import Codec, Publication, Push

Scheduler: TypeAlias = Callable[[Callable[[], None]], object]
"""Runs a function at the end of this turn: the event loop's ``call_soon``."""


class Format(Protocol):
    """A kind of connection: an encoding, and how its transport frames messages."""

    codec: Codec
    ping: bytes
    """A ping, as it travels."""

    def frames(self, messages: Sequence[bytes]) -> bytes:
        """The messages as they travel."""

    def join(self, frames: Sequence[bytes]) -> bytes:
        """Several results of `frames` as one."""


class Line(Protocol):
    """The way to one client, as the hub sees it."""

    __slots__ = ()

    format: Format
    due: list[bytes]
    """Frames that leave at the end of this turn."""
    write: Callable[[bytes], object]
    """Hands bytes to the transport: it neither waits nor raises, nor changes who listens."""


class _Room:
    """The subscribers of one channel, by format; ``watchers`` also hear who comes and goes."""

    __slots__ = ("due", "lines", "name", "watchers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Format, dict[Line, None]] = {}
        self.watchers: dict[Line, None] = {}
        self.due: list[Publication] = []


class Hub:
    """The rooms of one process."""

    def __init__(self, schedule: Scheduler) -> None:
        self._schedule = schedule
        self._scheduled = False
        self._rooms: dict[str, _Room] = {}
        self._noisy: list[_Room] = []
        self._waiting: list[Line] = []

    def listeners(self, channel: str) -> int:
        """How many lines hear the channel."""
        room = self._rooms.get(channel)
        return sum(len(lines) for lines in room.lines.values()) if room else 0

    def join(self, channel: str, line: Line, *, watching: bool = False) -> None:
        """Let ``line`` hear what is published from now on; what is due already goes to the others alone."""
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = _Room(channel)
        elif room.due:
            self._spread(room)
        room.lines.setdefault(line.format, {})[line] = None
        if watching:
            room.watchers[line] = None

    def leave(self, channel: str, line: Line) -> None:
        """Let ``line`` hear the channel no longer; harmless when it does not."""
        room = self._rooms.get(channel)
        if room is None:
            return
        room.watchers.pop(line, None)
        lines = room.lines.get(line.format, {})
        lines.pop(line, None)
        if not lines:
            room.lines.pop(line.format, None)
            if not room.lines:
                del self._rooms[channel]

    def publish(self, channel: str, publication: Publication) -> None:
        """Send a publication to whoever hears the channel, at the end of this turn."""
        room = self._rooms.get(channel)
        if room is None:
            return
        if not room.due:
            self._noisy.append(room)
            self._schedule_flush()
        room.due.append(publication)

    def tell(self, channel: str, push: Push) -> None:
        """Send a push to the watchers of the channel."""
        room = self._rooms.get(channel)
        if room is None or not room.watchers:
            return
        frames: dict[Format, bytes] = {}
        for line in room.watchers:
            if line.format not in frames:
                frames[line.format] = line.format.frames([line.format.codec.push(channel, push)])
            self.send(line, frames[line.format])

    def send(self, line: Line, frames: bytes) -> None:
        """Send frames to one line, at the end of this turn, in the order of the calls."""
        if not line.due:
            self._waiting.append(line)
            self._schedule_flush()
        line.due.append(frames)

    def flush(self) -> None:
        """Write now what is due in this turn."""
        self._scheduled = False
        noisy, self._noisy = self._noisy, []
        if len(noisy) == 1 and not self._waiting:
            self._write_at_once(noisy[0])
            return
        for room in noisy:
            self._spread(room)
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self.flush_line(line)

    @staticmethod
    def flush_line(line: Line) -> None:
        """Write what is due to one line."""
        due = line.due
        if due:
            line.write(due[0] if len(due) == 1 else line.format.join(due))
            due.clear()

    def _schedule_flush(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)

    @staticmethod
    def _write_at_once(room: _Room) -> None:
        """The common case, one noisy channel and nothing else: straight to the transports."""
        due, room.due = room.due, []
        for line_format, lines in room.lines.items():
            frames = _encoded(room.name, due, line_format)
            for line in lines:
                line.write(frames)

    def _spread(self, room: _Room) -> None:
        """Put what is due in a room into its lines."""
        due, room.due = room.due, []
        if not due:  # somebody joined in the middle of the turn, and it was put there then
            return
        for line_format, lines in room.lines.items():
            frames = _encoded(room.name, due, line_format)
            for line in lines:
                self.send(line, frames)


def _encoded(channel: str, publications: Iterable[Publication], line_format: Format) -> bytes:
    return line_format.frames([line_format.codec.push(channel, one) for one in publications])
