"""What was learnt a moment ago, kept until a time and bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

ValueT = TypeVar("ValueT")


class Recent(Generic[ValueT]):
    """A mapping by digest whose entries end by time; when it is full, the one that nobody asked for longest goes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[bytes, tuple[float, ValueT]] = {}

    def get(self, digest: bytes, now: float) -> ValueT | None:
        """What is kept; None where there is nothing, or where its time is over."""
        entry = self._entries.pop(digest, None)
        if entry is None or entry[0] <= now:
            return None
        self._entries[digest] = entry
        return entry[1]

    def keep(self, digest: bytes, value: ValueT, *, until: float) -> None:
        """Keep ``value`` up to a time (s) on the clock of whoever asks."""
        self._entries.pop(digest, None)
        self._entries[digest] = (until, value)
        if len(self._entries) > self._size:
            del self._entries[next(iter(self._entries))]

    def forget(self, which: Callable[[ValueT], bool]) -> None:
        """Drop every value of which ``which`` says so."""
        for digest in [digest for digest, (_, value) in self._entries.items() if which(value)]:
            del self._entries[digest]
