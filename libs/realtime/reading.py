"""When a reader of a stream may believe what it reads: judgements, without any I/O.

RabbitMQ says nothing when a stream is truncated under a lagging reader (it jumps ahead) or deleted and declared anew
(a reader at a higher position hears nothing, and then the wrong thing). So a reader attaches *at* its last position,
not behind it, and goes on only if that very record comes first. A jump in positions is no gap by itself: each
segment of a stream uses one up; attaching again at the position before it tells.
"""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What a record means to its reader."""

    FIRST = auto()
    """Nothing was read before it."""
    NEXT = auto()
    """It follows what was read last; nothing lies between."""
    KNOWN = auto()
    """It was read before."""
    JUMP = auto()
    """Something may lie between: attach again to see."""
    LOST = auto()
    """What was read last is gone: records are missing, or this is another log."""


class Reading:
    """How far one reader has come; ``begin`` is the position where the first attachment starts."""

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self._identity = ""
        self._checked = False
        self.position: int | None = None
        """Of the record that was read last."""
        self.checking = False
        """Attached again, and the record that was read last has not come back yet."""

    def attach(self) -> int:
        """Where to attach now; what comes first is then held against what was read last."""
        self._checked = False
        self.checking = self.position is not None
        return self._begin if self.position is None else self.position

    def judge(self, position: int, identity: str) -> Verdict:
        """What the record at ``position`` means; ``identity`` is what tells it from another at the same position."""
        last = self.position
        if last is None:
            return self._read(position, identity, Verdict.FIRST)
        if self.checking:
            return self._check(position, identity, last)
        if position <= last:
            return Verdict.KNOWN
        if position == last + 1 or self._checked:
            return self._read(position, identity, Verdict.NEXT)
        return Verdict.JUMP

    def _check(self, position: int, identity: str, last: int) -> Verdict:
        if position < last:  # a chunk is delivered from its start
            return Verdict.KNOWN
        if position > last or identity != self._identity:
            return Verdict.LOST
        self.checking, self._checked = False, True
        return Verdict.KNOWN

    def _read(self, position: int, identity: str, verdict: Verdict) -> Verdict:
        self.position, self._identity, self._checked = position, identity, False
        return verdict
