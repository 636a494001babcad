"""How long to wait between attempts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Growing, jittered delays in seconds, without end.

    Each delay is drawn between half of the step and the step, so that a thousand clients of a restarted
    broker do not come back in the same moment.
    """

    initial: float = 0.2
    factor: float = 2.0
    maximum: float = 15.0

    def delays(self) -> Iterator[float]:
        """The delays of one series of attempts."""
        step = self.initial
        while True:
            yield step * random.uniform(0.5, 1.0)  # ruff: ignore[suspicious-non-cryptographic-random-usage] - spreads load, hides nothing
            step = min(step * self.factor, self.maximum)
