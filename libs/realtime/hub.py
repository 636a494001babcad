"""Who listens to what, and the way from one publication to all of them: in memory, without awaiting anybody.

Whatever is due in one turn of the event loop leaves together: a publication is encoded once per kind of connection,
its bytes are shared by all subscribers of that kind, and each connection gets one write per turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import structlog

from libs.realtime.deltas import Deltas
from libs.realtime.line import Format, Line
from libs.realtime.protocol import Publication, Push

_log = structlog.get_logger(__name__)

Scheduler: TypeAlias = Callable[[Callable[[], None]], object]
"""Runs a function at the end of this turn: the event loop's ``call_soon``."""


class _Room:
    """The subscribers of one channel, by what they share frames in; ``watchers`` also hear who comes and goes."""

    __slots__ = ("deltas", "due", "lines", "name", "watchers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Format, dict[Line, None]] = {}
        self.deltas = Deltas()
        self.watchers: dict[Line, None] = {}
        self.due: list[Publication] = []

    @property
    def empty(self) -> bool:
        return not self.lines and self.deltas.empty

    def shares(self) -> Iterator[tuple[bytes, Iterable[Line]]]:
        """What is due, as it travels to each group of subscribers."""
        due, self.due = self.due, []
        if not due:  # somebody joined in the middle of the turn, and it was sent on then
            return
        for line_format, lines in self.lines.items():
            yield line_format.frames([line_format.codec.push(self.name, one) for one in due]), lines
        if not self.deltas.empty:
            yield from self.deltas.shares(self.name, due)


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
        return sum(len(lines) for lines in room.lines.values()) + len(room.deltas) if room else 0

    def join(self, channel: str, line: Line, *, watching: bool = False, delta: bool = False) -> None:
        """Let ``line`` hear what is published from now on; what is due already goes to the others alone.

        ``delta``: after a first whole publication it hears differences.
        """
        room = self._rooms.get(channel)
        if room is None:
            room = self._rooms[channel] = _Room(channel)
        elif room.due:
            self._spread(room)
        if delta:
            room.deltas.add(line)
        else:
            room.lines.setdefault(line.format, {})[line] = None
        if watching:
            room.watchers[line] = None

    def leave(self, channel: str, line: Line) -> None:
        """Let ``line`` hear the channel no longer; harmless when it does not."""
        room = self._rooms.get(channel)
        if room is None:
            return
        room.watchers.pop(line, None)
        room.deltas.discard(line)
        lines = room.lines.get(line.format, {})
        lines.pop(line, None)
        if not lines:
            room.lines.pop(line.format, None)
            if room.empty:
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
            frames = due[0] if len(due) == 1 else line.format.join(due)
            due.clear()
            try:
                line.write(frames)
            except Exception as error:  # ruff: ignore[blind-except]  # of one client; the others come behind it
                _give_up(line, error)

    def _schedule_flush(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)

    @staticmethod
    def _write_at_once(room: _Room) -> None:
        """The common case, one noisy channel and nothing else: straight to the transports."""
        for frames, lines in room.shares():
            for line in lines:
                try:
                    line.write(frames)
                except Exception as error:  # ruff: ignore[blind-except]  # as above
                    _give_up(line, error)

    def _spread(self, room: _Room) -> None:
        """Put what is due in a room into its lines."""
        for frames, lines in room.shares():
            for line in lines:
                self.send(line, frames)


def _give_up(line: Line, error: Exception) -> None:
    _log.error("realtime_line_broken", exc_info=error)
    line.abort()
