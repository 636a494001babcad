"""The ladder: how long the next try must wait after so many failures in a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ladder:
    """The first ``free`` failures but one cost nothing; from then on each wait is twice the one before.

    At ``limit`` failures nothing is admitted until they are forgotten, ``memory`` after the last. Times are in seconds.
    """

    free: int
    limit: int
    first: float
    longest: float
    memory: float

    def delay(self, failures: int) -> float:
        """The wait after this many failures in a row."""
        if failures < self.free:
            return 0.0
        return float(min(self.longest, self.first * 2 ** (failures - self.free)))
