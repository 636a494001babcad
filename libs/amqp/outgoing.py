"""What one turn of the event loop has to say to the broker, joined into one write."""

from collections.abc import Callable
from typing import Final, Protocol

from typing_extensions import override

from libs.amqp.errors import AmqpError, ConnectionLost, again

_BATCH: Final = 16
"""Pieces after which the end of the turn is not waited for: the broker works on them while the next ones are made."""


class Deferred(Protocol):
    """Something that decides at the end of the turn what to write."""

    def frames(self) -> bytes:
        """The bytes to write, possibly none."""


class Outgoing:
    """Collects frames until the transport takes them.

    `obstacle` makes the error with which publications are refused while the broker is blocked, the send
    buffer full or the line gone; None while nothing stands in the way.
    """

    __slots__ = ("_chunks", "_deferred", "_flush", "_schedule", "_scheduled", "obstacle")

    def __init__(self, schedule: Callable[[], None], flush: Callable[[], None]) -> None:
        self.obstacle: Callable[[], AmqpError] | None = None
        self._schedule = schedule
        self._flush = flush
        self._scheduled = False
        self._chunks: list[bytes] = []
        self._deferred: list[Deferred] = []

    def write(self, data: bytes) -> None:
        """Send at the end of this turn."""
        self._chunks.append(data)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()
        if len(self._chunks) >= _BATCH:
            self._flush()
            self._scheduled = True  # the end of the turn comes all the same

    def defer(self, deferred: Deferred) -> None:
        """Ask `deferred` at the end of this turn; it asks again for the next turn."""
        self._deferred.append(deferred)
        if not self._scheduled:
            self._scheduled = True
            self._schedule()

    def take(self) -> bytes:
        """Everything collected since the last time, as one piece."""
        self._scheduled = False
        chunks = self._chunks
        if self._deferred:
            chunks += [deferred.frames() for deferred in self._deferred]
            self._deferred.clear()
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        return data


class ClosedOutgoing(Outgoing):
    """What is left of a line that is gone: it refuses publications and swallows the rest."""

    __slots__ = ("error",)

    def __init__(self, error: ConnectionLost) -> None:
        super().__init__(lambda: None, lambda: None)
        self.error = error
        self.obstacle = lambda: again(error)

    @override
    def write(self, data: bytes) -> None:
        """Nobody will read it."""

    @override
    def defer(self, deferred: Deferred) -> None:
        """Nobody will read it."""
