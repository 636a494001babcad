"""A deadline that travels: what a caller may still wait, over every hop."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on this process's monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline that passes in ``seconds``."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def received(
        cls, expiration: float | None, header: float | None, *, skew: float, default: float
    ) -> Deadline:
        """The deadline of a request that came over the wire, of which two sayings have come along, in seconds from now.

        The broker's ``expiration`` counts from the publish and cannot be skewed by clocks; the ``deadline`` header
        also knows how long the request lay in the queue, but two machines' clocks differ by up to ``skew``. So the
        smaller one holds; ``default`` where the caller sent neither.
        """
        within = default if expiration is None else min(default, expiration)
        return cls.after(within if header is None else min(within, header + skew))

    @property
    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether nobody waits any more."""
        return self.remaining <= 0

    def within(self, seconds: float) -> Deadline:
        """This deadline, or the one in ``seconds`` if that is earlier."""
        return Deadline(min(self.at, time.monotonic() + seconds))
