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
        cls, expiration_ms: int | None, unix_ms: int | None, *, skew: float, default: float
    ) -> Deadline:
        """The deadline of a request that came over the wire.

        The broker's ``expiration`` counts from the publish and cannot be skewed by clocks; the ``deadline`` header
        (unix ms) also knows how long the request lay in the queue, but two machines' clocks differ by up to ``skew``
        seconds. So the smaller one holds; ``default`` (s) where the caller sent neither.
        """
        budgets = [default]
        if expiration_ms is not None:
            budgets.append(expiration_ms / 1000)
        if unix_ms is not None:
            budgets.append(unix_ms / 1000 - time.time() + skew)
        return cls.after(min(budgets))

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
