"""Relief for a lane that has just refused a call for want of room: for a moment it is not asked again.

To refuse costs the service, and the broker on the way there and back, a part of what they lack. In a storm nearly every
call is refused, and what the refusals cost is missing for the calls that are served.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from libs.messaging import Overloaded

SECONDS = 0.1  # a tenth of the least time after which a refused client is told to come again


class Relief:
    """One lane's, in this process."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._until = 0.0

    def admit(self) -> None:
        """Raise `Overloaded` within the moment after `begin`."""
        if self._until and self._now() < self._until:
            raise Overloaded

    def begin(self) -> None:
        """The lane has refused a call."""
        self._until = self._now() + SECONDS
